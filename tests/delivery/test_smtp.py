from __future__ import annotations

import smtplib
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from celery.exceptions import SoftTimeLimitExceeded
from pytest_django import Settings

from delivery.ledger import outbox, sender
from delivery.mail.smtp.outgoing_mail import OutgoingMail, stuff
from delivery.mail.smtp.relay import Relay
from delivery.models import Delivery, Notice, Pause
from subscribers.models import Suppression
from tests.delivery.ledger import assert_ledger_balances, retally
from tests.delivery.smtp_servers import (
    HANG_UP,
    KEEP_THEN_HANG_UP,
    SILENT,
    BadServer,
    Mailbox,
    bad_server,
    free_port,
    real_server,
    self_signed_context,
)

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers

SECONDS = 20.0
PAST = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def servers() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def four(notice: Notice, add_subscribers: AddSubscribers) -> Notice:
    """A notice with four waiting deliveries by mail."""
    add_subscribers(4)
    outbox.expand(notice.pk)
    return notice


def use(settings: Settings, server: Mailbox, **more: Any) -> None:
    """As EMAIL_URL would have it."""
    settings.MAIL_DIR = None
    settings.EMAIL_HOST, settings.EMAIL_PORT = server.host, server.port
    settings.EMAIL_TIMEOUT = 0.5
    for name, value in more.items():
        setattr(settings, name, value)


def send(notice: Notice) -> dict[str, tuple[str, int]]:
    """Drain once; state and attempts by the number of the person."""
    sender.drain("email", SECONDS)
    assert_ledger_balances(notice)
    rows = notice.deliveries.order_by("address")
    return {row.address[6:10]: (row.state, row.attempts) for row in rows}


def drain_later(notice: Notice) -> dict[str, tuple[str, int]]:
    """When the waits are over."""
    notice.deliveries.update(next_attempt_at=PAST)
    Pause.objects.update(probe_at=PAST)
    return send(notice)


def test_a_refused_recipient_costs_itself_only(four: Notice, settings: Settings, servers: ExitStack):
    refused = {"person0002@example.com": "550 5.1.1 <person0002@example.com>: no such user"}
    mailbox = servers.enter_context(real_server(refused))
    use(settings, mailbox)

    states = send(four)

    assert states == {"0001": ("sent", 1), "0002": ("dead", 1), "0003": ("sent", 1), "0004": ("sent", 1)}
    assert mailbox.recipients == [f"person000{n}@example.com" for n in (1, 3, 4)]
    assert four.deliveries.get(state="dead").error == "550 5.1.1 <the recipient>: no such user"
    assert Suppression.objects.covers("email", "person0002@example.com")
    assert Suppression.objects.count() == 1


@pytest.mark.parametrize(
    ("answer", "state", "suppressed"),
    [
        ("550 5.1.1 unknown", "dead", True),
        ("550 5.1.10 null MX", "dead", True),
        ("550 5.7.1 blocked", "dead", False),
        ("550 unknown", "dead", False),
        ("552 5.2.2 mailbox full", "dead", False),
        ("450 4.2.0 greylisted", "pending", False),
        ("451 try later", "pending", False),
        ("452 4.5.3 too many", "pending", False),
    ],
)
@pytest.mark.parametrize("step", ["RCPT", "dot"])
def test_an_answer_about_one_recipient_decides_about_that_one(
    step: str, answer: str, state: str, suppressed: bool, four: Notice, settings: Settings, servers: ExitStack
):
    server = servers.enter_context(bad_server({step: [answer]}))
    use(settings, server)

    states = send(four)

    assert states.pop("0001") == (state, 1)
    assert set(states.values()) == {("sent", 1)}
    assert Suppression.objects.exists() is suppressed
    assert server.connections == 1


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "dot"])
def test_a_421_does_not_lose_a_message(step: str, four: Notice, settings: Settings, servers: ExitStack):
    server = servers.enter_context(bad_server({step: ["421 too many messages on this connection"]}))
    use(settings, server)

    assert set(send(four).values()) == {("sent", 1)}
    assert server.connections == 2
    assert len(server.received) == 4


