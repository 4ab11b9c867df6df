"""Exports all documents of a page as static files, for a second server or provider.

Files are written in an order in which no link leads to a missing file: static files, documents, the front page, the
manifest; then files that only the former export had are removed. An interrupted export leaves a complete site: the former
one with some newer documents.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles import finders
from django.http import Http404
from django.template.loader import render_to_string
from django.urls import resolve
from django.utils import translation

from core.languages import language_of
from core.sub_path import remove_sub_path
from pages.models import Page
from public.serving.document_bytes import Rendered, compress, finish
from public.serving.document_list import list_all
from public.serving.export_targets import ExportTarget, Manifest
from public.serving.render_cache import version_of
from public.shapes import Snapshot
from public.snapshot import build

STATIC_CACHE = "public, max-age=31536000, immutable"
STATIC_REFERENCE = re.compile(r"""["'(](/static/[^"'()?#\s]+)""".replace("/static/", re.escape(settings.STATIC_URL)))
TEXTS = ("text/html", "text/css", "text/javascript")

ReportProgress = Callable[[int, int], None]
"""Called after each document with the number of documents that are done and of all."""


@dataclass(frozen=True)
class File:
    name: str
    bodies: dict[str, bytes]
    headers: dict[str, str]

    @property
    def digest(self) -> str:
        described = repr(sorted(self.headers.items())).encode() + self.bodies["identity"]
        return hashlib.sha256(described).hexdigest()[:32]


@dataclass(frozen=True)
class ExportReport:
    written: int
    unchanged: int
    removed: int
    generation: int
    changes_at: datetime
    """When the page next changes because of time alone, so that it must be exported again."""


def export_page(page: Page, target: ExportTarget, progress: ReportProgress | None = None) -> ExportReport:
    """Raises ExportError; django.db.Error."""
    snapshot = build(page)
    paths = list(list_all(page, snapshot.built_at.astimezone(page.zone).date()))
    writing = _Writing(target, target.read_manifest())
    for number, path in enumerate(paths):
        file = _render(path, snapshot, target)
        if file is not None:
            for address in _find_static(file):
                writing.store(_read_static(address))
            if path == "/":
                writing.store(_render_missing(snapshot))
            writing.store(file)
        if progress is not None:
            progress(number + 1, len(paths))
    removed = writing.finish()
    kept = len(writing.manifest) - writing.written
    return ExportReport(writing.written, kept, removed, snapshot.page.generation, snapshot.changes_at)


class _Writing:
    """One run of an export. It writes only files that differ from the former run."""

    def __init__(self, target: ExportTarget, former: Manifest) -> None:
        self.target = target
        self.former = former
        self.manifest: Manifest = {}
        self.written = 0

    def store(self, file: File | None) -> None:
        if file is None or file.name in self.manifest:
            return
        if self.former.get(file.name) != file.digest:
            self.target.write(file.name, file.bodies, file.headers)
            self.written += 1
        self.manifest[file.name] = file.digest

    def finish(self) -> int:
        """Write the manifest and remove old files; returns how many."""
        self.target.write_manifest(self.manifest)
        gone = self.former.keys() - self.manifest.keys()
        for name in gone:
            self.target.remove(name)
        return len(gone)


def _render(path: str, snapshot: Snapshot, target: ExportTarget) -> File | None:
    """None for an address that has no document now."""
    match = resolve(path)
    parts = dict.fromkeys(match.func.params) | match.kwargs  # type: ignore[attr-defined]  # set by `published`
    try:
        with translation.override(language_of(path)):
            rendered: Rendered = match.func.document(snapshot, **parts)  # type: ignore[attr-defined]
    except Http404:
        return None
    edition = finish(rendered, version_of(snapshot))
    return File(target.name_for(path), dict(edition.bodies), dict(edition.headers))


def _render_missing(snapshot: Snapshot) -> File:
    body = render_to_string("404.html", {"page": snapshot.page}).encode()
    return File("404.html", compress(body), {"Content-Type": "text/html; charset=utf-8"})


def _find_static(file: File) -> set[str]:
    if not file.headers["Content-Type"].startswith(TEXTS):
        return set()
    return set(STATIC_REFERENCE.findall(file.bodies["identity"].decode()))


def _read_static(address: str) -> File | None:
    name = address.removeprefix(settings.STATIC_URL)
    path = Path(settings.STATIC_ROOT) / name
    if not path.is_file():
        found = finders.find(name)
        if not isinstance(found, str):
            return None
        path = Path(found)
    return File(remove_sub_path(address).lstrip("/"), compress(path.read_bytes()), {"Cache-Control": STATIC_CACHE})
