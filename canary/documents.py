"""Reads public documents as visitors do, from outside, and compares their generation with the page's own.

Each read has a connection of its own, so that with several web processes every one of them is met sooner or later.
"""

import logging
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.utils import timezone

from canary.findings import Finding
from core.outbound import request
from core.outbound_errors import NoAnswerError, NotReachedError
from core.resolver import Trust
from pages.models import Page

log = logging.getLogger(__name__)
# Page, feed, JSON, banner.
PATHS = ("/", "/history.atom", "/api/v2/summary.json", "/api/banner.json")
READS_OF_EACH = 2
SECONDS = 10.0
LIMIT_BYTES = 8 * 1024 * 1024
# One process of several may hide for a round or two.
ROUNDS_JUDGED = 3
# Far more than a round takes when nothing answers: the reading itself hangs.
SILENCE_SECONDS = 90.0
LOOK_AT_CACHES = (
    "One of several web processes may be cut off from the database, or a cache in front keeps too long. Starting the web "
    "server again helps against the first."
)
LOOK_AT_SERVERS = (
    "Look at the web server, at the proxy in front, at DNS and the certificate. If visitors can read the page, only the "
    "watch cannot: CANARY_READ_URLS names another address for it."
)
FAILED = "The watch could not read it; its log says why."
GENERATION, AGE = "x-edition-generation", "x-edition-age"


@dataclass(frozen=True)
class DocumentRead:
    """What one read of one document showed; `error` is "" when it could be read."""

    path: str
    generation: int = 0
    age_seconds: int = 0
    """For how long its process could have nothing newer."""
    error: str = ""


def addresses() -> list[str]:
    """Where documents are read: settings' addresses, without a path."""
    has_canary = bool(settings.CANARY_MAIL_TO or settings.CANARY_WEBHOOK_URL)
    return settings.CANARY_READ_URLS or ([settings.PUBLIC_URL] if has_canary and settings.PUBLIC_URL else [])


def read(base: str) -> list[DocumentRead]:
    """All of them at once: a process that hangs must not hold up the others' reads."""
    paths = PATHS * READS_OF_EACH
    with ThreadPoolExecutor(len(paths)) as threads:
        return list(threads.map(lambda path: _read(base, path), paths))


def _read(base: str, path: str) -> DocumentRead:
    try:
        answer = request(
            "GET",
            base.rstrip("/") + path,
            trust=Trust.OPERATOR,
            seconds=SECONDS,
            headers={"Connection": "close"},
            limit_bytes=LIMIT_BYTES,
        )
    except (NotReachedError, NoAnswerError, ValueError) as error:
        return DocumentRead(path, error=str(error))
    if answer.status != 200:
        return DocumentRead(path, error=f"it answered {answer.status}")
    generation, age = (answer.headers.get(name, "") for name in (GENERATION, AGE))
    if not generation.isdecimal():
        return DocumentRead(path, error=f"it came without the header {GENERATION}")
    return DocumentRead(path, int(generation), int(age) if age.isdecimal() else 0)


def describe(readings: list[DocumentRead], expected: int) -> str:
    """What is wrong with them, and in a second line where to look; "" when nothing is."""
    patience = settings.CANARY_READ_SECONDS
    failed: dict[str, set[str]] = {}
    for each in readings:
        if each.error:
            failed.setdefault(each.error, set()).add(each.path)
    old = [each for each in readings if not each.error and (each.generation < expected or each.age_seconds > patience)]
    parts = []
    if old:
        paths = ", ".join(sorted({each.path for each in old}))
        parts.append(f"{len(old)} of {len(readings)} reads gave an old edition: {paths}.")
    if failed:
        errors = [f"{', '.join(sorted(paths))} ({error})" for error, paths in sorted(failed.items())]
        parts.append(f"Could not be read: {'; '.join(errors)}.")
    if not parts:
        return ""
    return f"{' '.join(parts)}\n{LOOK_AT_CACHES if old else LOOK_AT_SERVERS}"


def page_at(base: str) -> Page | None:
    return Page.objects.for_host(urlsplit(base).netloc)


class Reader:
    """Reads one address round after round, and keeps what the last rounds showed."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._wrong: deque[str] = deque(maxlen=ROUNDS_JUDGED)
        self._is_raised = False
        self._known: deque[tuple[float, int]] = deque(maxlen=100)
        """Generations of the page and when, by the monotonic clock, each was seen."""
        self._looked_at = time.monotonic()

    def start(self) -> None:
        threading.Thread(target=self._run, name=f"reader {self.base}", daemon=True).start()

    def _run(self) -> None:
        while True:
            self.look()
            time.sleep(settings.CANARY_WATCH_SECONDS)

    def look(self) -> None:
        """One round."""
        try:
            expected = self._expected()
            wrong = describe(read(self.base), expected)
        except Exception:  # a mistake in one round must not end the reading, nor pass for a good one
            log.exception("reading documents failed")
            wrong = FAILED
        self._wrong.append(wrong)
        self._looked_at = time.monotonic()

    @property
    def is_sure(self) -> bool:
        """It has looked, and nothing was wrong lately: not even what is too little for an alarm."""
        return bool(self._wrong) and not any(self._wrong) and not self._silence()

    def finding(self) -> Finding | None:
        """Wrong in two rounds of the last three; well again after three that were good."""
        if self._silence():
            return self._describe(self._silence())
        wrong = [each for each in self._wrong if each]
        if len(wrong) < 2 and not (wrong and self._is_raised):
            self._is_raised = False
            return None
        self._is_raised = True
        return self._describe(wrong[-1])

    def _silence(self) -> str:
        """What was seen last says nothing any more when no round has ended for so long; "" while they do."""
        seconds = time.monotonic() - self._looked_at
        return (
            f"Reading it has hung for {seconds:.0f} seconds; start the watch again."
            if seconds > SILENCE_SECONDS
            else ""
        )

    def _describe(self, what: str) -> Finding:
        return Finding(
            f"documents.{urlsplit(self.base).netloc}"[:64], f"{self.base} does not show what it should. {what}"
        )

    def _expected(self) -> int:
        """The generation that every document must show by now; 0 when nobody knows."""
        try:
            page = page_at(self.base)
        except DatabaseError:  # the watch says so
            connection.close()
            return 0
        if page is None:
            return 0
        now = time.monotonic()
        self._known.append((now, page.generation))
        patience = timedelta(seconds=settings.CANARY_READ_SECONDS)
        if page.updated_at < timezone.now() - patience:
            return page.generation
        return max((each for at, each in self._known if at < now - patience.total_seconds()), default=0)
