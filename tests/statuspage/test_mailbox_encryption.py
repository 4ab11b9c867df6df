"""Reading a mailbox over TLS, from a real IMAP server: whom we trust, and that nobody else hears the password."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from canary.inbox import Inbox
from core.imap import Mailbox, MailboxError, MailboxUrl
from delivery.mail.bounces.reading import read_mailbox
from tests.canary.imap_server import PASSWORD, USER, ImapServer, imap_server, reading_along
from tests.delivery.smtp_servers import self_signed_context

pytestmark = pytest.mark.once
SCHEMES = ["imaps", "imap+tls"]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For 127.0.0.1. Nobody knows who made it, until SSL_CERT_FILE names it."""
    directory = tmp_path_factory.mktemp("certificate")
    self_signed_context(directory)
    return directory / "server.pem"


@pytest.fixture(scope="module", params=SCHEMES)
def server(request: pytest.FixtureRequest, certificate: Path) -> Iterator[ImapServer]:
    with imap_server(request.param, certificate) as running:
        yield running


@pytest.fixture(scope="module")
def starttls(certificate: Path) -> Iterator[ImapServer]:
    with imap_server("imap+tls", certificate) as running:
        yield running


@pytest.fixture
def _known(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


def at(port: int, scheme: str, host: str = "127.0.0.1") -> MailboxUrl:
    return MailboxUrl(scheme, host, port, USER, PASSWORD, "INBOX")


def refusal(url: MailboxUrl) -> str:
    with pytest.raises(MailboxError) as caught, Mailbox(url, timeout=5):
        pass
    assert PASSWORD not in str(caught.value)
    return str(caught.value)


def tells_the_password(overheard: bytearray) -> bool:
    whole = b64encode(f"\0{USER}\0{PASSWORD}".encode())
    return any(said in overheard for said in (whole, PASSWORD.encode(), b64encode(PASSWORD.encode()), USER.encode()))


@pytest.mark.usefixtures("_known")
def test_a_mailbox_behind_a_known_certificate_is_read_and_nobody_reads_along(server: ImapServer) -> None:
    server.put(b"Subject: hello\r\n\r\nA mail.\r\n")
    with reading_along(server) as between, Mailbox(at(between.port, server.tls)) as mailbox:
        [mail] = mailbox.unread(10)
        mailbox.delete([mail.uid])

    assert mail.message["Subject"] == "hello"
    assert "Subject: hello" not in server.subjects()
    assert between.overheard
    assert not tells_the_password(between.overheard)


def test_an_unknown_certificate_is_refused_before_the_password(server: ImapServer) -> None:
    with reading_along(server) as between:
        said = refusal(at(between.port, server.tls))

    assert said == "127.0.0.1: the certificate is not trusted: self-signed certificate."
    assert not tells_the_password(between.overheard)


@pytest.mark.usefixtures("_known")
def test_a_known_certificate_of_another_host_is_refused(server: ImapServer) -> None:
    said = refusal(at(server.port, server.tls, "127.0.0.2"))

    assert said.startswith("127.0.0.2: the certificate is not trusted: IP address mismatch")


@pytest.mark.usefixtures("_known")
@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda said: said.replace(b" STARTTLS", b"").replace(b"LOGINDISABLED", b"AUTH=PLAIN"), "offers no encryption"),
        (lambda said: said.replace(b"* OK", b"* PREAUTH", 1), "could not connect"),
        (lambda said: said.replace(b"OK Ready to handshake", b"NO Not now"), "could not connect"),
    ],
    ids=["stripped", "signed in already", "refused"],
)
def test_who_takes_starttls_out_on_the_way_does_not_get_the_password(
    starttls: ImapServer, change: Callable[[bytes], bytes], expected: str
) -> None:
    with reading_along(starttls, change) as between:
        said = refusal(at(between.port, "imap+tls"))

    assert expected in said
    assert not tells_the_password(between.overheard)


def test_a_server_without_starttls_does_not_get_the_password() -> None:
    with imap_server() as plain:
        with reading_along(plain) as between:
            assert "offers no encryption (STARTTLS)" in refusal(at(between.port, "imap+tls"))
        assert not tells_the_password(between.overheard)

        with reading_along(plain) as between, Mailbox(at(between.port, "imap")):
            pass
        assert tells_the_password(between.overheard), "or this test hears nothing at all"


@pytest.mark.django_db
def test_both_who_read_a_mailbox_say_whose_certificate_it_is_that_they_do_not_trust(
    server: ImapServer,
    settings: Settings,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    certificate: Path,
) -> None:
    settings.BOUNCE_MAILBOX = MailboxUrl.parse(server.url(scheme=server.tls))
    inbox = Inbox(server.url(scheme=server.tls))

    assert read_mailbox(20) == {}
    inbox.run_round()
    expected = "could not be read: 127.0.0.1: the certificate is not trusted"
    assert caplog.text.count(expected) == 2
    assert "the certificate is not trusted" in inbox.trouble

    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server.put(b"Subject: not a report\r\n\r\n")
    assert read_mailbox(20) == {"left": 1}
    inbox.run_round()
    assert inbox.is_healthy
