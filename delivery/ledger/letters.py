"""Letters: notices for one person, who waits for them, such as the mail that confirms a subscription.

A letter is one row of the ledger like any other message; how the channel words it is decided when it is sent.
"""

from datetime import timedelta
from typing import Any

from django.utils import timezone

from core.wake import ring_on_commit
from delivery.models import Delivery, Notice
from subscribers.models import Subscriber

# As long as the log behind the limits of the subscribe form. What comes back by then still finds its delivery.
KEPT_FOR = timedelta(days=7)
PRUNED_AT_ONCE = 1_000


def queue_letter(sender: Any, subscriber: Subscriber, code: str, **kwargs: Any) -> None:
    """Receiver of `subscribers.subscribing.letter_wanted`: stores the letter in the caller's transaction.

    `code` becomes the notice's. Whether the address is suppressed is asked when the row is claimed, so a request for
    such an address costs the same as any other.
    """
    notice = Notice.objects.create(
        page=subscriber.page,
        audience=Notice.Audience.PERSON,
        code=code,
        thread=code,
        stage=Notice.Stage.MIDDLE,
        title="Mail that the subscribe form asked for",
        status_label="Letter",
        severity="none",
        link=subscriber.page.absolute_url("/"),
        expected={subscriber.channel: 1},
        expanded_at=timezone.now(),
    )
    notice.deliveries.create(
        channel=subscriber.channel, address=subscriber.address, subscriber=subscriber, rank=Delivery.Rank.LETTER
    )
    ring_on_commit("delivery.tasks.send", subscriber.channel)


def prune() -> int:
    """Delete some of the letters that are older than a week and wait for nothing; how many rows."""
    old = Notice.objects.filter(audience=Notice.Audience.PERSON, created_at__lt=timezone.now() - KEPT_FOR)
    finished = old.exclude(deliveries__state__in=Delivery.WAITING).order_by("created_at").values_list("pk", flat=True)
    return Notice.objects.filter(pk__in=list(finished[:PRUNED_AT_ONCE])).delete()[0]
