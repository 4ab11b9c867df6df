import sys
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error as DatabaseError
from django.db import connection
from django.utils import timezone

from pages.models import Page
from public.serving.export import ExportReport, export_page
from public.serving.export_targets import ExportError, open_target

LOOK_SECONDS = 1.0
RETRY_SECONDS = 10.0
BAR = 30


class Command(BaseCommand):
    help = "Write a page's public documents as static files, to a directory or to s3://bucket/prefix."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("target", help="a directory, or s3://bucket/prefix")
        parser.add_argument("--page", metavar="HOST", help="only the page on this host; needed when there are several")
        parser.add_argument("--watch", action="store_true", help="go on, and export again after each change")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["watch"]:
                self._watch(options["target"], options["page"])
            else:
                self._export(options["target"], options["page"])
        except ExportError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            return

    def _export(self, target: str, host: str | None) -> ExportReport:
        page = _find_page(host)
        report = export_page(page, open_target(target), self._show if sys.stderr.isatty() else None)
        self.stdout.write(
            f"{page.host}: {report.written} files written, {report.unchanged} unchanged, {report.removed} removed"
        )
        return report

    def _watch(self, target: str, host: str | None) -> None:
        """Whatever fails is said and tried again: the site that was written stays as it is meanwhile."""
        last: ExportReport | None = None
        while True:
            pause = LOOK_SECONDS
            try:
                if last is None or _is_due(last, host):
                    last = self._export(target, host)
            except (ExportError, DatabaseError) as error:
                connection.close()
                self.stderr.write(f"not exported, trying again: {error}")
                pause = RETRY_SECONDS
            time.sleep(pause)

    def _show(self, done: int, total: int) -> None:
        filled = BAR * done // total
        self.stderr.write(
            f"\r[{'#' * filled}{'.' * (BAR - filled)}] {done}/{total}", ending="" if done < total else "\n"
        )


def _find_page(host: str | None) -> Page:
    pages = list(Page.objects.filter(host=host) if host else Page.objects.all())
    if len(pages) != 1:
        known = ", ".join(page.host for page in Page.objects.all()) or "none"
        raise CommandError(f"Choose one page by --page HOST. There are: {known}.")
    return pages[0]


def _is_due(last: ExportReport, host: str | None) -> bool:
    return _find_page(host).generation != last.generation or timezone.now() >= last.changes_at
