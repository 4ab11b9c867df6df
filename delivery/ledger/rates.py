"""Limits on messages a second: token buckets in the database, which all workers share.

A bucket holds one second's worth. What a channel may send in all is taken before rows are claimed. Whose domain
has no tokens left is given back and booked for a second of its own, so that no row is claimed again and again.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from delivery.contract import Channel, Recipient
from delivery.models import Bucket


def take(kind: str, channel: type[Channel], wanted: int) -> int:
    """How many of `wanted` messages the channel may send now."""
    rate = channel.rate()
    if not rate:
        return wanted
    with transaction.atomic():
        bucket, _ = _fill(kind, rate)
        granted = min(wanted, int(bucket.tokens))
        Bucket.objects.filter(pk=kind).update(tokens=bucket.tokens - granted, filled_at=bucket.filled_at)
    return granted


def give_back(kind: str, channel: type[Channel], unused: int) -> None:
    if unused and channel.rate():
        Bucket.objects.filter(pk=kind).update(tokens=F("tokens") + unused)


def hold_back(kind: str, channel: type[Channel], recipients: Iterable[Recipient]) -> dict[int, datetime]:
    """Those whose domain has had its share: by delivery id, when their turn is."""
    rates = channel.shared_rates()
    if not rates:
        return {}
    sharing: dict[tuple[str, int], list[int]] = defaultdict(list)
    for recipient in recipients:
        shared = channel.rate_key(recipient.address)
        if rate := rates.get(shared, rates.get("*", 0)):
            sharing[f"{kind}:{shared}", rate].append(recipient.delivery_id)
    turns: dict[int, datetime] = {}
    # In one order, so that two workers never wait for each other's.
    for (key, rate), delivery_ids in sorted(sharing.items()):
        turns |= _share_out(key, rate, delivery_ids)
    return turns


def _share_out(key: str, rate: int, delivery_ids: list[int]) -> dict[int, datetime]:
    with transaction.atomic():
        bucket, now = _fill(key, rate)
        granted = min(len(delivery_ids), int(bucket.tokens))
        late = delivery_ids[granted:]
        start = max(bucket.booked_until, now)
        turns = {pk: start + timedelta(seconds=place / rate) for place, pk in enumerate(late, 1)}
        Bucket.objects.filter(pk=key).update(
            tokens=bucket.tokens - granted, filled_at=now, booked_until=max(turns.values(), default=start)
        )
    return turns


def _fill(key: str, rate: int) -> tuple[Bucket, datetime]:
    """The bucket as it stands now, locked; and the database's time."""
    start = timezone.now()
    Bucket.objects.get_or_create(key=key, defaults={"tokens": rate, "filled_at": start, "booked_until": start})
    bucket = Bucket.objects.select_for_update().get(pk=key)
    # Asked once the lock is held: a statement that waited for it would give the time when it began to wait.
    now: datetime = Bucket.objects.filter(pk=key).values_list(Now(), flat=True).get()
    passed = max(0.0, (now - bucket.filled_at).total_seconds())
    bucket.tokens, bucket.filled_at = min(rate, bucket.tokens + rate * passed), now
    return bucket, now
