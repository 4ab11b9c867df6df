"""manage.py import_statuspage SOURCE …: take a page over from Statuspage, or from whatever speaks its formats."""

import re
from argparse import ArgumentParser
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from core.fetch import FetchError, fetch
from intake.recordings import Recording, RecordingError, Remarks
from intake.statuspage import host_of, store
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
FILE_LIMIT_BYTES = 50 * 1024 * 1024
TIMEOUT_SECONDS = 30
NOTHING_STORED = 1
SOMETHING_LEFT_OUT = 3  # 2 is Django's, for a wrong command line


@dataclass
class ImportResult:
    """What became of all documents so far."""

    total: Counter[tuple[str, str]] = field(default_factory=Counter)
    pages: list[Page] = field(default_factory=list)
    new_page: Page | None = None
    losses: int = 0
    failures: list[str] = field(default_factory=list)
    """Of documents of which nothing was imported: which, and why."""


class Command(BaseCommand):
    help = (
        "Import a status page from documents of Statuspage's public API: summary.json or components.json, "
        "incidents.json, scheduled-maintenances.json, history.atom or history.rss. Nobody is notified, and "
        "importing the same again changes nothing. Exit status: 0 when all was kept, 3 when something was left out "
        "(it is listed), 1 when nothing was stored."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "sources", nargs="+", metavar="SOURCE",
            help="a file, the address of a document, or the address of a page (then all its documents are read)",
        )  # fmt: skip
        parser.add_argument(
            "--page", metavar="URL", help="the public address of the page to import into, if not the recorded one"
        )
        parser.add_argument(
            "--time-zone", metavar="NAME", help="the recorded page's IANA time zone, for documents that do not tell it"
        )
        parser.add_argument(
            "--strict", action="store_true", help="store nothing at all when anything would have to be left out"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        zone, address = options["time_zone"], options["page"]
        if zone and zone not in available_timezones():
            raise CommandError(f"“{zone}” is not an IANA time zone; write one such as Europe/London.")
        outcome = ImportResult()
        documents = self._read_all([each for source in options["sources"] for each in list_documents(source)], outcome)
        whole: AbstractContextManager[Any] = transaction.atomic() if options["strict"] else nullcontext()
        with whole:
            self._import_all(documents, address, zone, outcome)
            if options["strict"] and (outcome.losses or outcome.failures):
                raise CommandError(
                    f"{describe_losses(outcome)} Nothing is stored (--strict).", returncode=NOTHING_STORED
                )
        if not outcome.pages:
            raise CommandError(" ".join(outcome.failures), returncode=NOTHING_STORED)
        if len(documents) > 1:
            self.stdout.write(f"In all: {describe(outcome.total)}")
        if outcome.new_page:
            self.stdout.write(next_steps(outcome.new_page))
        if outcome.losses or outcome.failures:
            raise CommandError(f"{describe_losses(outcome)} The rest is stored.", returncode=SOMETHING_LEFT_OUT)

    def _read_all(self, names: list[str], outcome: ImportResult) -> list[tuple[str, bytes]]:
        documents = []
        for name in names:
            try:
                documents.append((name, self._read(name)))
            except FetchError as error:
                self._fail(str(error), outcome)
            except OSError as error:
                self._fail(f"{name} cannot be read: {error.strerror}.", outcome)
        return documents

    def _read(self, name: str) -> bytes:
        if is_address(name):
            self.stderr.write(f"reading {name}")
            return fetch(name, limit_bytes=LIMIT_BYTES, timeout=TIMEOUT_SECONDS)
        with Path(name).open("rb") as file:
            content = file.read(FILE_LIMIT_BYTES + 1)
        if len(content) > FILE_LIMIT_BYTES:
            raise FetchError(f"{name} has more than {FILE_LIMIT_BYTES} bytes.")
        return content

    def _fail(self, reason: str, outcome: ImportResult) -> None:
        self.stderr.write(f"  {reason}")
        outcome.failures.append(reason)

    def _import_all(
        self, documents: list[tuple[str, bytes]], address: str | None, zone: str | None, outcome: ImportResult
    ) -> None:
        for number, (name, content) in enumerate(order(documents), start=1):
            self.stderr.write(f"[{number}/{len(documents)}] {name}")
            try:
                page, report = store(parse(content, address, zone), address=address)
            except RecordingError as error:
                self._fail(f"{name}: {error} Nothing of it was imported.", outcome)
                continue
            outcome.pages.append(page)
            outcome.new_page = outcome.new_page or (page if report.counts["page", "new"] else None)
            outcome.total += report.counts
            outcome.losses += report.remarks.losses.total()
            self._tell(report.remarks)
            self.stdout.write(f"{name}: {describe(report.counts)}; page {page.name} ({page.url})")

    def _tell(self, remarks: Remarks) -> None:
        for lead, counter in (("left out: ", remarks.losses), ("", remarks.notes)):
            for words, times in sorted(counter.items()):
                self.stderr.write(f"  {lead}{words}" + (f" ({times} times)" if times > 1 else ""))


def order(documents: list[tuple[str, bytes]]) -> list[tuple[str, bytes]]:
    """Those with groups first, for what belongs to them; feeds last: they do not tell the page's id."""
    return sorted(documents, key=lambda document: (is_feed(document[1]), not has_groups(document[1])))


def describe_losses(outcome: ImportResult) -> str:
    """ "2 things were left out, as listed above." and the documents that could not be imported."""
    words = []
    if outcome.losses:
        were = "thing was" if outcome.losses == 1 else "things were"
        words.append(f"{outcome.losses} {were} left out, as listed above.")
    return " ".join(words + outcome.failures)


def list_documents(source: str) -> list[str]:
    """A page's address stands for all its documents; anything else for itself."""
    if is_address(source) and not urlsplit(source).path.strip("/"):
        return [source.rstrip("/") + path for path in IMPORTED_PATHS]
    return [source]


def has_groups(content: bytes) -> bool:
    return re.search(rb'"group"\s*:\s*true', content) is not None


def is_address(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def parse(content: bytes, address: str | None, zone: str | None) -> Recording:
    """Raises RecordingError."""

    def find_zone(url: str) -> str | None:
        page = Page.objects.filter(host=host_of(address or url)).first()
        return page.time_zone if page else zone

    return parse_feed(content, find_zone) if is_feed(content) else parse_json(content, find_zone)


def describe(counts: Counter[tuple[str, str]]) -> str:
    """ "12 components new, 1 page unchanged"."""
    words = [f"{_count(number, kind)} {outcome}" for (kind, outcome), number in sorted(counts.items())]
    return ", ".join(words) or "nothing to import"


def _count(number: int, kind: str) -> str:
    if number == 1:
        return f"1 {kind}"
    return f"{number} {kind}{'es' if kind.endswith('s') else 's'}"


def next_steps(page: Page) -> str:
    """What to do so that a page just made can be seen."""
    if Page.objects.count() == 1:
        where = f"{page.name} is the only page here, so it answers on every host that ALLOWED_HOSTS holds."
    else:
        where = f"{page.name} answers on the host {page.host}; set ALLOWED_HOSTS so that it holds this name too."
    return (
        f"Next: {where} Links in its feeds and mails start with {page.url}. To try it on this machine instead, "
        f"import it into an empty installation with --page http://localhost:{settings.PORT}."
    )