@pytest.mark.parametrize("step", ["MAIL", "RCPT", "DATA", "RSET"])
def test_a_connection_lost_before_the_message_is_replaced(
    step: str, four: Notice, settings: Settings, servers: ExitStack
):
    server = servers.enter_context(bad_server({step: [HANG_UP], "RCPT": [HANG_UP if step == "RCPT" else "450 later"]}))
    use(settings, server)

    send(four)
    assert {state for state, _ in drain_later(four).values()} == {"sent"}
    assert sorted(server.recipients) == [f"person000{n}@example.com" for n in (1, 2, 3, 4)]


def test_a_server_that_always_answers_421_pauses_the_channel_and_counts_no_attempt(
    four: Notice, settings: Settings, servers: ExitStack
):
    server = servers.enter_context(bad_server({"MAIL": ["421 closing"]}, forever=True))
    use(settings, server)

    assert set(send(four).values()) == {("pending", 0)}
    assert Pause.objects.get().reason == "the SMTP server ends the connection: 421 closing"
    assert server.connections == 2

    server.script = {}
    assert set(drain_later(four).values()) == {("sent", 1)}
    assert not Pause.objects.exists()


def test_a_message_whose_answer_is_lost_is_sent_again_with_the_same_id(
    four: Notice, settings: Settings, servers: ExitStack
):
    server = servers.enter_context(bad_server({"dot": ["250 taken", KEEP_THEN_HANG_UP]}))
    use(settings, server)

    states = send(four)

    assert states["0002"] == ("pending", 1)
    assert set(states.values()) == {("pending", 1), ("sent", 1)}
    row = four.deliveries.get(state="pending")
    assert row.ambiguous
    assert row.error == "the connection was lost before the SMTP server answered"

    assert drain_later(four)["0002"] == ("sent", 2)
    copies = [message["Message-ID"] for message in server.messages if "person0002" in message["To"]]
    assert len(copies) == 2
    assert len(set(copies)) == 1
    assert four.deliveries.get(pk=row.pk).ambiguous, "the receipt tells that somebody may have got it twice"


def test_a_server_that_never_answers_the_message_is_ambiguous_after_the_time_out(
    four: Notice, settings: Settings, servers: ExitStack
):
    server = servers.enter_context(bad_server({"dot": [SILENT]}))
    use(settings, server)
    started = time.monotonic()

    states = send(four)

    assert time.monotonic() - started < 5
    assert states["0001"] == ("pending", 1)
    assert [states[each] for each in ("0002", "0003", "0004")] == [("sent", 1)] * 3
    assert four.deliveries.get(state="pending").ambiguous


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ({"greeting": [SILENT]}, "the SMTP server does not answer: "),
        ({"greeting": [HANG_UP]}, "the SMTP server does not answer: SMTPServerDisconnected"),
        ({"greeting": ["554 go away"]}, "the SMTP server is not ready: 554 go away"),
        ({"greeting": ["421 busy"]}, "the SMTP server is not ready: 421 busy"),
        ({"AUTH": ["535 5.7.8 bad credentials"]}, "the SMTP server refuses our sign-in (535)"),
        ({"AUTH": ["454 4.7.0 try later"]}, "the SMTP server refuses our sign-in (454)"),
        ({"EHLO": ["250 no AUTH here"]}, "the SMTP server does not offer what EMAIL_URL asks for: "),
        ({"MAIL": ["530 5.7.0 must issue STARTTLS first"]}, "the SMTP server refuses our sender: 530 5.7.0 must"),
        ({"MAIL": ["452 no space"]}, "the SMTP server refuses our sender: 452 no space"),
    ],
    ids=str,
)
def test_an_unreachable_server_pauses_the_channel_and_counts_no_attempt(
    script: dict[str, list[str]], reason: str, four: Notice, settings: Settings, servers: ExitStack
):
    server: BadServer = servers.enter_context(bad_server(script, forever=True))
    use(settings, server, EMAIL_HOST_USER="acme", EMAIL_HOST_PASSWORD="hunter2-hunter2")

    assert set(send(four).values()) == {("pending", 0)}

    pause = Pause.objects.get()
    assert pause.key == "email"
    assert pause.reason.startswith(reason)
    assert "hunter2" not in pause.reason
    assert server.connections == 1
    assert server.received == []
    server.script = {}
    assert set(drain_later(four).values()) == {("sent", 1)}


