"""Limits on messages a second: token buckets in the database, which all workers share.

A bucket holds the tokens of one second. The channel's own tokens are taken before rows are claimed. The tokens of a
mail domain are taken afterwards: a claimed row that gets none is released until a time that is booked for it, so that
it is not claimed again and again.
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
    """Take up to `wanted` tokens of the channel; returns how many it got."""
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


def take_shared(kind: str, channel: type[Channel], recipients: Iterable[Recipient]) -> dict[int, datetime]:
    """Take a token for each recipient from the bucket of its `rate_key`, such as its mail domain.

    Returns the recipients that got none: by delivery id, the time booked for each.
    """
    rates = channel.shared_rates()
    if not rates:
        return {}
    sharing: dict[tuple[str, int], list[int]] = defaultdict(list)
    for recipient in recipients:
        shared = channel.rate_key(recipient.address)
        if rate := rates.get(shared, rates.get("*", 0)):
            sharing[f"{kind}:{shared}", rate].append(recipient.delivery_id)
    booked: dict[int, datetime] = {}
    # Every worker locks buckets in the same order, so that no two wait for each other.
    for (key, rate), delivery_ids in sorted(sharing.items()):
        booked |= _take_from_shared(key, rate, delivery_ids)
    return booked


def _take_from_shared(key: str, rate: int, delivery_ids: list[int]) -> dict[int, datetime]:
    with transaction.atomic():
        bucket, now = _fill(key, rate)
        granted = min(len(delivery_ids), int(bucket.tokens))
        late = delivery_ids[granted:]
        start = max(bucket.booked_until, now)
        booked = {pk: start + timedelta(seconds=place / rate) for place, pk in enumerate(late, 1)}
        Bucket.objects.filter(pk=key).update(
            tokens=bucket.tokens - granted, filled_at=now, booked_until=max(booked.values(), default=start)
        )
    return booked


def _fill(key: str, rate: int) -> tuple[Bucket, datetime]:
    """Lock a bucket and add the tokens of the time that has passed; returns it and the database's time."""
    start = timezone.now()
    Bucket.objects.get_or_create(key=key, defaults={"tokens": rate, "filled_at": start, "booked_until": start})
    bucket = Bucket.objects.select_for_update().get(pk=key)
    # Read the time after the lock is held: a statement that waits for the lock returns the time when it began to wait.
    now: datetime = Bucket.objects.filter(pk=key).values_list(Now(), flat=True).get()
    passed = max(0.0, (now - bucket.filled_at).total_seconds())
    bucket.tokens, bucket.filled_at = min(rate, bucket.tokens + rate * passed), now
    return bucket, now
