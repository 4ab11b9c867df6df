"""manage.py import_statuspage SOURCE …: take a page over from Statuspage, or from whatever speaks its formats."""

from argparse import ArgumentParser
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from core.fetch import FetchError, fetch
from intake.page_import import (
    LIMIT_BYTES,
    TIMEOUT_SECONDS,
    ImportResult,
    NamedDocument,
    StoredDocument,
    describe_failure,
    is_address,
    list_documents,
    order,
    store_documents,
)
from intake.recordings import Remarks
from pages.models import Page

FILE_LIMIT_BYTES = 50 * 1024 * 1024
NOTHING_STORED = 1
SOMETHING_LEFT_OUT = 3  # 2 is Django's, for a wrong command line


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
            self.stdout.write(f"In all: {describe(outcome.counts)}")
        if outcome.new_page:
            self.stdout.write(next_steps(outcome.new_page))
        if outcome.losses or outcome.failures:
            raise CommandError(f"{describe_losses(outcome)} The rest is stored.", returncode=SOMETHING_LEFT_OUT)

    def _read_all(self, names: list[str], outcome: ImportResult) -> list[NamedDocument]:
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
        self, documents: list[NamedDocument], address: str | None, zone: str | None, outcome: ImportResult
    ) -> None:
        ordered = order(documents)
        for number, document in enumerate(ordered, start=1):
            self.stderr.write(f"[{number}/{len(ordered)}] {document[0]}")
            for stored in store_documents([document], address, zone):
                if not isinstance(stored, StoredDocument):
                    self._fail(describe_failure(*stored), outcome)
                    continue
                outcome.add(stored)
                self._tell(stored.remarks)
                page = stored.page
                self.stdout.write(f"{stored.name}: {describe(stored.counts)}; page {page.name} ({page.url})")

    def _tell(self, remarks: Remarks) -> None:
        for lead, counter in (("left out: ", remarks.losses), ("", remarks.notes)):
            for words, times in sorted(counter.items()):
                self.stderr.write(f"  {lead}{words}" + (f" ({times} times)" if times > 1 else ""))


def describe_losses(outcome: ImportResult) -> str:
    """ "2 things were left out, as listed above." and the documents that could not be imported."""
    words = []
    if lost := outcome.losses.total():
        were = "thing was" if lost == 1 else "things were"
        words.append(f"{lost} {were} left out, as listed above.")
    return " ".join(words + outcome.failures)


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
