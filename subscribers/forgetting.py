"""Letting go of people: at their own wish, and when nothing needs their address any more."""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.dispatch import Signal

from pages.models import record_audit
from subscribers.models import Confirmation, Subscriber, SubscriberQuerySet

# Sent inside the transaction that deletes, with `page`, `channel` and `address`: whoever else stored the
# address takes it out of its own rows. This app cannot name them; imports run the other way.
address_forgotten = Signal()

PENDING_FOR = timedelta(days=7)
LEFT_FOR = timedelta(days=30)


def forget(subscriber: Subscriber, *, actor: str = "subscriber") -> None:
    """Delete all that is known of this address on its page. A suppression stays: it is a hash only.

    The audit log keeps that it happened, and for which code, but not the address.
    """
    with transaction.atomic():
        record_audit(subscriber.page, actor, "subscriber.forget", subscriber.code)
        _delete(subscriber.same_address())
        _tell(subscriber)


def prune(now: datetime) -> dict[str, int]:
    """Delete requests nobody confirmed for a week, people who left a month ago, and the mail log behind the limits.

    Returns how many of each: {"pending": 3, "left": 1, "confirmations": 12}. Those who left can undo for an
    hour, and a link in an old mail works without a row, so nothing needs the address longer.
    """
    asked_lately = Confirmation.objects.filter(subscriber_id=OuterRef("pk"), requested_at__gte=now - PENDING_FOR)
    pending = Q(state=Subscriber.State.PENDING, created_at__lt=now - PENDING_FOR) & ~Exists(asked_lately)
    left = Q(state=Subscriber.State.UNSUBSCRIBED, unsubscribed_at__lt=now - LEFT_FOR)
    log = Confirmation.objects.filter(requested_at__lt=now - PENDING_FOR)
    return {
        "pending": _delete(Subscriber.objects.filter(pending)),
        "left": sum(_let_go(subscriber) for subscriber in Subscriber.objects.filter(left).select_related("page")),
        "confirmations": log.delete()[0],
    }


def _let_go(subscriber: Subscriber) -> int:
    """Delete one who left; 0 when they came back at this moment."""
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
