"""What comes back, read from a real IMAP bounce_mailbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pytest_django import Settings

from core.imap import MailboxUrl
from delivery.ledger import outbox
from delivery.mail import message_ids
from delivery.mail.bounces.reading import read_mailbox
from delivery.models import Delivery, Notice
from subscribers.models import Suppression
from tests.canary.imap_server import ImapServer

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers

POSTFIX = """From: MAILER-DAEMON@relay.example
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type={type}; boundary="b"

--b
Content-Type: text/plain

I'm sorry to have to inform you.

--b
Content-Type: {part}

{fields}

--b
Content-Type: text/rfc822-headers

To: <person0001@example.com>
Message-ID: {id}

--b--
"""
STATUS = """Reporting-MTA: dns; relay.example

Final-Recipient: rfc822; {to}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {said}"""


@pytest.fixture
def delivery(notice: Notice, add_subscribers: AddSubscribers) -> Delivery:
    add_subscribers(1)
    outbox.expand(notice.pk)
    return notice.deliveries.get()


def signed(delivery: Delivery) -> str:
    return message_ids.of_delivery(delivery.notice.code, delivery.pk, "acme.example")


def bounce(
    about: str, status: str = "5.1.1", said: str = "550 no", action: str = "failed", to: str = "person0001@example.com"
) -> bytes:
    fields = STATUS.format(to=to, action=action, status=status, said=said)
    return POSTFIX.format(type="delivery-status", part="message/delivery-status", fields=fields, id=about).encode()


def complaint(about: str, kind: str = "abuse") -> bytes:
    fields = f"Feedback-Type: {kind}\nUser-Agent: x/1\nVersion: 1"
    return POSTFIX.format(type="feedback-report", part="message/feedback-report", fields=fields, id=about).encode()


def reasons() -> list[str]:
    return list(Suppression.objects.values_list("reason", flat=True))


@pytest.mark.parametrize(
    ("status", "said", "found"),
    [
        ("5.1.1", "550 5.1.1 unknown", ["hard_bounce"]),
        ("5.0.0", "550 No such user here", ["hard_bounce"]),
        ("5.0.0", "550-5.7.1 our system has detected spam; user unknown", []),
        ("5.2.2", "552 5.2.2 mailbox full", []),
        ("4.4.7", "expired", []),
    ],
)
def test_an_address_that_is_gone_is_suppressed(
    bounce_mailbox: ImapServer, delivery: Delivery, status: str, said: str, found: list[str]
):
    bounce_mailbox.put(bounce(signed(delivery), status, said))
    bounce_mailbox.put(bounce(signed(delivery), status, said))

    read_mailbox(20)

    assert reasons() == found
    assert bounce_mailbox.subjects() == []


def test_a_delay_or_a_report_about_a_list_member_changes_nothing(bounce_mailbox: ImapServer, delivery: Delivery):
    bounce_mailbox.put(bounce(signed(delivery), action="delayed"))
    bounce_mailbox.put(bounce(signed(delivery), to="member@list.example"))

    assert read_mailbox(20) == {"noted": 2}
    assert reasons() == []


def test_a_complaint_suppresses_and_its_opposite_does_not(bounce_mailbox: ImapServer, delivery: Delivery):
    bounce_mailbox.put(complaint(signed(delivery), "not-spam"))
    assert read_mailbox(20) == {"noted": 1}

    bounce_mailbox.put(complaint(signed(delivery)))
    assert read_mailbox(20) == {"complaint": 1}
    assert reasons() == ["complaint"]


def test_a_forged_report_and_other_mail_stay_and_come_once(bounce_mailbox: ImapServer, delivery: Delivery):
    forged = signed(delivery).replace("-", "-", 1)[:-30] + "0" * 16 + "@acme.example>"
    bounce_mailbox.put(bounce(forged))
    bounce_mailbox.put(bounce(f"<d-{delivery.notice.code}-{delivery.pk}@acme.example>"))
    bounce_mailbox.put(b"Subject: hello\r\nAuto-Submitted: auto-replied\r\n\r\nI am away.\r\n")
    bounce_mailbox.put(b"Content-Type: multipart/report; boundary=\r\n\r\n--\r\n\xff----")

    assert read_mailbox(20) == {"left": 4}
    assert read_mailbox(20) == {}
    assert reasons() == []


@pytest.mark.django_db
def test_an_unreachable_mailbox_is_logged(settings: Settings, caplog: pytest.LogCaptureFixture):
    settings.BOUNCE_MAILBOX = MailboxUrl.parse("imap://jane:hunter2@127.0.0.1:1/INBOX")

    assert read_mailbox(20) == {}
    assert "could not connect" in caplog.text
    assert "hunter2" not in caplog.text
