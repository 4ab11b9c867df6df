"""Takes a page over from the documents of Statuspage's public API: finds, reads and stores them, one after the other.

For manage.py import_statuspage and for the staff's screen. Nobody is notified, and the same again changes nothing.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from django.db import transaction

from core.fetch import FetchError, fetch
from intake.recordings import Recording, RecordingError, Remarks
from intake.statuspage import ACTOR, host_of, store
from intake.statuspage_feed import is_feed, parse_feed
from intake.statuspage_json import parse_json
from pages.models import Page

IMPORTED_PATHS = (
    "/api/v2/summary.json",
    "/api/v2/incidents.json",
    "/api/v2/scheduled-maintenances.json",
    "/history.atom",
)
LIMIT_BYTES = 20 * 1024 * 1024
TIMEOUT_SECONDS = 30

NamedDocument = tuple[str, bytes]
"""Its name or address, and what it holds."""


@dataclass
class StoredDocument:
    """What became of one document: counts as in ImportReport."""

    name: str
    page: Page
    counts: Counter[tuple[str, str]]
    remarks: Remarks


@dataclass
class ImportResult:
    """What became of all documents so far."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    pages: list[Page] = field(default_factory=list)
    new_page: Page | None = None
    losses: Counter[str] = field(default_factory=Counter)
    """What stood in a document and is not kept, in words."""
    failures: list[str] = field(default_factory=list)
    """Of documents of which nothing was imported: which, and why."""

    def add(self, stored: StoredDocument) -> None:
        self.pages.append(stored.page)
        self.new_page = self.new_page or (stored.page if stored.counts["page", "new"] else None)
        self.counts += stored.counts
        self.losses += stored.remarks.losses

    def number(self, kind: str, *outcomes: str) -> int:
        """How many rows of a kind; `outcomes` are "new", "changed", "unchanged", or all."""
        return sum(
            n for (of, outcome), n in self.counts.items() if of == kind and (not outcomes or outcome in outcomes)
        )


def list_documents(source: str) -> list[str]:
    """A page's address stands for all its documents; anything else for itself."""
    if is_address(source) and not urlsplit(source).path.strip("/"):
        return [source.rstrip("/") + path for path in IMPORTED_PATHS]
    return [source]


def is_address(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def read_page(address: str, *, timeout: float, limit_bytes: int = LIMIT_BYTES) -> tuple[list[NamedDocument], list[str]]:
    """The documents of the page at `address` that could be read, and why others could not. `timeout`: seconds for each."""
    documents, failures = [], []
    for name in list_documents(address):
        try:
            documents.append((name, fetch(name, limit_bytes=limit_bytes, timeout=timeout)))
        except FetchError as error:
            failures.append(str(error))
            if not documents and len(failures) == 1 and error.is_unreachable:
                break  # a host that does not answer once keeps nobody waiting four times
    return documents, failures


def store_documents(
    documents: Sequence[NamedDocument], address: str | None, zone: str | None, *, actor: str = ACTOR
) -> Iterator[StoredDocument | tuple[str, str]]:
    """Stores one at a time; (name, reason) for one of which nothing was stored.

    `address`: of the page they go to, instead of the recorded one. `zone`: of a page that is new, where it is not told.
    """
    for name, content in order(documents):
        try:
            page, report = store(parse(content, address, zone), address=address, actor=actor)
        except RecordingError as error:
            yield name, str(error)
        else:
            yield StoredDocument(name, page, report.counts, report.remarks)


def import_into(page: Page, documents: Sequence[NamedDocument], *, actor: str, preview: bool = False) -> ImportResult:
    """All documents into one page, in one transaction; a `preview` stores nothing and tells what would be."""
    result = ImportResult()
    with transaction.atomic():
        for stored in store_documents(documents, page.url, page.time_zone, actor=actor):
            if isinstance(stored, StoredDocument):
                result.add(stored)
            else:
                result.failures.append(describe_failure(*stored))
        transaction.set_rollback(preview)
    return result


def describe_failure(name: str, reason: str) -> str:
    return f"{name}: {reason} Nothing of it was imported."


def order(documents: Sequence[NamedDocument]) -> list[NamedDocument]:
    """Those with groups first, for what belongs to them; feeds last: they do not tell the page's id."""
    return sorted(documents, key=lambda document: (is_feed(document[1]), not has_groups(document[1])))


def has_groups(content: bytes) -> bool:
    return re.search(rb'"group"\s*:\s*true', content) is not None


def parse(content: bytes, address: str | None, zone: str | None) -> Recording:
    """Raises RecordingError."""

    def find_zone(url: str) -> str | None:
        page = Page.objects.filter(host=host_of(address or url)).first()
        return page.time_zone if page else zone

    return parse_feed(content, find_zone) if is_feed(content) else parse_json(content, find_zone)
