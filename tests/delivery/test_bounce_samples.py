"""What real mail systems send back, through a real IMAP bounce_mailbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from delivery.ledger import outbox
from delivery.mail import message_ids
from delivery.mail.bounces.models import BounceEvent
from delivery.mail.bounces.reading import read_mailbox
from delivery.models import Delivery, Notice
from subscribers.models import Subscriber, Suppression
from tests.canary.imap_server import ImapServer
from tests.delivery import bounce_samples as samples

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers


@pytest.fixture
def about(notice: Notice, add_subscribers: AddSubscribers) -> str:
    """The Message-ID of the mail that went to the one subscriber."""
    add_subscribers(1)
    outbox.expand(notice.pk)
    return message_ids.of_delivery(notice.code, notice.deliveries.get().pk, "acme.example")


def is_suppressed() -> bool:
    return Suppression.objects.covers("email", samples.ADDRESS)


@pytest.mark.parametrize("sample", [samples.postfix, samples.exim, samples.exchange, samples.gmail])
def test_an_address_that_is_gone_is_understood(bounce_mailbox: ImapServer, about: str, sample: Callable[[str], bytes]):
    bounce_mailbox.put(sample(about))

    assert read_mailbox(20) == {"hard": 1}
    assert is_suppressed()
    assert Delivery.objects.get().bounced_at
    assert samples.ADDRESS not in BounceEvent.objects.get().reason


def test_a_full_mailbox_is_counted_once_and_a_delay_is_not(bounce_mailbox: ImapServer, about: str):
    for status, action in (("4.2.2", "failed"), ("5.2.2", "failed"), ("4.4.1", "delayed"), ("5.7.1", "failed")):
        bounce_mailbox.put(samples.postfix(about, status, action))

    assert read_mailbox(20) == {"soft": 1, "noted": 3}
    assert not is_suppressed()
    assert BounceEvent.objects.get().outcome == "noted"


def test_a_complaint_without_the_address_suppresses_it(bounce_mailbox: ImapServer, about: str):
    bounce_mailbox.put(samples.arf(about))

    assert read_mailbox(20) == {"complaint": 1}
    assert is_suppressed()


def test_an_opt_out_is_a_leaving(bounce_mailbox: ImapServer, about: str):
    bounce_mailbox.put(samples.arf(about, "opt-out"))

    assert read_mailbox(20) == {"unsubscribe": 1}
    assert Subscriber.objects.get().state == Subscriber.State.UNSUBSCRIBED
    assert not is_suppressed()


def test_an_out_of_office_answer_is_left(bounce_mailbox: ImapServer, about: str):
    bounce_mailbox.put(samples.vacation(about))

    assert read_mailbox(20) == {"left": 1}
    assert not BounceEvent.objects.exists()


@pytest.mark.parametrize("sample", [samples.postfix, samples.exim, samples.exchange, samples.gmail, samples.arf])
def test_a_report_cut_off_or_garbled_anywhere_harms_nothing(about: str, sample: Callable[[str], bytes]):
    from core.imap import Mail
    from delivery.mail.bounces.reading import _handle

    forged = sample("<d-notice000001-1-0123456789abcdef@acme.example>")
    for cut in range(0, len(forged), 97):
        _handle(Mail(1, forged[:cut]))
        _handle(Mail(1, forged[:cut] + b"\xff\x00" + forged[cut:]))

    assert not BounceEvent.objects.exists()
    assert not is_suppressed()
