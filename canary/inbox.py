"""Reads the canary's mailbox over IMAP and records the heartbeats in it. Other mail is not touched."""

import logging
import threading
import time

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from canary.arrivals import find_codes, record_arrivals
from canary.findings import Finding
from canary.models import Probe
from core.imap import Mailbox, MailboxError, MailboxUrl

log = logging.getLogger(__name__)
MOST_AT_ONCE = 200
# A server may be unreachable for a moment, or refuse a single sign-in.
FAILURES_TOLERATED = 2
WANTED = 'UNDELETED SUBJECT "heartbeat-"'
# Some bounces repeat the subject. From and Content-Type tell a bounce from the heartbeat that it returns.
READ = "BODY.PEEK[HEADER.FIELDS (SUBJECT FROM CONTENT-TYPE)]"


class Inbox:
    """One mailbox: imaps://user:password@host:port/Folder; imap+tls:// uses STARTTLS, imap:// no encryption.

    Each round opens a connection. A mail that was not recorded stays for the next round.
    """

    def __init__(self, url: str) -> None:
        """Raises ValueError, whose message repeats nothing of `url`."""
        self.url = MailboxUrl.parse(url)
        self._failures = 0
        self._reason = ""

    def start(self) -> None:
        threading.Thread(target=self._run, name="inbox", daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                self.run_round()
            except DatabaseError:  # the watch raises the alarm
                connection.close()
            except Exception:  # a bug must not end the thread
                log.exception("a bug in reading the canary's mailbox; the next round tries again")
            time.sleep(settings.CANARY_WATCH_SECONDS)

    @property
    def is_healthy(self) -> bool:
        return self._failures == 0

    @property
    def trouble(self) -> str:
        """Why the last round failed; "" if it did not."""
        return self._reason if self._failures else ""

    def finding(self) -> Finding | None:
        if self._failures <= FAILURES_TOLERATED:
            return None
        what = "The canary's mailbox cannot be read, so nobody knows whether mail arrives."
        return Finding("mailbox", f"{what}\n{self._reason}")

    def run_round(self) -> int:
        """Read the mailbox once; returns how many messages were not recorded before."""
        try:
            arrived = self._read()
        except MailboxError as error:
            self._failures, self._reason = self._failures + 1, str(error)
            log.warning("the canary's mailbox could not be read: %s", self._reason)
            return 0
        self._failures = 0
        return arrived

    def _read(self) -> int:
        with Mailbox(self.url) as mailbox:
            mails = list(mailbox.matching(WANTED, MOST_AT_ONCE, READ))
            heads = [mail.content.decode("ascii", "replace") for mail in mails]
            arrived = sum(record_arrivals(Probe.Destination.MAIL, find_codes(head)) for head in heads)
            mailbox.delete(mail.uid for mail in mails)
        return arrived
