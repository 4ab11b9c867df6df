"""Pruning old notices: their deliveries are deleted, their tallies and so their receipts stay.

1. DELIVERY_RETENTION_DAYS after it was posted, a notice without waiting deliveries is marked as **pruned**, provided that
   its tallies agree with its rows. From then on staff cannot retry any of its deliveries.
2. The deliveries of its subscribers are deleted, in short transactions. Those of accounts stay: they are few, and later
   posts and the public documents need the ids of earlier posts.

Each step is one transaction that first locks the notice, so a crash leaves one of these states. Every step may be
repeated, or run twice at once.
"""

import time
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from delivery import registry
from delivery.ledger.compaction import compact, compact_all
from delivery.ledger.counting import count_channels
from delivery.ledger.reconcile import check
from delivery.models import Delivery, Notice

# Rows deleted in one transaction: few enough that their locks are held for about 10 ms.
CHUNK = 1_000
NOTICES_AT_ONCE = 100


def tidy(seconds: float) -> dict[str, int]:
    """Compact and prune what is due, for at most so many seconds; returns counts of notices and deliveries.

    Sending goes first: nothing is deleted while any delivery is due.
    """
    until = time.monotonic() + seconds
    done = {"compacted": compact_all(), "pruned": 0, "deleted": 0}
    if settings.DELIVERY_RETENTION_DAYS:
        before = timezone.now() - timedelta(days=settings.DELIVERY_RETENTION_DAYS)
        for notice_id in list(Notice.objects.to_prune(before).values_list("pk", flat=True)[:NOTICES_AT_ONCE]):
            if time.monotonic() < until:
                done["pruned"] += mark_pruned(notice_id)
    for notice_id in list(Notice.objects.being_pruned().values_list("pk", flat=True)[:NOTICES_AT_ONCE]):
        done["deleted"] += delete_rows(notice_id, until)
    return done


def mark_pruned(notice_id: int) -> bool:
    """Mark one notice as pruned. False when a delivery waits, the tallies are wrong, or another worker has locked it."""
    with transaction.atomic():
        notice = _lock(notice_id)
        if notice is None or notice.expanded_at is None or notice.pruned_at:
            return False
        if any(line.pending for line in count_channels([notice])[notice.pk]) or not check(notice.pk):
            return False
        compact(notice.pk)
        Notice.objects.filter(pk=notice.pk).update(pruned_at=Now())
    return True


def delete_rows(notice_id: int, until: float) -> int:
    """Delete a pruned notice's deliveries until none is left, or until `until` (monotonic); returns how many.

    After each chunk it sleeps for as long as the chunk took, so that it uses at most half of the database's time.
    """
    rows = Delivery.objects.filter(notice=notice_id, notice__pruned_at__isnull=False).of_subscribers()
    deleted = 0
    while time.monotonic() < until and not _anything_is_due():
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
    """Delete up to CHUNK rows. Skips locked rows, since waiting for them while holding others could deadlock."""
    with transaction.atomic():
        rows = Delivery.objects.filter(notice=notice_id).of_subscribers()
        ids = list(rows.select_for_update(skip_locked=True).values_list("pk", flat=True)[:CHUNK])
        _, deleted = Delivery.objects.filter(pk__any_of=set(ids)).delete()
    return deleted.get("delivery.Delivery", 0)


def _lock(notice_id: int) -> Notice | None:
    """None when another transaction has locked the notice; the next run takes it."""
    return Notice.objects.select_for_update(skip_locked=True, no_key=True).filter(pk=notice_id).first()


def _anything_is_due() -> bool:
    if Notice.objects.filter(expanded_at=None).exists():
        return True
    return any(Delivery.objects.due(kind).exists() for kind in registry.CHANNELS)