def test_a_server_that_is_not_there_pauses_the_channel(four: Notice, settings: Settings):
    use(settings, Mailbox(port=free_port()))

    assert set(send(four).values()) == {("pending", 0)}
    assert Pause.objects.get().reason == "the SMTP server does not answer: Connection refused"


def test_without_the_encryption_asked_for_nothing_is_sent(four: Notice, settings: Settings, servers: ExitStack):
    server = servers.enter_context(real_server())
    use(settings, server, EMAIL_USE_TLS=True)

    assert set(send(four).values()) == {("pending", 0)}
    assert "STARTTLS" in Pause.objects.get().reason
    assert server.received == []


def test_a_certificate_that_is_not_trusted_is_refused(
    four: Notice, settings: Settings, servers: ExitStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    server = servers.enter_context(real_server(tls_context=self_signed_context(tmp_path)))
    use(settings, server, EMAIL_USE_TLS=True, EMAIL_TIMEOUT=5)

    assert set(send(four).values()) == {("pending", 0)}
    assert Pause.objects.get().reason.startswith("the SMTP server's certificate is not trusted: self")
    assert server.received == []

    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
    assert set(drain_later(four).values()) == {("sent", 1)}


def test_what_a_server_receives_is_what_was_written(settings: Settings, servers: ExitStack):
    mailbox = servers.enter_context(real_server())
    use(settings, mailbox)
    mail = b"Subject: dots\r\n\r\n.\r\n..two\r\nplain\r\n.\r\n"
    relay = Relay()

    [(_, error)] = relay.send_all([OutgoingMail(1, "status@acme.example", "jane@example.com", stuff(mail))])
    assert error is None
    relay.close()

    assert mailbox.received == [("jane@example.com", mail)]


def test_a_conversation_that_was_cut_short_is_never_continued(
    four: Notice, settings: Settings, servers: ExitStack, monkeypatch: pytest.MonkeyPatch
):
    """A task's time limit may strike between a message and its answer."""
    server = servers.enter_context(bad_server({}))
    use(settings, server)
    real, strikes = smtplib.SMTP.send, [SoftTimeLimitExceeded()]

    def send_and_be_struck(self: smtplib.SMTP, data: object) -> None:
        real(self, data)  # type: ignore[arg-type]
        if isinstance(data, bytes) and data.endswith(b"\r\n.\r\n") and strikes:
            raise strikes.pop()

    monkeypatch.setattr(smtplib.SMTP, "send", send_and_be_struck)
    send(four)

    row = four.deliveries.get(attempts=1, state="pending")
    assert (row.ambiguous, row.error) == (True, "internal error: SoftTimeLimitExceeded")
    assert {state for state, _ in drain_later(four).values()} == {"sent"}
    assert server.connections == 3, "one was cut short, one went on after it, one is the later round's"


def test_an_address_that_would_break_the_conversation_is_not_sent_to(
    notice: Notice, settings: Settings, servers: ExitStack
):
    mailbox = servers.enter_context(real_server())
    use(settings, mailbox)
    for bad in ("a@b.c>\r\nDATA", "jürgen@example.com", "a b@example.com", "<a@example.com>"):
        person = notice.page.subscribers.create(address=bad, state="active")
        Delivery.objects.create(notice=notice, channel="email", address=bad, subscriber=person)
    retally()

    sender.drain("email", SECONDS)

    assert set(notice.deliveries.values_list("state", "error")) == {("dead", "this address cannot be written to")}
    assert mailbox.received == []
    assert_ledger_balances(notice)
