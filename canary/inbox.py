"""Reads the canary's own mailbox over IMAP, and notes which heartbeats are in it. Other mail is not touched."""

import contextlib
import imaplib
import logging
import ssl
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from canary.arrivals import find_codes, record
from canary.findings import Finding
from canary.models import Probe

log = logging.getLogger(__name__)
PORTS = {"imap": 143, "imap+tls": 143, "imaps": 993}
SECONDS = 10.0
MOST_AT_ONCE = 200
# A server may be away for a moment, and refuses one sign-in of many.
FAILURES_TOLERATED = 2
WANTED = 'UNDELETED SUBJECT "heartbeat-"'
# Some bounces repeat the subject; these tell them from what they return.
READ = "(BODY.PEEK[HEADER.FIELDS (SUBJECT FROM CONTENT-TYPE)])"


class InboxError(Exception):
    """The mailbox could not be read. The text holds no credentials."""


class Inbox:
    """One mailbox: imaps://user:password@host:port/Folder; imap+tls:// is STARTTLS, imap:// no encryption.

    Each round has a connection of its own. What was not noted stays, and comes again.
    """

    def __init__(self, url: str) -> None:
        """Raises ValueError, without a word of `url`."""
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname or not parts.username or not parts.password:
            raise ValueError("not an address such as imaps://user:password@host/INBOX")
        self.scheme, self.host, self.port = parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme]
        self._user, self._password = unquote(parts.username), unquote(parts.password)
        self._folder = unquote(parts.path.strip("/")) or "INBOX"
        self._failures = 0
        self._reason = ""

    def start(self) -> None:
        threading.Thread(target=self._run, name="inbox", daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except DatabaseError:  # the watch says so
                connection.close()
            except Exception:  # a mistake in one round must not end the reading
                log.exception("reading the mailbox failed")
            time.sleep(settings.CANARY_WATCH_SECONDS)

    @property
    def is_sure(self) -> bool:
        return self._failures == 0

    @property
    def trouble(self) -> str:
        """Why the last round failed; "" when it did not."""
        return self._reason if self._failures else ""

    def finding(self) -> Finding | None:
        if self._failures <= FAILURES_TOLERATED:
            return None
        what = "The canary's mailbox cannot be read, so nobody knows whether mail arrives."
        return Finding("mailbox", f"{what}\n{self._reason}")

    def look(self) -> int:
        """One round; how many heartbeats had not been seen before."""
        try:
            arrived = self._read()
        except (imaplib.IMAP4.error, OSError, InboxError) as error:
            self._failures, self._reason = self._failures + 1, self._explain(error)
            log.warning("the canary's mailbox could not be read: %s", self._reason)
            return 0
        self._failures = 0
        return arrived

    def _explain(self, error: Exception) -> str:
        """Without the server's words on a sign-in, which may repeat it."""
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"{self.host}: the certificate is not trusted: {error.verify_message}."
        if isinstance(error, InboxError):
            return f"{self.host}: {error}."
        return f"{self.host}: {getattr(error, 'strerror', None) or type(error).__name__}."

    def _read(self) -> int:
        with self._open() as imap:
            _, (found, *_) = _done(imap.uid("SEARCH", WANTED))
            uids = (found or b"").split()[:MOST_AT_ONCE]
            arrived = 0
            for uid in uids:
                _, answer = _done(imap.uid("FETCH", uid.decode(), READ))
                headers = b"".join(each[1] for each in answer if isinstance(each, tuple))
                arrived += record(Probe.Destination.MAIL, find_codes(headers.decode("ascii", "replace")))
            if uids:
                self._delete(imap, b",".join(uids).decode())
        return arrived

    @staticmethod
    def _delete(imap: imaplib.IMAP4, uids: str) -> None:
        """Where the server cannot remove single mails (RFC 4315) they stay, marked, and are not found again."""
        _done(imap.uid("STORE", uids, "+FLAGS.SILENT", r"(\Deleted)"))
        _, (capabilities, *_) = _done(imap.capability())  # asked anew: some tell all only who has signed in
        if b"UIDPLUS" in (capabilities or b"").upper().split():
            _done(imap.uid("EXPUNGE", uids))

    @contextlib.contextmanager
    def _open(self) -> Iterator[imaplib.IMAP4]:
        imap = self._connect()
        try:
            self._sign_in(imap)
            _done(imap.select(f'"{self._folder}"'))
            yield imap
            imap.logout()
        finally:
            with contextlib.suppress(OSError):
                imap.shutdown()

    def _connect(self) -> imaplib.IMAP4:
        context = ssl.create_default_context()
        if self.scheme == "imaps":
            return imaplib.IMAP4_SSL(self.host, self.port, ssl_context=context, timeout=SECONDS)
        imap = imaplib.IMAP4(self.host, self.port, timeout=SECONDS)
        if self.scheme == "imap+tls":
            try:
                imap.starttls(context)
            except BaseException:
                imap.shutdown()
                raise
        return imap

    def _sign_in(self, imap: imaplib.IMAP4) -> None:
        """PLAIN where it is offered: it takes passwords of any letters."""
        try:
            if "AUTH=PLAIN" in imap.capabilities:
                imap.authenticate("PLAIN", lambda _: f"\0{self._user}\0{self._password}".encode())
            else:
                imap.login(self._user, self._password)
        except imaplib.IMAP4.abort:
            raise
        except (imaplib.IMAP4.error, UnicodeError):
            raise InboxError("our sign-in is refused") from None


def _done(answer: Any) -> Any:
    if answer[0] != "OK":
        raise InboxError("it refuses a command")
    return answer
