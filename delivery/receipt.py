"""The receipt of a notice: how many of how many, on which channel, how late, and what went wrong."""

from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Min, Q
from django.utils import timezone

from delivery import registry
from delivery.models import Delivery, DeliveryQuerySet, Notice, Pause
from delivery.outbox import NOT_CONNECTED, requeue
from subscribers.models import Suppression

State = Delivery.State
# A bell that was heard starts the fan-out at once; past this, staff should know that nobody heard it.
UNHEARD_AFTER = timedelta(seconds=5)
UNHEARD = (
    "Notifications are waiting: no worker has taken them up yet, perhaps because the broker is down. "
    "They go out as soon as one does; “manage.py deliver” sends them without."
)
SHOWN_ERRORS = 5
# Among more failures than these nobody looks for addresses that do not exist: that costs a hash for each.
MOST_LOOKED_UP = 1_000
Counts = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Tally:
    """Always: expected = sent + suppressed + dead + unknown + pending."""

    expected: int
    sent: int
    suppressed: int
    dead: int
    unknown: int
    pending: int
    """Waiting, or in a worker's hands."""

    @property
    def failed(self) -> int:
        return self.dead + self.unknown


@dataclass(frozen=True)
class ChannelReceipt(Tally):
    """One channel's counts."""

    channel: str
    label: str
    retrying: int
    """Those of the pending that have failed at least once."""
    possible_duplicates: int
    """Attempts that ended without an answer and were, or will be, repeated."""
    oldest_waiting_seconds: float | None
    lag_p50_seconds: float | None
    lag_p95_seconds: float | None
    lag_max_seconds: float | None
    retryable: int = 0
    """Those that failed and may succeed when they are tried again: not those whose address does not exist."""
    errors: list[tuple[str, int]] = field(default_factory=list)
    """Why some failed, or will be tried again: reasons with their counts, most frequent first, five at most."""
    spared: list[tuple[str, int]] = field(default_factory=list)
    """Why some were not sent on purpose, likewise; without those that are not connected."""
    unconnected: list[tuple[int | None, str]] = field(default_factory=list)
    """Accounts that had no credentials, part of the suppressed: key and name."""
    paused: str | None = None
    """Why nobody on this channel can be reached now."""
    where: str = ""
    """A sentence when messages go elsewhere than one would expect, such as to files."""

    @property
    def left_out(self) -> int:
        """Not sent on purpose, other than for lack of a connection."""
        return self.suppressed - len(self.unconnected)


@dataclass(frozen=True)
class Share:
    """A part of the bar: where it starts and how wide it is, in percent of all, as SVG writes numbers."""

    kind: str
    label: str
    count: int
    start: str
    width: str


@dataclass(frozen=True)
class Receipt(Tally):
    """The counts of all channels together."""

    channels: list[ChannelReceipt]
    is_finished: bool
    """Every recipient has a row, and none of them waits."""
    notes: list[str]
    """Sentences that staff should read first."""

    @property
    def shares(self) -> list[Share]:
        """What became of all recipients, side by side; only what is not zero. Mail in files is not called sent."""
        diverted = sum(each.sent for each in self.channels if each.where)
        unconnected = sum(len(each.unconnected) for each in self.channels)
        counts = (
            ("sent", "sent", self.sent - diverted),
            ("diverted", "to files", diverted),
            ("dead", "failed", self.dead),
            ("unknown", "outcome unknown", self.unknown),
            ("unconnected", "not connected", unconnected),
            ("suppressed", "not sent on purpose", self.suppressed - unconnected),
            ("pending", "waiting", self.pending),
        )
        whole = sum(count for _, _, count in counts)
        shares, before = [], 0
        for kind, label, count in counts:
            if count > 0:
                start, width = 100 * before / whole, 100 * count / whole
                shares.append(Share(kind, label, count, f"{start:.3f}", f"{width:.3f}"))
            before += count
        return shares


def build_receipt(notice: Notice) -> Receipt:
    """Count a notice's deliveries as they stand now: two queries, and up to seven for each channel."""
    counts: dict[str, Counts] = {channel: {} for channel in sorted(notice.expected)}
    for row in _count(notice):
        counts.setdefault(row["channel"], {})[row["state"]] = row
    pauses = dict(Pause.objects.values_list("key", "reason"))
    channels = [_channel_receipt(notice, channel, states, pauses) for channel, states in counts.items()]
    totals = {each.name: sum(getattr(channel, each.name) for channel in channels) for each in fields(Tally)}
    is_finished = notice.expanded_at is not None and totals["pending"] == 0
    return Receipt(channels=channels, is_finished=is_finished, notes=_notes(notice), **totals)


def retry_failed(notice: Notice, channel: str) -> int:
    """Put what failed, or ended without an answer, back in the queue; how many. The caller audits it."""
    return requeue(notice.deliveries.filter(channel=channel).exclude(address__in=_gone(notice, channel)))


