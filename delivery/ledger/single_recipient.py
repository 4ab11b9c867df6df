"""Notices with one recipient: a letter to a person who waits for it, or a test message on one account.

Each is one row of the ledger like any other message. The text of a letter is written when it is sent.
"""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from core.text import new_code
from core.wake import wake_on_commit
from delivery.models import Account, Delivery, Notice, Tally
from pages.models import Page
from subscribers.models import Subscriber

# As long as the sign-up log that limits the subscribe form. A bounce that arrives within this time finds its delivery.
KEPT_FOR = timedelta(days=7)
PRUNED_AT_ONCE = 1_000


def queue_letter(sender: Any, subscriber: Subscriber, code: str, **kwargs: Any) -> None:
    """Receiver of `subscribers.subscribing.letter_wanted`: store the letter in the caller's transaction.

    `code` becomes the notice's code. The suppression list is read when the row is claimed, not here, so that response
    times do not reveal which addresses are on it.
    """
    notice = _create_notice(
        subscriber.page,
        subscriber.channel,
        audience=Notice.Audience.PERSON,
        code=code,
        title="Mail that the subscribe form asked for",
        status_label="Letter",
    )
    _list(notice, subscriber.channel, address=subscriber.address, subscriber=subscriber, rank=Delivery.Rank.LETTER)


@transaction.atomic
def queue_staff_letter(page: Page, kind: str, address: str) -> Notice:
    """Queue a letter of this kind (delivery/mail/letters.py) to an address that is not a subscriber's."""
    notice = _create_notice(
        page,
        "email",
        audience=Notice.Audience.PERSON,
        code=new_code(),
        title="Mail to a colleague",
        status_label="Letter",
        letter=kind,
    )
    _list(notice, "email", address=address, rank=Delivery.Rank.LETTER)
    return notice


@transaction.atomic
def send_test_message(account: Account) -> Notice:
    """Queue a message on this account that says that it is a test."""
    words = "This is a test of this account. Nothing is wrong."
    notice = _create_notice(
        account.page,
        account.channel,
        audience=Notice.Audience.ACCOUNT,
        code=new_code(),
        title="Test message",
        status_label="Test",
        body=words,
        body_html=f"<p>{words}</p>",
    )
    _list(notice, account.channel, address=account.address, account=account, rank=Delivery.Rank.ACCOUNT)
    return notice


def _create_notice(page: Page, channel: str, *, code: str, **fields: str) -> Notice:
    """Create a notice that needs no fan-out, because the caller inserts its only delivery in the same transaction."""
    notice = Notice.objects.create(
        page=page,
        code=code,
        thread=code,
        stage=Notice.Stage.MIDDLE,
        severity="none",
        link=page.absolute_url("/"),
        expanded_at=timezone.now(),
        **fields,
    )
    wake_on_commit("delivery.tasks.send", channel)
    return notice


def _list(notice: Notice, channel: str, **fields: Any) -> None:
    """Insert the only delivery of such a notice, and its tally."""
    notice.deliveries.create(channel=channel, **fields)
    notice.tallies.create(channel=channel, outcome=Tally.Outcome.EXPECTED, count=1, created_at=Now())


def prune() -> int:
    """Delete up to PRUNED_AT_ONCE finished notices of this kind that are older than KEPT_FOR; returns how many rows."""
    for_one = Notice.objects.filter(audience__in=(Notice.Audience.ACCOUNT, Notice.Audience.PERSON))
    old = for_one.filter(created_at__lt=timezone.now() - KEPT_FOR)
    finished = old.exclude(deliveries__state__in=Delivery.WAITING).order_by("created_at").values_list("pk", flat=True)
    return Notice.objects.filter(pk__in=list(finished[:PRUNED_AT_ONCE])).delete()[0]
