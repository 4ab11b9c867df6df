"""Counts of a notice's deliveries by channel and outcome. Every number is a sum of tallies.

One query reads all sums, so that they agree with each other whatever is recorded or compacted meanwhile.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate

from django.db.models import Sum
from django.utils import timezone

from delivery import registry
from delivery.ledger.outbox import NOT_CONNECTED
from delivery.models import Delivery, Notice, Tally

Outcome = Tally.Outcome
SHOWN_REASONS = 5
ARRIVALS = (Outcome.EXPECTED, Outcome.REQUEUED)
Sums = Counter[tuple[str, str]]
"""The sums of one notice and channel, by outcome and reason."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Always: expected = sent + suppressed + dead + unknown + pending."""

    expected: int
    sent: int
    suppressed: int
    dead: int
    unknown: int
    pending: int
    """Waiting, or claimed by a worker."""

    @property
    def failed(self) -> int:
        return self.dead + self.unknown


@dataclass(frozen=True, kw_only=True)
class ChannelCounts(Counts):
    """One channel's counts."""

    channel: str
    retrying: int = 0
    """Those of the pending that have failed at least once."""
    possible_duplicates: int = 0
    """Attempts that ended without an answer and were, or will be, repeated."""
    bounced: int = 0
    """Mails that were handed over and came back later; they still count as sent."""
    oldest_waiting_seconds: float | None = None
    """Computed as if deliveries were sent in the order in which they were queued."""
    lag_p50_seconds: float | None = None
    lag_p95_seconds: float | None = None
    lag_max_seconds: float | None = None
    errors: list[tuple[str, int]] = field(default_factory=list)
    """Why deliveries failed or will be tried again: reasons with counts, most frequent first, at most SHOWN_REASONS."""
    spared: list[tuple[str, int]] = field(default_factory=list)
    """Why deliveries were suppressed, in the same form; without those of unconnected accounts."""
    unconnected: list[tuple[int | None, str]] = field(default_factory=list)
    """Accounts without credentials, whose deliveries are part of the suppressed: id and name."""
    left_out: int = 0
    """How many of the suppressed have another reason than an unconnected account."""
    diverted: int = 0
    """How many of the sent went somewhere else than to the recipient, such as to files."""
    where: str = ""
    """A sentence that says where those went, or would go."""

    @property
    def handed_over(self) -> int:
        """How many the other side accepted."""
        return self.sent - self.diverted


def count_channels(notices: Iterable[Notice]) -> dict[int, list[ChannelCounts]]:
    """By notice, the counts of its channels, without lags and names of accounts; one query, or two if any wait."""
    pks = [notice.pk for notice in notices]
    sums = _sums(pks)
    waiting = {key: waits for key, each in sums.items() if (waits := _pending(each))}
    since = waiting_since(waiting)
    lines: dict[int, list[ChannelCounts]] = {pk: [] for pk in pks}
    for notice_id, channel in sorted(sums):
        key = (notice_id, channel)
        lines[notice_id].append(_line(channel, sums[key], _seconds_since(since.get(key))))
    return lines


def count_channels_in_detail(notice: Notice) -> list[ChannelCounts]:
    """The counts of a notice's channels with lags and unconnected accounts: up to three queries, and one for each channel
    with unconnected accounts."""
    lags = _lags(notice)
    return [
        ChannelCounts(**vars(line) | lags.get(line.channel, {}) | {"unconnected": _unconnected(notice, line)})
        for line in count_channels([notice])[notice.pk]
    ]


def pending(sums: dict[str, int]) -> int:
    """From sums by outcome: how many were expected and have not ended."""
    return sums.get(Outcome.EXPECTED, 0) - sum(sums.get(outcome, 0) for outcome in Tally.ENDED)


def waiting_since(waiting: dict[tuple[int, str], int]) -> dict[tuple[int, str], datetime]:
    """By notice and channel, when the oldest waiting delivery was queued; one query.

    `waiting`: by notice and channel, how many wait. Computed as if deliveries were sent in the order of queueing.
    """
    if not waiting:
        return {}
    arrivals = Tally.objects.filter(notice__in={notice for notice, _ in waiting}, outcome__in=ARRIVALS)
    left, since = dict(waiting), {}
    for notice, channel, count, at in arrivals.order_by("-created_at", "-pk").values_list(
        "notice", "channel", "count", "created_at"
    ):
        if left.get((notice, channel), 0) > 0:
            left[notice, channel] -= count
            since[notice, channel] = at
    return since


def _sums(notices: list[int]) -> dict[tuple[int, str], Sums]:
    """By notice and channel. One query."""
    found: dict[tuple[int, str], Sums] = defaultdict(Counter)
    tallies = Tally.objects.filter(notice__in=notices).order_by().values_list("notice", "channel", "outcome", "reason")
    for notice, channel, outcome, reason, count in tallies.annotate(total=Sum("count")):
        found[notice, channel][outcome, reason] = count
    return found


def _total(sums: Sums, outcome: Outcome) -> int:
    return sum(count for (each, _), count in sums.items() if each == outcome)


