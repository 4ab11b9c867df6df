"""The watch: checks every few seconds, raises alarms for faults, and pings a dead man's switch when there are none.

It needs neither broker nor worker nor beat, and raises an alarm when the database is gone.
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
from canary.documents import DocumentReader, addresses
from canary.findings import Finding, check_ledger
from canary.inbox import Inbox
from core.outbound import request
from core.outbound_errors import NoAnswerError, NotReachedError
from core.resolver import Trust

log = logging.getLogger(__name__)
# A database that restarts does not answer for some seconds.
DATABASE_GRACE = timedelta(seconds=15)
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
        self.readers: list[DocumentReader | Inbox] = [DocumentReader(each) for each in addresses()]
        if settings.CANARY_IMAP_URL:
            self.readers.append(Inbox(settings.CANARY_IMAP_URL))
        self.memory_alarm = alarms.MemoryAlarm()
        self._database_gone_since: datetime | None = None

    def run(self, *, stop: Callable[[], bool] = lambda: False) -> None:
        """Run rounds until `stop()` is true. Documents and the mailbox are read in threads, because they may be slow."""
        for reader in self.readers:
            reader.start()
        while not stop():
            started = time.monotonic()
            self.run_round()
            settings.WATCH_NOTE.touch(mode=0o600)
            time.sleep(max(0.1, settings.CANARY_WATCH_SECONDS - (time.monotonic() - started)))

    def run_round(self) -> bool:
        """Check everything once and send alarms; returns whether nothing is wrong."""
        try:
            findings = [*check_ledger(self.since), *filter(None, (each.finding() for each in self.readers))]
            alarms.update_alarms(findings, self.accounts)
            is_open = alarms.is_any_open()
        except DatabaseError:
            connection.close()
            self._without_database()
            return False
        except Exception:  # a bug must not end the watch; the dead man's switch is not pinged, so it raises the alarm
            log.exception("a bug in the watch; the next round tries again")
            return False
        self._database_is_back()
        is_well = not findings and not is_open and all(each.is_healthy for each in self.readers)
        if is_well and settings.ALARM_DEADMAN_URL:
            ping()
        return is_well

    def _without_database(self) -> None:
        self._database_gone_since = self._database_gone_since or timezone.now()
        if timezone.now() - self._database_gone_since > DATABASE_GRACE:
            self.memory_alarm.raise_alarm(DATABASE_GONE, self._database_gone_since, self.accounts)

    def _database_is_back(self) -> None:
        self._database_gone_since = None
        self.memory_alarm.clear(DATABASE_GONE, self.accounts)


def ping() -> None:
    """Call the dead man's switch, which raises an alarm itself when it is not called."""
    try:
        answer = request("GET", settings.ALARM_DEADMAN_URL, trust=Trust.OPERATOR, seconds=PING_SECONDS)
    except (NotReachedError, NoAnswerError, ValueError) as error:
        log.error("the dead man's switch of ALARM_DEADMAN_URL was not reached: %s", error)
    else:
        if not answer.is_good:
            log.error("the dead man's switch of ALARM_DEADMAN_URL answered %d", answer.status)