def _count(notice: Notice) -> Any:
    return (
        notice.deliveries.values("channel", "state")
        .annotate(
            rows=Count("pk"),
            tried=Count("pk", filter=Q(attempts__gt=0)),
            unsure=Count("pk", filter=Q(ambiguous=True)),
            unconnected=Count("pk", filter=Q(error=NOT_CONNECTED)),
            oldest=Min("queued_at"),
            last=Max("sent_at"),
        )
        .order_by("channel")
    )


def _channel_receipt(notice: Notice, channel: str, states: Counts, pauses: dict[str, str]) -> ChannelReceipt:
    """`states` holds the rows of `_count` for this channel, by state."""

    def rows(state: State, key: str = "rows") -> int:
        return states[state][key] if state in states else 0

    oldest = min((states[each]["oldest"] for each in (State.PENDING, State.SENDING) if each in states), default=None)
    sent, failed = rows(State.SENT), rows(State.DEAD) + rows(State.UNKNOWN)
    mine = notice.deliveries.filter(channel=channel)
    spared = mine.filter(state=State.SUPPRESSED)
    return ChannelReceipt(
        channel=channel,
        label=registry.label_of(channel),
        # The notice was read a moment before its rows, and fan-out may have inserted some in between.
        expected=max(notice.expected.get(channel, 0), sum(rows(state) for state in State)),
        sent=sent,
        suppressed=rows(State.SUPPRESSED),
        dead=rows(State.DEAD),
        unknown=rows(State.UNKNOWN),
        pending=rows(State.PENDING) + rows(State.SENDING),
        retrying=rows(State.PENDING, "tried"),
        possible_duplicates=sum(each["unsure"] for each in states.values()),
        oldest_waiting_seconds=None if oldest is None else (timezone.now() - oldest).total_seconds(),
        lag_p50_seconds=_lag(notice, channel, sent // 2) if sent else None,
        lag_p95_seconds=_lag(notice, channel, sent * 95 // 100) if sent else None,
        lag_max_seconds=_seconds_after(notice, states[State.SENT]["last"]) if sent else None,
        retryable=failed - len(_gone(notice, channel)) if failed else 0,
        errors=_reasons(mine.exclude(state__in=(State.SENT, State.SUPPRESSED))),
        spared=_reasons(spared.exclude(error=NOT_CONNECTED)) if rows(State.SUPPRESSED) else [],
        unconnected=_unconnected(spared) if rows(State.SUPPRESSED, "unconnected") else [],
        paused=_paused(notice, channel, pauses),
        where=registry.load(channel).where() if channel in registry.CHANNELS else "",
    )


def _lag(notice: Notice, channel: str, place: int) -> float | None:
    """Seconds until the delivery at `place` (from 0, quickest first) was handed over."""
    sent = notice.deliveries.filter(channel=channel, state=State.SENT).order_by("sent_at")
    at = sent.values_list("sent_at", flat=True)[place : place + 1].first()
    return None if at is None else _seconds_after(notice, at)


def _seconds_after(notice: Notice, at: datetime) -> float:
    """Never negative: an update may be dated later than the clock that stamped the delivery."""
    return max(0.0, (at - notice.created_at).total_seconds())


def _reasons(rows: DeliveryQuerySet) -> list[tuple[str, int]]:
    reasons = rows.exclude(error="").values("error").annotate(rows=Count("pk")).order_by("-rows", "error")
    return [(reason["error"], reason["rows"]) for reason in reasons[:SHOWN_ERRORS]]


def _unconnected(spared: DeliveryQuerySet) -> list[tuple[int | None, str]]:
    rows = spared.filter(error=NOT_CONNECTED).order_by("account__name", "pk")
    return [(pk, name or "a deleted account") for pk, name in rows.values_list("account_id", "account__name")]


def _gone(notice: Notice, channel: str) -> list[str]:
    """Addresses of failed deliveries that are on the suppression list by now, such as those that do not exist:
    trying again would not write to them."""
    dead = notice.deliveries.filter(channel=channel, state=State.DEAD, account=None)
    addresses = list(dead.values_list("address", flat=True)[: MOST_LOOKED_UP + 1])
    if not addresses or len(addresses) > MOST_LOOKED_UP:
        return []
    return list(Suppression.objects.among(channel, addresses))


def _paused(notice: Notice, channel: str, pauses: dict[str, str]) -> str | None:
    if channel in pauses:
        return pauses[channel]
    waiting = notice.deliveries.pending().filter(channel=channel, address__in=pauses)
    address = waiting.values_list("address", flat=True).first()
    return pauses[address] if address else None


def _notes(notice: Notice) -> list[str]:
    if notice.cancelled_at:
        return ["Cancelled: whoever had not been told yet will not be."]
    if notice.expanded_at is None and timezone.now() - notice.created_at > UNHEARD_AFTER:
        return [UNHEARD]
    return []
