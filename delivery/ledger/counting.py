"""Counting deliveries: what became of a notice's recipients, channel by channel. Every number is a sum of tallies.

One query reads all sums, so they always fit together, whatever is recorded or compacted meanwhile.
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
"""Of one notice and channel, by outcome and reason."""


@dataclass(frozen=True, kw_only=True)
class Counts:
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
class Line(Counts):
    """One channel's counts."""

    channel: str
    retrying: int = 0
    """Those of the pending that have failed at least once."""
    possible_duplicates: int = 0
    """Attempts that ended without an answer and were, or will be, repeated."""
    bounced: int = 0
    """Mails that were handed over and came back later; they stay what they were."""
    oldest_waiting_seconds: float | None = None
    """As if who came first also left first."""
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
    diverted: int = 0
    """Part of the sent: messages that went elsewhere than one would expect, such as to files."""
    where: str = ""
    """A sentence on that."""

    @property
    def handed_over(self) -> int:
        """What another side has taken."""
        return self.sent - self.diverted


def brief_lines(notices: Iterable[Notice]) -> dict[int, list[Line]]:
    """By notice, its channels, without lags and names of accounts; two queries, or one when nobody waits."""
    pks = [notice.pk for notice in notices]
    sums = _sums(pks)
    waiting = {key: waits for key, each in sums.items() if (waits := _pending(each))}
    since = waiting_since(waiting)
    lines: dict[int, list[Line]] = {pk: [] for pk in pks}
    for notice_id, channel in sorted(sums):
        key = (notice_id, channel)
        lines[notice_id].append(_line(channel, sums[key], _seconds_since(since.get(key))))
    return lines


def count_line_by_line(notice: Notice) -> list[Line]:
    """A notice's channels with all that is known of them: up to three queries, and one for unconnected accounts."""
    lags = _lags(notice)
    return [
        Line(**vars(line) | lags.get(line.channel, {}) | {"unconnected": _unconnected(notice, line)})
        for line in brief_lines([notice])[notice.pk]
    ]


def pending(sums: dict[str, int]) -> int:
    """From sums by outcome: how many were expected and have not ended."""
    return sums.get(Outcome.EXPECTED, 0) - sum(sums.get(outcome, 0) for outcome in Tally.ENDED)


def waiting_since(waiting: dict[tuple[int, str], int]) -> dict[tuple[int, str], datetime]:
    """By notice and channel, of which so many wait: when the oldest of those began to, as if who came first also left
    first. One query."""
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


def _line(channel: str, sums: Sums, waited_seconds: float | None) -> Line:
    sent, suppressed = _total(sums, Outcome.SENT), _total(sums, Outcome.SUPPRESSED)
    elsewhere = _reasons(sums, Outcome.SENT)
    usual = registry.load(channel).where() if channel in registry.CHANNELS and not sent else ""
    return Line(
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
    """By channel: seconds from the post until half, 95 of 100 and all of the sent were handed over. One query.

    What staff queued again is not among them. After compaction half and 95 of 100 may be told up to a tenth too long.
    """
    timed = Tally.objects.filter(notice=notice, is_timed=True).order_by("created_at")
    moments: dict[str, list[tuple[datetime, int]]] = defaultdict(list)
    for channel, at, count in timed.values_list("channel", "created_at", "count"):
        moments[channel].append((at, count))
    return {channel: _percentiles(notice, found) for channel, found in moments.items()}


def _percentiles(notice: Notice, moments: list[tuple[datetime, int]]) -> dict[str, float]:
    """`moments`: in order, and how many were handed over at each. Never negative: an update may be dated later than
    the clock that stamped the delivery."""
    sent = list(accumulate(count for _, count in moments))
    wanted = {"lag_p50_seconds": 0.5, "lag_p95_seconds": 0.95, "lag_max_seconds": 1.0}
    at = {name: moments[bisect_left(sent, sent[-1] * part)][0] for name, part in wanted.items()}
    return {name: max(0.0, (moment - notice.created_at).total_seconds()) for name, moment in at.items()}


def _unconnected(notice: Notice, line: Line) -> list[tuple[int | None, str]]:
    """Accounts keep their rows, also when the notice is pruned."""
    if line.left_out == line.suppressed:
        return []
    rows = Delivery.objects.filter(
        notice=notice, channel=line.channel, state=Delivery.State.SUPPRESSED, error=NOT_CONNECTED
    )
    named = rows.order_by("account__name", "pk").values_list("account_id", "account__name")
    return [(pk, name or "a deleted account") for pk, name in named]


def totals() -> dict[str, Counter[str]]:
    """Of all notices for the page's people that there ever were: by channel, sums by outcome. One query."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    tallies = Tally.objects.filter(notice__audience=Notice.Audience.PAGE).order_by().values_list("channel", "outcome")
    for channel, outcome, count in tallies.annotate(total=Sum("count")):
        found[channel][outcome] = count
    return found


def oldest_waiting_seconds() -> dict[str, float]:
    """By channel, how long the longest waiting delivery to the page's people has waited. Two queries, or one."""
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
