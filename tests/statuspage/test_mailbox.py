"""Reading a mailbox over IMAP, from a real server: its bounds, and what a server may answer."""

from __future__ import annotations

import logging
import socket
from base64 import b64encode
from collections.abc import Callable

import pytest

from core.imap import LIMIT_BYTES, Mailbox, MailboxError, MailboxUrl
from tests.canary.imap_server import PASSWORD, USER, ImapServer, reading_along

pytestmark = pytest.mark.once


def at(port: int, scheme: str = "imap") -> MailboxUrl:
    return MailboxUrl(scheme, "127.0.0.1", port, USER, PASSWORD, "INBOX")


def test_a_large_mail_is_brought_up_to_the_limit(mailbox: ImapServer) -> None:
    mailbox.put(b"Subject: large\r\n\r\n" + b"x" * LIMIT_BYTES)

    with Mailbox(at(mailbox.port)) as opened:
        [mail] = opened.unread(10)

    assert len(mail.content) == LIMIT_BYTES
    assert mail.message["Subject"] == "large"


def test_many_mails_are_flagged_and_deleted_with_one_command_each(mailbox: ImapServer) -> None:
    for number in range(5):
        mailbox.put(b"Subject: mail %d\r\n\r\n" % number)

    with reading_along(mailbox) as between:
        with Mailbox(at(between.port)) as opened:
            uids = [mail.uid for mail in opened.unread(4)]
            opened.flag(uids[:1])
            opened.delete(uids[1:])
            opened.delete([])
            left = [str(mail.message["Subject"]) for mail in opened.unread(10)]
        said = bytes(between.overheard)

    assert left == ["mail 4"], "a flagged mail is passed by"
    assert mailbox.subjects() == ["Subject: mail 0", "Subject: mail 4"]
    assert said.count(b"STORE") == 2
    assert said.count(b"EXPUNGE") == 1


def test_a_mail_that_is_gone_meanwhile_is_passed_by(mailbox: ImapServer) -> None:
    for number in range(3):
        mailbox.put(b"Subject: mail %d\r\n\r\n" % number)

    with Mailbox(at(mailbox.port)) as opened:
        mails = opened.unread(10)
        next(mails)
        mailbox.empty()
        list(opened.unread(10))  # the server tells of it with the answer to another command
        assert list(mails) == []


@pytest.mark.parametrize("scheme", ["imap", "imap+tls", "imaps"])
def test_a_server_that_keeps_silent_is_left_after_the_timeout(scheme: str) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(MailboxError, match="could not connect: TimeoutError"),
        Mailbox(at(silent.getsockname()[1], scheme), timeout=0.2),
    ):
        pass


@pytest.mark.parametrize(
    ("change", "doing"),
    [
        (lambda said: said.replace(b" FETCH ", b" FETCH " + b"(" * 5000), "fetch"),
        (lambda said: said.replace(b" FETCH ", b" FETCH nonsense "), "fetch"),
        (lambda said: said.replace(b"* SEARCH", b"* SEARCH one two"), "search"),
        (lambda said: said.replace(b"* OK", b"* \xff\xfe", 1), "connect"),
    ],
    ids=["nested", "no list", "no numbers", "no greeting"],
)
def test_whatever_a_server_answers_is_told_as_an_error_of_the_mailbox(
    mailbox: ImapServer, change: Callable[[bytes], bytes], doing: str
) -> None:
    mailbox.put(b"Subject: hello\r\n\r\n")
    with (
        reading_along(mailbox, change) as between,
        pytest.raises(MailboxError, match=f"could not {doing}: "),
        Mailbox(at(between.port), timeout=5) as opened,
    ):
        list(opened.unread(10))


@pytest.mark.parametrize("offered", [b"AUTH=PLAIN", b"AUTH=NOTHING"], ids=["by PLAIN", "by LOGIN"])
def test_no_log_holds_the_password(mailbox: ImapServer, caplog: pytest.LogCaptureFixture, offered: bytes) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="imapclient")

    with (
        reading_along(mailbox, lambda said: said.replace(b"AUTH=PLAIN", offered)) as between,
        Mailbox(at(between.port)) as opened,
    ):
        assert list(opened.unread(10)) == []

    assert "imapclient.imaplib" in {record.name for record in caplog.records}, "or this test hears nothing at all"
    for secret in (PASSWORD, b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()):
        assert secret not in caplog.text


def test_who_hangs_up_during_the_sign_in_has_refused_nothing(mailbox: ImapServer) -> None:
    def cut(said: bytes) -> bytes:
        if said.startswith(b"+"):
            raise OSError
        return said

    with (
        reading_along(mailbox, cut) as between,
        pytest.raises(MailboxError, match="could not sign in: socket error: EOF"),
        Mailbox(at(between.port), timeout=5),
    ):
        pass
