"""Renders each public document once for each change of its page, and keeps it in memory.

A document is rendered again when the page's generation has grown or its snapshot has expired (`changes_at`). One thread
renders while the others get the old edition. When that fails, the old edition is served with its age: for how many seconds
no newer one could be made.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic

from django.db import Error as DatabaseError
from django.http import Http404
from django.utils import timezone

from pages.models import Page
from public.serving.document_bytes import Edition, Key, Rendered, Version, finish
from public.serving.edition_cache import EditionCache
from public.serving.host_index import HostIndex
from public.serving.stale_line import STALE_LINE_AFTER_SECONDS, add_stale_line, minute_before
from public.shapes import Snapshot
from public.snapshot import build

RENDER_WAIT_SECONDS = 10.0  # how long a request waits while another thread renders

log = logging.getLogger(__name__)


class UnknownHostError(Http404):
    """No page answers on this host name."""


class BusyError(DatabaseError):
    """Another thread has been rendering for RENDER_WAIT_SECONDS."""


class Editions:
    """Every page's snapshot and finished documents in this process."""

    def __init__(self) -> None:
        self.host_index = HostIndex()
        self.cache = EditionCache()
        self._snapshots: dict[int, Snapshot] = {}
        self._rendering = threading.Lock()
        self._renewing: set[Key] = set()
        self._choosing = threading.Lock()

    def is_ready(self) -> bool:
        """Whether documents can be served, because the database or the copy on disk was read at some time."""
        try:
            self.host_index.listing()
        except DatabaseError:
            return False
        return True

    def is_empty(self) -> bool:
        """Whether there is no page yet; False when that is unknown."""
        try:
            return not self.host_index.listing().hosts
        except DatabaseError:
            return False

    def load_snapshot(self, host: str) -> Snapshot:
        """The public state of the page on `host`, for views that are not documents, such as a form.

        Raises UnknownHostError; django.db.Error when the database is down and nothing was read before.
        """
        return self.load_snapshot_of(self._page_for(host))

    def load_snapshot_of(self, page_id: int) -> Snapshot:
        """As load_snapshot, by the page's id."""
        if (snapshot := self._current_snapshot(page_id)) is not None:
            return snapshot
        with self._render_lock():
            return self._renew_snapshot(page_id)

    def fetch(self, host: str, name: Key, render: Callable[[Snapshot], Rendered]) -> tuple[Key, Edition]:
        """The document `name` of the page on `host`, with its key in the cache; calls `render` if it must be rendered.

        Raises UnknownHostError, Http404 from `render`, and any other error if there is no older edition to serve.
        """
        page_id = self._page_for(host)
        key = (page_id, *name)
        kept = self.cache.get(key)
        age = self.host_index.age()
        if kept is not None and (age is not None or self._is_current(page_id, kept)):
            return key, _with_age(kept, age)
        return key, self._renew(page_id, key, render, kept)

    def is_page_current(self, page_id: int) -> bool:
        """Whether the snapshot of a page is up to date, or could not be brought up to date now."""
        return self._current_snapshot(page_id) is not None

    def version(self, page_id: int) -> Version | None:
        """The version of the page's newest snapshot in this process."""
        snapshot = self._snapshots.get(page_id)
        return version_of(snapshot) if snapshot else None

    def forget_page(self, page_id: int) -> None:
        self._snapshots.pop(page_id, None)
        for key in self.cache.names():
            if key[0] == page_id:
                self.cache.drop(key)

    def _page_for(self, host: str) -> int:
        page_id = self.host_index.listing().page_for(host)
        if page_id is None:
            raise UnknownHostError("No status page answers on this host name.")
        return page_id

    def _is_current(self, page_id: int, edition: Edition) -> bool:
        snapshot = self._current_snapshot(page_id)
        return snapshot is not None and edition.version == version_of(snapshot)

    def _current_snapshot(self, page_id: int) -> Snapshot | None:
        """The snapshot; None when it must be built, because the generation has grown or it has expired."""
        snapshot = self._snapshots.get(page_id)
        if snapshot is None or self.host_index.age() is not None:
            return snapshot
        same = snapshot.page.generation == self.host_index.listing().generations.get(page_id)
        return snapshot if same and timezone.now() < snapshot.changes_at else None

    def _renew_snapshot(self, page_id: int) -> Snapshot:
        """Build the snapshot unless another thread just did. The caller holds `_rendering`."""
        if (snapshot := self._current_snapshot(page_id)) is not None:
            return snapshot
        try:
            snapshot = build(Page.objects.get(pk=page_id))
        except Page.DoesNotExist:
            raise UnknownHostError("This status page was removed.") from None
        self._snapshots[page_id] = snapshot
        return snapshot

    def _renew(self, page_id: int, key: Key, render: Callable[[Snapshot], Rendered], kept: Edition | None) -> Edition:
        """Render the document. One thread at a time renders; the others get the old edition."""
        if kept is not None and not self._begin(key):
            return kept
        try:
            with self._render_lock():
                return _with_age(self._render(page_id, key, render), self.host_index.age())
        except Http404:
            self.cache.drop(key)
            raise
        except Exception:
            if kept is None:
                raise
            log.exception("rendering failed, serving the last edition: %s", key)
            return _with_age(kept, int(monotonic() - kept.made_at))
        finally:
            if kept is not None:
                self._renewing.discard(key)

    def _begin(self, key: Key) -> bool:
        """False when another thread is renewing this document."""
        with self._choosing:
            if key in self._renewing:
                return False
            self._renewing.add(key)
            return True

    @contextmanager
    def _render_lock(self) -> Iterator[None]:
        """Holds the lock under which snapshots are built and documents rendered. Raises BusyError."""
        if not self._rendering.acquire(timeout=RENDER_WAIT_SECONDS):
            raise BusyError("another thread renders and waits for a database that does not answer")
        try:
            yield
        finally:
            self._rendering.release()

    def _render(self, page_id: int, key: Key, render: Callable[[Snapshot], Rendered]) -> Edition:
        snapshot = self._renew_snapshot(page_id)
        edition = self.cache.get(key)
        if edition is not None and edition.version == version_of(snapshot):
            return edition  # another thread made it while this one waited
        edition = finish(render(snapshot), version_of(snapshot))
        self.cache.put(key, edition)
        return edition


editions = Editions()


def _with_age(edition: Edition, age: int | None) -> Edition:
    if age is None:
        return edition
    if age >= STALE_LINE_AFTER_SECONDS:
        edition = add_stale_line(edition, minute_before(age))
    return replace(edition, age=age)


def version_of(snapshot: Snapshot) -> Version:
    return snapshot.page.generation, snapshot.built_at.isoformat()
