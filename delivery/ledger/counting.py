"""Counting deliveries: what became of a notice's recipients, channel by channel, read from the rows themselves.

No index serves this, because each claim and record would pay for it; what a look costs at a million rows is told in
docs/performance.md, and delivery/ledger/looking.py sees to it that looks are few.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Aggregate, Count, Max, Min, Q
from django.utils import timezone

from delivery import registry
from delivery.ledger.outbox import NOT_CONNECTED
from delivery.models import Delivery, FinalCount, Notice
from delivery.models.deliveries import DeliveryQuerySet

State = Delivery.State
SHOWN_REASONS = 5
KEPT = (
    *("expected", "sent", "suppressed", "dead", "unknown", "possible_duplicates", "bounced"),
    *("lag_p50_seconds", "lag_p95_seconds", "lag_max_seconds"),
)
"""What a FinalCount holds as a number of its own."""
PAIRS = ("errors", "spared", "unconnected")
States = dict[str, dict[str, Any]]
"""The groups of one notice and channel, by state."""


@dataclass(frozen=True, kw_only=True)
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


@dataclass(frozen=True, kw_only=True)
class Line(Tally):
    """One channel's counts."""

    channel: str
    retrying: int = 0
    """Those of the pending that have failed at least once."""
    possible_duplicates: int = 0
    """Attempts that ended without an answer and were, or will be, repeated."""
    bounced: int = 0
    """Mails that were handed over and came back later; they stay what they were."""
    oldest_waiting_seconds: float | None = None
    lag_p50_seconds: float | None = None
    lag_p95_seconds: float | None = None
    lag_max_seconds: float | None = None
    errors: list[tuple[str, int]] = field(default_factory=list)
    """Why some failed, or will be tried again: reasons with their counts, most frequent first, five at most."""
    spared: list[tuple[str, int]] = field(default_factory=list)
    """Why some were not sent on purpose, likewise; without those that are not connected."""
    unconnected: list[tuple[int | None, str]] = field(default_factory=list)
    """Accounts that had no credentials, part of the suppressed: key and name."""
    left_out: int = 0
    """Part of the suppressed: not sent on purpose, other than for lack of a connection."""
    where: str = ""
    """A sentence when messages go elsewhere than one would expect, such as to files."""


def count_line_by_line(notice: Notice) -> list[Line]:
    """A notice's channels as their rows stand now: one query, and up to five for each channel."""
    states = count_states([notice])[notice.pk]
    return [_full_line(notice, channel, states[channel]) for channel in sorted(states)]


def kept_lines(notices: Iterable[Notice]) -> dict[int, list[Line]]:
    """Those of settled notices, by notice, as they were stored; one query."""
    kept: dict[int, list[Line]] = defaultdict(list)
    for row in FinalCount.objects.filter(notice__in=[notice.pk for notice in notices]).order_by("channel"):
        kept[row.notice_id].append(_kept_line(row))
    return dict(kept)


def brief_lines(notices: Iterable[Notice]) -> dict[int, list[Line]]:
    """By notice, its channels; lags and reasons only where the counts are kept. One query, or three.

    Kept counts are asked for again after counting: rows are deleted only after their counts were kept, so that
    nothing is ever missing from both.
    """
    lines = kept_lines([notice for notice in notices if notice.settled_at])
    moving = {notice.pk: notice for notice in notices if notice.pk not in lines}
    if not moving:
        return lines
    for pk, channels in count_states(moving.values()).items():
        lines[pk] = [_line(moving[pk], channel, channels[channel]) for channel in sorted(channels)]
    return lines | kept_lines(moving.values())


def count_states(notices: Iterable[Notice]) -> dict[int, dict[str, States]]:
    """By notice, channel and state: rows, tried, bounced, unsure, wrong, unconnected (counts), oldest, last (times). One query.

    A channel on which recipients are expected is there even when it has no rows.
    """
    notices = list(notices)
    rows = Delivery.objects.filter(notice__in=[notice.pk for notice in notices])
    groups = (
        rows.order_by()
        .values("notice", "channel", "state")
        .annotate(
            rows=Count("pk"),
            tried=Count("pk", filter=Q(attempts__gt=0)),
            bounced=Count("bounced_at"),
            unsure=Count("pk", filter=Q(ambiguous=True)),
            wrong=Count("pk", filter=~Q(error="")),
            unconnected=Count("pk", filter=Q(error=NOT_CONNECTED)),
            oldest=Min("queued_at"),
            last=Max("sent_at"),
        )
    )
    found: dict[int, dict[str, States]] = {
        notice.pk: defaultdict(dict, {channel: {} for channel in notice.expected}) for notice in notices
    }
    for group in groups:
        found[group["notice"]][group["channel"]][group["state"]] = dict(group)
    return found