def _pending(sums: Sums) -> int:
    return pending({outcome: _total(sums, outcome) for outcome in (Outcome.EXPECTED, *Tally.ENDED)})


def _line(channel: str, sums: Sums, waited_seconds: float | None) -> ChannelCounts:
    sent, suppressed = _total(sums, Outcome.SENT), _total(sums, Outcome.SUPPRESSED)
    elsewhere = _reasons(sums, Outcome.SENT)
    usual = registry.load(channel).where() if channel in registry.CHANNELS and not sent else ""
    return ChannelCounts(
        channel=channel,
        expected=_total(sums, Outcome.EXPECTED),
        sent=sent,
        suppressed=suppressed,
        dead=_total(sums, Outcome.DEAD),
        unknown=_total(sums, Outcome.UNKNOWN),
        pending=_pending(sums),
        retrying=_total(sums, Outcome.RETRYING),
        possible_duplicates=_total(sums, Outcome.AMBIGUOUS),
        bounced=_total(sums, Outcome.BOUNCED),
        oldest_waiting_seconds=waited_seconds,
        errors=_reasons(sums, Outcome.DEAD, Outcome.UNKNOWN, Outcome.TROUBLED),
        spared=[(reason, count) for reason, count in _reasons(sums, Outcome.SUPPRESSED) if reason != NOT_CONNECTED],
        left_out=suppressed - sums[Outcome.SUPPRESSED, NOT_CONNECTED],
        diverted=min(sent, sum(count for _, count in elsewhere)),
        where=elsewhere[0][0] if elsewhere else usual,
    )


def _reasons(sums: Sums, *outcomes: Outcome) -> list[tuple[str, int]]:
    found: Counter[str] = Counter()
    for (outcome, reason), count in sums.items():
        if outcome in outcomes and reason:
            found[reason] += count
    ordered = sorted(found.items(), key=lambda each: (-each[1], each[0]))
    return [(reason, count) for reason, count in ordered if count > 0][:SHOWN_REASONS]


def _seconds_since(at: datetime | None) -> float | None:
    return None if at is None else max(0.0, (timezone.now() - at).total_seconds())


def _lags(notice: Notice) -> dict[str, dict[str, float]]:
    """By channel, the seconds from the post until 50 %, 95 % and all of the sent were handed over. One query.

    Deliveries that staff queued again do not count. After compaction the 50 % and 95 % may be up to a tenth too long.
    """
    timed = Tally.objects.filter(notice=notice, is_timed=True).order_by("created_at")
    moments: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
    for channel, at, count in timed.values_list("channel", "created_at", "count"):
        moments[channel].append((at, count))
    return {channel: _percentiles(notice, found) for channel, found in moments.items()}


def _percentiles(notice: Notice, moments: list[tuple[datetime, int]]) -> dict[str, float]:
    """`moments`: in order of time, with how many were handed over at each. A lag is never negative, though the clock of
    the update may be ahead of the clock of the delivery."""
    sent = list(accumulate(count for _, count in moments))
    wanted = {"lag_p50_seconds": 0.5, "lag_p95_seconds": 0.95, "lag_max_seconds": 1.0}
    at = {name: moments[bisect_left(sent, sent[-1] * part)][0] for name, part in wanted.items()}
    return {name: max(0.0, (moment - notice.created_at).total_seconds()) for name, moment in at.items()}


def _unconnected(notice: Notice, line: ChannelCounts) -> list[tuple[int | None, str]]:
    """The accounts behind `ChannelCounts.unconnected`. Their rows stay when the notice is pruned."""
    if line.left_out == line.suppressed:
        return []
    rows = Delivery.objects.filter(
        notice=notice, channel=line.channel, state=Delivery.State.SUPPRESSED, error=NOT_CONNECTED
    )
    named = rows.order_by("account__name", "pk").values_list("account_id", "account__name")
    return [(pk, name or "a deleted account") for pk, name in named]


def totals() -> dict[str, Counter[str]]:
    """By channel, the sums by outcome over all notices to the page's people ever. One query."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    tallies = Tally.objects.filter(notice__audience=Notice.Audience.PAGE).order_by().values_list("channel", "outcome")
    for channel, outcome, count in tallies.annotate(total=Sum("count")):
        found[channel][outcome] = count
    return found


def oldest_waiting_seconds() -> dict[str, float]:
    """By channel, how long the oldest waiting delivery to the page's people has waited. One or two queries."""
    people = {"notice__audience": Notice.Audience.PAGE, "notice__pruned_at": None}
    tallies = Tally.objects.filter(**people, outcome__in=(Outcome.EXPECTED, *Tally.ENDED))
    found: dict[tuple[int, str], dict[str, int]] = defaultdict(dict)
    for notice, channel, outcome, count in (
        tallies.order_by().values_list("notice", "channel", "outcome").annotate(total=Sum("count"))
    ):
        found[notice, channel][outcome] = count
    waits = {key: waiting for key, sums in found.items() if (waiting := pending(sums)) > 0}
    longest: dict[str, float] = {}
    for (_, channel), at in waiting_since(waits).items():
        longest[channel] = max(longest.get(channel, 0.0), _seconds_since(at) or 0.0)
    return longest
