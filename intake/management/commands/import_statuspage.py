"""manage.py import_statuspage SOURCE …: take a page over from Statuspage, or from whatever speaks its formats."""

from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from core.fetch import FetchError, fetch
from intake.recordings import Recording, RecordingError
from intake.statuspage import ImportReport, host_of, store
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


class Command(BaseCommand):
    help = (
        "Import a status page from documents of Statuspage's public API: summary.json or components.json, "
        "incidents.json, scheduled-maintenances.json, history.atom or history.rss. Nobody is notified, and "
        "importing the same again changes nothing."
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
            "--time-zone", metavar="NAME", help="the page's IANA time zone, for feeds: they do not tell it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        zone, address = options["time_zone"], options["page"]
        if zone and zone not in available_timezones():
            raise CommandError(f"“{zone}” is not an IANA time zone; write one such as Europe/London.")
        names = [document for source in options["sources"] for document in list_documents(source)]
        documents = [(name, self._read(name)) for name in names]
        # The JSON first: it knows the page's id, which feeds do not tell.
        documents.sort(key=lambda document: is_feed(document[1]))
        total: Counter[tuple[str, str]] = Counter()
        is_new = False
        for number, (name, content) in enumerate(documents, start=1):
            self.stderr.write(f"[{number}/{len(documents)}] {name}")
            page, report = self._import(name, content, address, zone)
            is_new = is_new or bool(report.counts["page", "new"])
            total += report.counts
            self._tell(report)
            self.stdout.write(f"{name}: {describe(report.counts)}; page {page.name} ({page.url})")
        if len(documents) > 1:
            self.stdout.write(f"In all: {describe(total)}")
        if is_new:
            self.stdout.write(next_steps(page))

    def _read(self, name: str) -> bytes:
        try:
            if is_address(name):
                self.stderr.write(f"reading {name}")
                return fetch(name, limit_bytes=LIMIT_BYTES, timeout=TIMEOUT_SECONDS)
            return Path(name).read_bytes()
        except FetchError as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"{name} cannot be read: {error.strerror}.") from None

    def _import(self, name: str, content: bytes, address: str | None, zone: str | None) -> tuple[Page, ImportReport]:
        try:
            return store(parse(content, address, zone), address=address)
        except RecordingError as error:
            raise CommandError(f"{name}: {error} Nothing of it was imported.") from None

    def _tell(self, report: ImportReport) -> None:
        for note, times in sorted(report.notes.items()):
            self.stderr.write(f"  {note}" + (f" ({times} times)" if times > 1 else ""))


def list_documents(source: str) -> list[str]:
    """A page's address stands for all its documents; anything else for itself."""
    if is_address(source) and not urlsplit(source).path.strip("/"):
        return [source.rstrip("/") + path for path in IMPORTED_PATHS]
    return [source]


def is_address(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def parse(content: bytes, address: str | None, zone: str | None) -> Recording:
    """Raises RecordingError."""
    if not is_feed(content):
        return parse_json(content)

    def find_zone(url: str) -> str | None:
        page = Page.objects.filter(host=host_of(address or url)).first()
        return page.time_zone if page else zone

    return parse_feed(content, find_zone)


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
