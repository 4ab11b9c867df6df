"""The watch: looks every few seconds, tells when something is wrong, and pings a dead man's switch when nothing is.

It needs neither broker nor worker nor clock, and says so when the database is gone.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.utils import timezone

from canary import alarms
from canary.alarm_accounts import configured
from canary.documents import Reader, addresses
from canary.findings import Finding, look_at_ledger
from canary.inbox import Inbox
from core.outbound import request
from core.outbound_errors import NoAnswerError, NotReachedError
from core.resolver import Trust

log = logging.getLogger(__name__)
# A database that is started again is away for some seconds.
DATABASE_PATIENCE = timedelta(seconds=15)
DATABASE_GONE = Finding(
    "database",
    "The database does not answer.\nThe page is served from memory; nothing can be posted, and nobody is told "
    "anything. Messages that wait are not lost.",
)
PING_SECONDS = 10.0


class Watch:
    def __init__(self) -> None:
        self.since = timezone.now()
        self.accounts = configured()
        self.readers: list[Reader | Inbox] = [Reader(each) for each in addresses()]
        if settings.CANARY_IMAP_URL:
            self.readers.append(Inbox(settings.CANARY_IMAP_URL))
        self.board = alarms.OfflineBoard()
        self._database_gone_since: datetime | None = None

    def run(self, *, stop: Callable[[], bool] = lambda: False) -> None:
        """Until `stop` says so. Documents and the mailbox are read beside it: they may take their time."""
        for reader in self.readers:
            reader.start()
        while not stop():
            started = time.monotonic()
            self.look()
            settings.WATCH_NOTE.touch(mode=0o600)
            time.sleep(max(0.1, settings.CANARY_WATCH_SECONDS - (time.monotonic() - started)))

    def look(self) -> bool:
        """One round; whether all is well."""
        try:
            findings = [*look_at_ledger(self.since), *filter(None, (each.finding() for each in self.readers))]
            alarms.settle(findings, self.accounts)
            is_open = alarms.is_anything_open()
        except DatabaseError:
            connection.close()
            self._without_database()
            return False
        except Exception:  # a mistake in one look must not end the watch; the dead man's switch is not pinged
            log.exception("looking failed")
            return False
        self._database_is_back()
        is_well = not findings and not is_open and all(each.is_sure for each in self.readers)
        if is_well and settings.ALARM_DEADMAN_URL:
            ping()
        return is_well

    def _without_database(self) -> None:
        self._database_gone_since = self._database_gone_since or timezone.now()
        if timezone.now() - self._database_gone_since > DATABASE_PATIENCE:
            self.board.raise_alarm(DATABASE_GONE, self._database_gone_since, self.accounts)

    def _database_is_back(self) -> None:
        self._database_gone_since = None
        self.board.clear(DATABASE_GONE, self.accounts)


def ping() -> None:
    """Tell the dead man's switch that all is well. It raises the alarm when it does not hear that."""
    try:
        answer = request("GET", settings.ALARM_DEADMAN_URL, trust=Trust.OPERATOR, seconds=PING_SECONDS)
    except (NotReachedError, NoAnswerError, ValueError) as error:
        log.error("the dead man's switch was not reached: %s", error)
    else:
        if not answer.is_good:
            log.error("the dead man's switch answered %d", answer.status)