def rows_in(states: States, state: State, key: str = "rows") -> int:
    return states[state][key] if state in states else 0


def _waited_seconds(states: States) -> float | None:
    """How long the longest waiting row has waited; None when none does."""
    oldest = min((states[each]["oldest"] for each in Delivery.WAITING if each in states), default=None)
    return None if oldest is None else (timezone.now() - oldest).total_seconds()


def _line(notice: Notice, channel: str, states: States, **more: Any) -> Line:
    """The notice was read a moment before its rows, and fan-out may have inserted some in between."""
    counts = {state: rows_in(states, state) for state in State}
    return Line(
        channel=channel,
        expected=max(notice.expected.get(channel, 0), sum(counts.values())),
        sent=counts[State.SENT],
        suppressed=counts[State.SUPPRESSED],
        dead=counts[State.DEAD],
        unknown=counts[State.UNKNOWN],
        pending=counts[State.PENDING] + counts[State.SENDING],
        left_out=counts[State.SUPPRESSED] - rows_in(states, State.SUPPRESSED, "unconnected"),
        retrying=rows_in(states, State.PENDING, "tried"),
        possible_duplicates=sum(each["unsure"] for each in states.values()),
        bounced=sum(each["bounced"] for each in states.values()),
        oldest_waiting_seconds=_waited_seconds(states),
        where=registry.load(channel).where() if channel in registry.CHANNELS else "",
        **more,
    )


def _full_line(notice: Notice, channel: str, states: States) -> Line:
    """Reasons are asked for only where there are some: among a million rows that costs as much as counting."""
    mine = notice.deliveries.filter(channel=channel)
    spared = mine.filter(state=State.SUPPRESSED)
    told_apart = rows_in(states, State.SUPPRESSED, "wrong") - rows_in(states, State.SUPPRESSED, "unconnected")
    wrong = [state for state in states if states[state]["wrong"] and state not in (State.SENT, State.SUPPRESSED)]
    return _line(
        notice,
        channel,
        states,
        **lags(notice, channel, states),
        errors=_reasons(mine.filter(state__in=wrong)) if wrong else [],
        spared=_reasons(spared.exclude(error=NOT_CONNECTED)) if told_apart else [],
        unconnected=_unconnected(spared) if rows_in(states, State.SUPPRESSED, "unconnected") else [],
    )


def _kept_line(row: FinalCount) -> Line:
    values: dict[str, Any] = {name: getattr(row, name) for name in ("channel", *KEPT, "where")}
    for name in PAIRS:  # JSON knows no tuples
        values[name] = [tuple(pair) for pair in getattr(row, name)]
    return Line(pending=0, left_out=row.suppressed - len(row.unconnected), **values)


def lags(notice: Notice, channel: str, states: States) -> dict[str, Any]:
    """Seconds from the post until half, 95 of 100 and all of the sent were handed over; None when none were."""
    sent = rows_in(states, State.SENT)
    if not sent:
        return dict.fromkeys(("lag_p50_seconds", "lag_p95_seconds", "lag_max_seconds"))
    half, most = _moments(notice.deliveries.filter(channel=channel, state=State.SENT), sent)
    return {
        "lag_p50_seconds": _seconds_after(notice, half),
        "lag_p95_seconds": _seconds_after(notice, most),
        "lag_max_seconds": _seconds_after(notice, states[State.SENT]["last"]),
    }


def _moments(rows: DeliveryQuerySet, sent: int) -> Any:
    """When half, and 95 of 100, of so many sent rows were handed over: a pair of times."""
    if connection.vendor == "postgresql":
        return rows.aggregate(moments=_Percentiles("sent_at"))["moments"]
    times = rows.order_by("sent_at").values_list("sent_at", flat=True)
    return times[sent // 2], times[sent * 95 // 100]


class _Percentiles(Aggregate):
    """Two of them in one sort; no index is needed, and none would make it quicker while rows change."""

    function = "PERCENTILE_DISC"
    template = "%(function)s(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY %(expressions)s)"


def _seconds_after(notice: Notice, at: datetime) -> float:
    """Never negative: an update may be dated later than the clock that stamped the delivery."""
    return max(0.0, (at - notice.created_at).total_seconds())


def _reasons(rows: DeliveryQuerySet) -> list[tuple[str, int]]:
    reasons = rows.exclude(error="").values("error").annotate(rows=Count("pk")).order_by("-rows", "error")
    return [(reason["error"], reason["rows"]) for reason in reasons[:SHOWN_REASONS]]


def _unconnected(spared: DeliveryQuerySet) -> list[tuple[int | None, str]]:
    rows = spared.filter(error=NOT_CONNECTED).order_by("account__name", "pk")
    return [(pk, name or "a deleted account") for pk, name in rows.values_list("account_id", "account__name")]
