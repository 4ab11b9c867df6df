"""Which page has which host name and generation: the only query that a request for a finished document may need."""

import logging
import threading
from dataclasses import dataclass
from time import monotonic

from django.db import Error as DatabaseError

from pages.models import Page, choose_by_host

CHECK_SECONDS = 0.25  # every process sees an update within a second, without a worker or a message
RETRY_SECONDS = 1.0  # the time between two queries while the database is down
OVERDUE_SECONDS = 3.0  # a database that does not answer a query for so long counts as down

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Listing:
    hosts: dict[str, int]
    """Page id by host name."""
    generations: dict[int, int]
    """Generation by page id."""

    def page_for(self, host: str) -> int | None:
        return choose_by_host(host, self.hosts)


class HostIndex:
    """Reads the listing at most every CHECK_SECONDS in this process, one thread at a time.

    While the database does not answer, the last listing is used and `age` grows. While there are `refreshers`
    (public/serving/refresher.py), only they read, so no request waits for the database to find a document.
    """

    def __init__(self) -> None:
        self.refreshers = 0
        self._listing: Listing | None = None
        self._read_at = 0.0
        self._due_at = 0.0
        self._failing = False
        self._is_said = False
        """Whether the log says that the database is down."""
        self._reading = threading.Lock()

    def listing(self) -> Listing:
        """Raises django.db.Error when the database is down and has never answered."""
        if self._listing is None:
            return self._read_first()
        # One thread reads; the others use the old listing meanwhile.
        if not self.refreshers and monotonic() >= self._due_at and self._reading.acquire(blocking=False):
            try:
                return self.read()
            except DatabaseError:
                return self._listing
            finally:
                self._reading.release()
        return self._listing

    def known(self) -> Listing | None:
        """The last listing, without a query."""
        return self._listing

    def age(self) -> int | None:
        """Whole seconds since the database last answered; None when it answers."""
        age = monotonic() - self._read_at
        overdue = self.refreshers > 0 and self._listing is not None and age > OVERDUE_SECONDS
        return int(age) if self._failing or overdue else None

    def read(self) -> Listing:
        """Ask the database now. Raises django.db.Error."""
        try:
            rows = list(Page.objects.values_list("pk", "host", "generation"))
        except DatabaseError as error:
            if not self._is_said:
                served = "serving the last edition" if self._listing else "nothing to serve yet"
                log.warning("the database does not answer, %s: %s", served, type(error).__name__)
                self._is_said = True
            self._failing, self._due_at = True, monotonic() + RETRY_SECONDS
            raise
        if self._is_said:
            log.warning("the database answers again")
            self._is_said = False
        self._listing = Listing({host: pk for pk, host, _ in rows}, {pk: generation for pk, _, generation in rows})
        self._failing, self._read_at = False, monotonic()
        self._due_at = self._read_at + CHECK_SECONDS
        return self._listing

    def adopt(self, listing: Listing, age_seconds: float) -> None:
        """Use a listing that another process stored `age_seconds` ago, until the database answers; ignored after that."""
        if self._listing is None:
            self._listing, self._read_at, self._failing = listing, monotonic() - age_seconds, True

    def _read_first(self) -> Listing:
        with self._reading:
            return self._listing or self.read()
