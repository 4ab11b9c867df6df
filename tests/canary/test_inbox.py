"""The canary's mailbox is read by IMAP, from a real server."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from canary import heartbeats
from canary.inbox import Inbox
from canary.models import Probe
from canary.watching import Watch
from tests.canary.imap_server import ImapServer

if TYPE_CHECKING:
    from pages.models import Page
    from tests.canary.conftest import Wires

pytestmark = pytest.mark.django_db


def arrived() -> int:
    return Probe.objects.filter(destination="email").exclude(arrived_at=None).count()


def test_heartbeats_in_the_mailbox_are_noted_and_deleted_and_other_mail_is_left(
    mailbox: ImapServer, page: Page, wires: Wires, deliver: Callable[[], None]
):
    heartbeats.beat()
    deliver()
    mailbox.put(b"Subject: You have won\r\n\r\nheartbeat-aaaaaaaaaaaa\r\n")
    for _, mail in wires.relay.received[:3]:
        mailbox.put(mail)
    inbox = Inbox(mailbox.url())

    assert inbox.run_round() == 3
    assert arrived() == 3
    assert mailbox.subjects() == ["Subject: You have won"]
    assert inbox.run_round() == 0
    assert inbox.finding() is None
    assert inbox.is_healthy


def test_a_bounce_that_repeats_the_subject_is_no_arrival(mailbox: ImapServer, page: Page, wires: Wires):
    heartbeats.beat()
    code = Probe.objects.filter(destination="email").values_list("code", flat=True)[0]
    kind = b"Content-Type: multipart/report; report-type=delivery-status; boundary=b"
    mailbox.put(b"Subject: Undeliverable: heartbeat-%s\r\n%s\r\n\r\n--b--\r\n" % (code.encode(), kind))

    assert Inbox(mailbox.url()).run_round() == 0
    assert arrived() == 0
    assert mailbox.subjects() == []


def test_a_mailbox_that_cannot_be_read_is_found_and_forgiven(
    mailbox: ImapServer, page: Page, caplog: pytest.LogCaptureFixture
):
    inbox = Inbox(mailbox.url(password="wrong-password"))

    inbox.run_round()
    inbox.run_round()
    assert inbox.finding() is None, "it may be away for a moment"
    assert not inbox.is_healthy
    inbox.run_round()
    finding = inbox.finding()
    assert finding
    assert "sign-in is refused" in finding.text
    assert "wrong-password" not in finding.text + caplog.text

    inbox.url = Inbox(mailbox.url()).url
    inbox.run_round()
    assert inbox.finding() is None


def test_a_server_that_is_gone_is_found(page: Page):
    inbox = Inbox("imaps://canary:secret@127.0.0.1:1/INBOX")
    for _ in range(3):
        inbox.run_round()

    finding = inbox.finding()
    assert finding
    assert "Connection refused" in finding.text


@pytest.mark.parametrize("url", ["imaps://host/INBOX", "pop3://a:b@host", "imaps://a@host", "nonsense"])
def test_what_is_no_mailbox_is_refused_without_its_words(url: str):
    with pytest.raises(ValueError) as caught:
        Inbox(url)
    assert url not in str(caught.value)


def test_the_watch_reads_it(mailbox: ImapServer, page: Page, wires: Wires, settings):
    settings.CANARY_IMAP_URL = mailbox.url()
    assert any(isinstance(each, Inbox) for each in Watch().readers)
