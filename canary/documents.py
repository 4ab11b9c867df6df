"""Reads public documents over HTTP, as visitors do, and compares their generation with the page's.

Each read opens a new connection, so that with several web processes each of them is read sooner or later.
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
# Several rounds count, because the reads of one round may miss one of several processes.
ROUNDS_JUDGED = 3
# Longer than a round takes when nothing answers: after it the reading thread is taken to hang.
SILENCE_SECONDS = 90.0
CACHES_HINT = (
    "One of several web processes may have lost the database: start the web server again. Or a cache in front keeps "
    "documents for too long."
)
SERVERS_HINT = (
    "Look at the web server, the proxy in front, DNS and the certificate. If visitors can read the page and only the watch "
    "cannot, set CANARY_READ_URLS to an address that the watch can reach."
)
FAILED = "The watch could not read it; its log says why."
GENERATION, AGE = "x-edition-generation", "x-edition-age"


@dataclass(frozen=True)
class DocumentRead:
    """The result of reading one document; `error` is "" when it could be read."""

    path: str
    generation: int = 0
    age_seconds: int = 0
    """For how long its web process could not ask the database for a newer edition."""
    error: str = ""


def addresses() -> list[str]:
    """The URLs, without a path, at which documents are read."""
    has_canary = bool(settings.CANARY_MAIL_TO or settings.CANARY_WEBHOOK_URL)
    return settings.CANARY_READ_URLS or ([settings.PUBLIC_URL] if has_canary and settings.PUBLIC_URL else [])


def read_documents(base: str) -> list[DocumentRead]:
    """Read all documents at once, so that a web process that hangs does not delay the other reads."""
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


def describe_problems(readings: list[DocumentRead], expected: int) -> str:
    """What is wrong with the readings, and in a second line where to look; "" when nothing is."""
    allowed_seconds = settings.CANARY_READ_SECONDS
    failed: dict[str, set[str]] = {}
    for each in readings:
        if each.error:
            failed.setdefault(each.error, set()).add(each.path)
    old = [
        each
        for each in readings
        if not each.error and (each.generation < expected or each.age_seconds > allowed_seconds)
    ]
    parts = []
    if old:
        paths = ", ".join(sorted({each.path for each in old}))
        parts.append(f"{len(old)} of {len(readings)} reads gave an old edition: {paths}.")
    if failed:
        errors = [f"{', '.join(sorted(paths))} ({error})" for error, paths in sorted(failed.items())]
        parts.append(f"Could not be read: {'; '.join(errors)}.")
    if not parts:
        return ""
    return f"{' '.join(parts)}\n{CACHES_HINT if old else SERVERS_HINT}"


def page_at(base: str) -> Page | None:
    return Page.objects.for_host(urlsplit(base).netloc)


class DocumentReader:
    """Reads the documents at one URL again and again, and keeps the results of the last ROUNDS_JUDGED rounds."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._wrong: deque[str] = deque(maxlen=ROUNDS_JUDGED)
        self._is_raised = False
        self._known: deque[tuple[float, int]] = deque(maxlen=100)
        """Generations of the page with the monotonic time at which each was read."""
        self._round_ended_at = time.monotonic()

    def start(self) -> None:
        threading.Thread(target=self._run, name=f"reader {self.base}", daemon=True).start()

    def _run(self) -> None:
        while True:
            self.run_round()
            time.sleep(settings.CANARY_WATCH_SECONDS)

    def run_round(self) -> None:
        """Read all documents once and keep the result."""
        try:
            expected = self._expected()
            wrong = describe_problems(read_documents(self.base), expected)
        except Exception:  # a bug must not end the thread, and the round must not count as good
            log.exception("a bug in reading documents; the next round tries again")
            wrong = FAILED
        self._wrong.append(wrong)
        self._round_ended_at = time.monotonic()

    @property
    def is_healthy(self) -> bool:
        """Whether at least one round has ended and none of the last ones found anything, not even too little for an
        alarm."""
        return bool(self._wrong) and not any(self._wrong) and not self._silence()

    def finding(self) -> Finding | None:
        """A finding after two bad rounds of the last three, until three good ones follow."""
        if self._silence():
            return self._describe(self._silence())
        wrong = [each for each in self._wrong if each]
        if len(wrong) < 2 and not (wrong and self._is_raised):
            self._is_raised = False
            return None
        self._is_raised = True
        return self._describe(wrong[-1])

    def _silence(self) -> str:
        """A sentence when no round has ended for SILENCE_SECONDS, after which old results mean nothing; else ""."""
        seconds = time.monotonic() - self._round_ended_at
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
        """The generation that every document must have reached by now; 0 when it is unknown."""
        try:
            page = page_at(self.base)
        except DatabaseError:  # the watch raises the alarm
            connection.close()
            return 0
        if page is None:
            return 0
        now = time.monotonic()
        self._known.append((now, page.generation))
        allowed = timedelta(seconds=settings.CANARY_READ_SECONDS)
        if page.updated_at < timezone.now() - allowed:
            return page.generation
        return max((each for at, each in self._known if at < now - allowed.total_seconds()), default=0)
