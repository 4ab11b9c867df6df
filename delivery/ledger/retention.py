"""From rows to counts: what is finished is counted once, and what is old is kept as those counts alone.

1. A notice **settles** when every recipient has a row and none of them waits: its counts are stored (FinalCount).
   Staff who queue some of its deliveries again take that back.
2. DELIVERY_RETENTION_DAYS after it was posted it is marked as **pruned**: from then on nothing takes that back.
3. Its subscribers' deliveries are deleted, in short transactions. Those of accounts stay: they are few, and asked for.

Each step is one transaction that first locks the notice, so a crash anywhere leaves one of these states, and
whoever reads meanwhile finds all rows or all counts. Every step may be repeated, or run twice at once.
"""

import logging
import time
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from delivery import registry
from delivery.ledger.counting import KEPT, PAIRS, Line, count_line_by_line
from delivery.models import Delivery, FinalCount, Notice

log = logging.getLogger(__name__)
# Few enough to hold locks for some ten milliseconds.
CHUNK = 1_000
AT_ONCE = 100


def tidy(seconds: float) -> dict[str, int]:
    """Settle and prune what is due, for so many seconds at most; how many notices and deliveries.

    Telling goes first: nothing is deleted while somebody who can be reached waits.
    """
    until = time.monotonic() + seconds
    done = {"settled": 0, "pruned": 0, "deleted": 0}
    for notice_id in list(Notice.objects.unsettled().values_list("pk", flat=True)):
        # Asked one by one: all at once, the database would look through deliveries of years.
        if time.monotonic() < until and not Delivery.objects.filter(notice=notice_id).waiting().exists():
            done["settled"] += settle(notice_id)
    if settings.DELIVERY_RETENTION_DAYS:
        before = timezone.now() - timedelta(days=settings.DELIVERY_RETENTION_DAYS)
        for notice_id in Notice.objects.to_prune(before).values_list("pk", flat=True)[:AT_ONCE]:
            done["pruned"] += mark_pruned(notice_id)
    for notice_id in list(Notice.objects.being_pruned().values_list("pk", flat=True)[:AT_ONCE]):
        done["deleted"] += delete_rows(notice_id, until)
    return done


def settle(notice_id: int) -> bool:
    """Keep the counts of a notice of which nothing is pending; False when something is, or they are kept."""
    with transaction.atomic():
        notice = _lock(notice_id)
        if notice is None or notice.settled_at or notice.expanded_at is None:
            return False
        lines = count_line_by_line(notice)
        if any(line.pending for line in lines) or not _all_accounted_for(notice, lines):
            return False
        FinalCount.objects.bulk_create(_final_count(notice, line) for line in lines)
        Notice.objects.filter(pk=notice.pk).update(settled_at=Now())
    return True


def mark_pruned(notice_id: int) -> bool:
    """Make a settled notice's counts its last word; False when staff have just reopened it."""
    with transaction.atomic():
        notice = _lock(notice_id)
        if notice is None or notice.settled_at is None or notice.pruned_at:
            return False
        Notice.objects.filter(pk=notice.pk).update(pruned_at=Now())
    return True


def delete_rows(notice_id: int, until: float) -> int:
    """Delete a pruned notice's deliveries until none is left or time (monotonic) is up; how many.

    It rests after each chunk for as long as that took, so that others get their turns at the database.
    """
    rows = Delivery.objects.filter(notice=notice_id, notice__pruned_at__isnull=False).of_subscribers()
    deleted = 0
    while time.monotonic() < until and not _somebody_waits():
        started = time.monotonic()
        chunk = _delete_chunk(notice_id)
        deleted += chunk
        if not chunk:
            if not rows.exists():
                Notice.objects.filter(pk=notice_id, pruned_at__isnull=False).update(emptied_at=Now())
            break
        time.sleep(min(time.monotonic() - started, max(0.0, until - time.monotonic())))
    return deleted


def _delete_chunk(notice_id: int) -> int:
    """Locked rows are left for the next time: waiting for them while holding others could end in a deadlock."""
    with transaction.atomic():
        rows = Delivery.objects.filter(notice=notice_id).of_subscribers()
        ids = list(rows.select_for_update(skip_locked=True).values_list("pk", flat=True)[:CHUNK])
        _, deleted = Delivery.objects.filter(pk__any_of=set(ids)).delete()
    return deleted.get("delivery.Delivery", 0)


def _lock(notice_id: int) -> Notice | None:
    """None when another transaction holds it, which will be done by the next time."""
    return Notice.objects.select_for_update(skip_locked=True, no_key=True).filter(pk=notice_id).first()


def _all_accounted_for(notice: Notice, lines: list[Line]) -> bool:
    missing = sum(line.expected - line.sent - line.suppressed - line.failed for line in lines)
    if missing:
        log.error("deliveries are missing, the counts stay open: notice=%s missing=%d", notice.code, missing)
    return not missing


def _final_count(notice: Notice, line: Line) -> FinalCount:
    names = ("channel", *KEPT, *PAIRS, "where")
    return FinalCount(notice=notice, **{name: getattr(line, name) for name in names})


def _somebody_waits() -> bool:
    if Notice.objects.filter(expanded_at=None).exists():
        return True
    return any(Delivery.objects.due(kind).exists() for kind in registry.CHANNELS)
