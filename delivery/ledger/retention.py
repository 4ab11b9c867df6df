"""Old notices keep their tallies, so their receipts, and nothing else.

1. DELIVERY_RETENTION_DAYS after it was posted, a notice of which nothing waits is marked as **pruned**: from then on
   nobody puts any of its deliveries back. Only a notice whose tallies agree with its rows is.
2. Its subscribers' deliveries are deleted, in short transactions. Those of accounts stay: they are few, and asked for.

Each step is one transaction that first locks the notice, so a crash anywhere leaves one of these states. Receipts never
look at the rows. Every step may be repeated, or run twice at once.
"""

import time
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from delivery import registry
from delivery.ledger.compaction import compact, compact_all
from delivery.ledger.counting import brief_lines
from delivery.ledger.reconcile import check
from delivery.models import Delivery, Notice

# Few enough to hold locks for some ten milliseconds.
CHUNK = 1_000
AT_ONCE = 100


def tidy(seconds: float) -> dict[str, int]:
    """Compact and prune what is due, for so many seconds at most; how many notices and deliveries.

    Telling goes first: nothing is deleted while somebody who can be reached waits.
    """
    until = time.monotonic() + seconds
    done = {"compacted": compact_all(), "pruned": 0, "deleted": 0}
    if settings.DELIVERY_RETENTION_DAYS:
        before = timezone.now() - timedelta(days=settings.DELIVERY_RETENTION_DAYS)
        for notice_id in list(Notice.objects.to_prune(before).values_list("pk", flat=True)[:AT_ONCE]):
            if time.monotonic() < until:
                done["pruned"] += mark_pruned(notice_id)
    for notice_id in list(Notice.objects.being_pruned().values_list("pk", flat=True)[:AT_ONCE]):
        done["deleted"] += delete_rows(notice_id, until)
    return done


def mark_pruned(notice_id: int) -> bool:
    """Make a notice's tallies its last word; False when somebody still waits, or the tallies are wrong."""
    with transaction.atomic():
        notice = _lock(notice_id)
        if notice is None or notice.expanded_at is None or notice.pruned_at:
            return False
        if any(line.pending for line in brief_lines([notice])[notice.pk]) or not check(notice.pk):
            return False
        compact(notice.pk)
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


def _somebody_waits() -> bool:
    if Notice.objects.filter(expanded_at=None).exists():
        return True
    return any(Delivery.objects.due(kind).exists() for kind in registry.CHANNELS)
