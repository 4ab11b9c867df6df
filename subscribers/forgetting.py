"""Deleting people's data: at their own request, and when it is no longer needed."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.dispatch import Signal

from pages.models import record_audit
from subscribers.models import Confirmation, Subscriber, SubscriberQuerySet

# Sent inside the transaction that deletes, with `page`, `channel` and `address`. Apps above this one, which it cannot
# import, erase the address from their rows.
address_forgotten = Signal()

PENDING_FOR = timedelta(days=7)
LEFT_FOR = timedelta(days=30)


def forget(subscriber: Subscriber, *, actor: str = "subscriber") -> None:
    """Delete everything stored about this address on its page. A suppression stays, because it is only a hash.

    The audit log records the deletion and the subscriber's code, but not the address.
    """
    with transaction.atomic():
        record_audit(subscriber.page, actor, "subscriber.forget", subscriber.code)
        _delete(subscriber.same_address())
        _tell(subscriber)


def prune(now: datetime) -> dict[str, int]:
    """Delete unconfirmed requests after PENDING_FOR, unsubscribed people after LEFT_FOR, and old entries of the log
    behind the limits.

    Returns how many of each: {"pending": 3, "left": 1, "confirmations": 12}. Nothing needs the addresses longer:
    unsubscribing can be undone for an hour, and the unsubscribe link in an old mail works without a row.
    """
    asked_lately = Confirmation.objects.filter(subscriber_id=OuterRef("pk"), requested_at__gte=now - PENDING_FOR)
    pending = Q(state=Subscriber.State.PENDING, created_at__lt=now - PENDING_FOR) & ~Exists(asked_lately)
    left = Q(state=Subscriber.State.UNSUBSCRIBED, unsubscribed_at__lt=now - LEFT_FOR)
    log = Confirmation.objects.filter(requested_at__lt=now - PENDING_FOR)
    return {
        "pending": _delete(Subscriber.objects.filter(pending)),
        "left": sum(_delete_left(subscriber) for subscriber in Subscriber.objects.filter(left).select_related("page")),
        "confirmations": log.delete()[0],
    }


def _delete_left(subscriber: Subscriber) -> int:
    """Delete an unsubscribed subscriber; 0 if it has subscribed again meanwhile."""
    with transaction.atomic():
        gone = _delete(Subscriber.objects.filter(pk=subscriber.pk, state=Subscriber.State.UNSUBSCRIBED))
        if gone:
            _tell(subscriber)
    return gone


def _tell(subscriber: Subscriber) -> None:
    address_forgotten.send(
        sender=Subscriber, page=subscriber.page, channel=subscriber.channel, address=subscriber.address
    )


def _delete(subscribers: SubscriberQuerySet) -> int:
    return subscribers.delete()[1].get("subscribers.Subscriber", 0)
