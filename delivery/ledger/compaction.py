"""Compaction replaces many tallies of a notice by a few with the same sums, so that a receipt of a million is quick.

Lags are grouped in buckets whose ends grow by a tenth each, and a bucket keeps its latest time. So the lags of 50 % and
95 % may be up to a tenth (or a tenth of a second) too long; the longest lag is exact.

It may run beside senders and readers: one transaction reads tallies, inserts their sums and deletes what it read.
Tallies appended meanwhile are not touched, and a reader sees either all old tallies or all new ones.
"""

import math
from collections import defaultdict
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import Count

from delivery.models import Notice, Tally

# A notice with fewer uncompacted tallies is left as it is.
MOST_LOOSE = 50
BUCKET_RATIO = 1.1
SHORTEST_SECONDS = 0.1


def bucket(lag_seconds: float) -> int:
    """The number of the bucket for a lag: 0 up to SHORTEST_SECONDS, then one more each time it grows by a tenth."""
    return max(0, math.ceil(math.log(max(lag_seconds, SHORTEST_SECONDS) / SHORTEST_SECONDS, BUCKET_RATIO)))


def compact_all() -> int:
    """Compact the notices with more than MOST_LOOSE uncompacted tallies; returns how many."""
    loose = Tally.objects.filter(is_sum=False).order_by().values("notice").annotate(rows=Count("pk"))
    long = loose.filter(rows__gt=MOST_LOOSE).values_list("notice", flat=True)
    return sum(compact(notice_id) for notice_id in list(long))


def compact(notice_id: int) -> bool:
    """Compact one notice. False when another transaction has locked it; the next run compacts it."""
    with transaction.atomic():
        notice = Notice.objects.select_for_update(skip_locked=True, no_key=True).filter(pk=notice_id).first()
        if notice is None:
            return False
        tallies = list(Tally.objects.filter(notice=notice))
        Tally.objects.bulk_create(_sums_of(notice, tallies))
        Tally.objects.filter(pk__any_of={tally.pk for tally in tallies}).delete()
    return True


class _Group(NamedTuple):
    """The tallies with these values are summed into one."""

    channel: str
    outcome: str
    reason: str
    is_timed: bool
    part: int
    """The bucket of a lag. For REQUEUED the tally's id: each keeps its own time, which says since when rows wait."""


def _group(notice: Notice, tally: Tally) -> _Group:
    part = 0
    if tally.is_timed:
        part = bucket((tally.created_at - notice.created_at).total_seconds())
    elif tally.outcome == Tally.Outcome.REQUEUED:
        part = tally.pk
    return _Group(tally.channel, tally.outcome, tally.reason, tally.is_timed, part)


def _sums_of(notice: Notice, tallies: list[Tally]) -> list[Tally]:
    """The sums that are not zero."""
    groups: dict[_Group, list[Tally]] = defaultdict(list)
    for tally in tallies:
        groups[_group(notice, tally)].append(tally)
    return [
        Tally(
            notice=notice,
            channel=group.channel,
            outcome=group.outcome,
            reason=group.reason,
            is_timed=group.is_timed,
            is_sum=True,
            count=count,
            created_at=_moment(group, [tally.created_at for tally in found]),
        )
        for group, found in groups.items()
        if (count := sum(tally.count for tally in found))
    ]


def _moment(group: _Group, moments: list[datetime]) -> datetime:
    """The latest time in a bucket of lags; otherwise the earliest time."""
    return max(moments) if group.is_timed else min(moments)
