"""Many tallies of a notice become a few with the same sums, so that a receipt costs the same however it came about.

Lags are kept by bucket: each ends a tenth after the one before, and keeps the latest of its moments. So half and 95 of
100 are told up to a tenth (or a tenth of a second) too long, and the longest exactly.

Safe beside everybody: one transaction reads tallies, inserts their sums and deletes those that it read. Who appends
meanwhile appends others; who reads meanwhile sees all from before or all from after.
"""

import math
from collections import defaultdict
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.db.models import Count

from delivery.models import Notice, Tally

# Fewer are left as they are.
MOST_LOOSE = 50
BUCKET_RATIO = 1.1
SHORTEST_SECONDS = 0.1


def bucket(lag_seconds: float) -> int:
    """The number of the bucket: 0 up to a tenth of a second, then one for each tenth that it grows."""
    return max(0, math.ceil(math.log(max(lag_seconds, SHORTEST_SECONDS) / SHORTEST_SECONDS, BUCKET_RATIO)))


def compact_all() -> int:
    """Sum up what has become long; how many notices that were."""
    loose = Tally.objects.filter(is_sum=False).order_by().values("notice").annotate(rows=Count("pk"))
    long = loose.filter(rows__gt=MOST_LOOSE).values_list("notice", flat=True)
    return sum(compact(notice_id) for notice_id in list(long))


def compact(notice_id: int) -> bool:
    """False when another transaction holds the notice, which will be compacted the next time."""
    with transaction.atomic():
        notice = Notice.objects.select_for_update(skip_locked=True, no_key=True).filter(pk=notice_id).first()
        if notice is None:
            return False
        tallies = list(Tally.objects.filter(notice=notice))
        Tally.objects.bulk_create(_sums_of(notice, tallies))
        Tally.objects.filter(pk__any_of={tally.pk for tally in tallies}).delete()
    return True


class _Group(NamedTuple):
    """What is summed into one."""

    channel: str
    outcome: str
    reason: str
    is_timed: bool
    part: int
    """The bucket of a lag; of what staff put back, each time is kept, to know since when it waits."""


def _group(notice: Notice, tally: Tally) -> _Group:
    part = 0
    if tally.is_timed:
        part = bucket((tally.created_at - notice.created_at).total_seconds())
    elif tally.outcome == Tally.Outcome.REQUEUED:
        part = tally.pk
    return _Group(tally.channel, tally.outcome, tally.reason, tally.is_timed, part)


def _sums_of(notice: Notice, tallies: list[Tally]) -> list[Tally]:
    """Without those that come to nothing."""
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
    """When the last of a lag's bucket was handed over; when the first of the others came."""
    return max(moments) if group.is_timed else min(moments)
