"""Renews the finished answers of a web process after a change, outside of visitors' requests.

It is a task in the server's event loop. Four times a second one thread reads the pages' generations. After a change, the task
renders the documents in use again, the most recently used first. Visitors get the old answers meanwhile. An answer that is
not renewed after half a second is dropped, and the next request renders it. So a change is visible within a second.

While the database does not answer, all answers are kept and say how old they are.
"""

import asyncio
import contextlib
import logging
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from public.serving import host_index
from public.serving.host_index import Listing
from public.serving.http_replies import HttpReply
from public.serving.stale_line import STALE_LINE_AFTER_SECONDS, add_stale_line, minute_before

if TYPE_CHECKING:
    from public.serving.disk import DiskCopyWriter
    from public.serving.fast_path import FastPath
    from public.serving.http_replies import Answers

READ_EVERY_SECONDS = host_index.CHECK_SECONDS
OLD_SERVED_SECONDS = 0.5  # how long old answers are served while new ones are rendered
RETRY_SECONDS = 5.0  # after a document could not be rendered
WARM_UP_SECONDS = 2.0
CLOSE_SECONDS = 2.0
IDLE_SECONDS = 900  # a document that nobody asked for during this time is rendered only on request

log = logging.getLogger(__name__)


class Refresher:
    def __init__(self, fast_path: "FastPath", disk_copy_writer: "DiskCopyWriter") -> None:
        self.fast_path = fast_path
        self.disk_copy_writer = disk_copy_writer
        self.host_index = fast_path.editions.host_index
        self._task: asyncio.Task[None] | None = None
        self._thread: ThreadPoolExecutor | None = None
        self._reading: asyncio.Future[Listing | None] | None = None
        self._seen: Listing | None = None
        self._first_read = asyncio.Event()
        self._was_old = False
        self._due_since: dict[int, float] = {}
        self._retry_at: dict[int, float] = {}

    def start(self) -> None:
        """Begin, unless it has begun. Needs a running event loop."""
        if self._task is None:
            self.host_index = self.fast_path.editions.host_index
            self.host_index.refreshers += 1
            self._thread = ThreadPoolExecutor(1, "edition-refresher")
            self.disk_copy_writer.copy.load_into(self.fast_path.editions)
            self._task = asyncio.create_task(self._run())
            self._copying = asyncio.create_task(self.disk_copy_writer.run())

    async def stop(self) -> None:
        if self._task is None or self._thread is None:
            return
        for task in (self._task, self._copying):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self.disk_copy_writer.copy.release()
        closing = asyncio.get_running_loop().run_in_executor(self._thread, _close_connection)
        await asyncio.wait([closing], timeout=CLOSE_SECONDS)  # a query that hangs delays it
        self._thread.shutdown(wait=False)
        self.host_index.refreshers -= 1
        self._task = None

    def old_since(self, age: int | None) -> float | None:
        """The monotonic time when an answer that is `age` seconds old was last known to be current."""
        return None if age is None else monotonic() - age

    async def _run(self) -> None:
        while True:
            try:
                await self._check_generations()
            except Exception:  # the next check may succeed; without one no change would be seen any more
                log.exception("checking for changes failed")
            await asyncio.sleep(READ_EVERY_SECONDS)

    async def _check_generations(self) -> None:
        await self._read_generations()
        listing = self.host_index.known()
        if listing is None:
            return
        if self._seen is None or listing.hosts != self._seen.hosts:
            self._forget_removed(listing)
        self._seen = listing
        self.fast_path.forget_removed()
        self._first_read.set()
        await self._mark_age()
        if self.host_index.age() is None:
            for page_id in listing.generations:
                await self._renew_if_due(page_id)

    async def _read_generations(self) -> None:
        """One query at a time; a query that hangs delays only the next one."""
        if self._reading is None or self._reading.done():
            self._reading = asyncio.get_running_loop().run_in_executor(self._thread, self._read)
        await asyncio.wait([self._reading], timeout=host_index.OVERDUE_SECONDS)

    def _read(self) -> Listing | None:
        try:
            return self.host_index.read()
        except DatabaseError:
            connection.close()
            return None

    def _forget_removed(self, listing: Listing) -> None:
        self.fast_path.forget_hosts()
        for page_id in {key[0] for key in self.fast_path.editions.cache.names()} - listing.generations.keys():
            self.fast_path.editions.forget_page(page_id)

    async def _mark_age(self) -> None:
        """Set the age of all answers while the database is down, and remove it when the database answers again."""
        age = self.host_index.age()
        if age is None and not self._was_old:
            return
        since = self.old_since(age)
        for answers in self.fast_path.editions.cache.list_answers():
            if since is None and answers.has_stale_line:
                self.fast_path.drop(answers)
            answers.old_since = since
        self._was_old = age is not None
        if age is not None and age >= STALE_LINE_AFTER_SECONDS:
            await self._show_stale_line(age)

    async def _show_stale_line(self, age: int) -> None:
        as_of = minute_before(age)
        for answers in self.fast_path.editions.cache.list_answers():
            if not answers.has_stale_line:
                edition = await asyncio.to_thread(add_stale_line, answers.edition, as_of)
                self.fast_path.replace(answers, answers.with_stale_line(edition))

    async def _renew_if_due(self, page_id: int) -> None:
        """Renew the page's old answers; see the top of this file."""
        editions = self.fast_path.editions
        version = editions.version(page_id) if editions.is_page_current(page_id) else None
        kept = [answers for answers in editions.cache.list_answers() if answers.target.page_id == page_id]
        old = [answers for answers in kept if answers.edition.version != version]
        if not old:
            self._due_since.pop(page_id, None)
            return
        now = monotonic()
        if now < self._retry_at.get(page_id, 0.0):
            return
        started = self._due_since.setdefault(page_id, now)
        for answers in sorted(old, key=lambda each: each.used_at, reverse=True):
            if self.fast_path.is_kept(answers) and not await self._renew(answers, started):
                self._retry_at[page_id] = monotonic() + RETRY_SECONDS
                return

    async def _renew(self, answers: "Answers", started: float) -> bool:
        """False when no newer answer could be made, so that the old one stays."""
        now = monotonic()
        is_searched = answers.edition.most_kept is not None  # each with other words: nobody will ask for it again
        if is_searched or now > started + OLD_SERVED_SECONDS or now > answers.used_at + IDLE_SECONDS:
            self.fast_path.drop(answers)
            return True
        used_at = answers.used_at
        new = await self.fast_path.load(answers.target, answers.host)
        if isinstance(new, HttpReply):
            return new.status < 500
        new.used_at = used_at
        return new.old_since is None

    async def warm_up(self) -> None:
        """Load the front pages before the first request, for at most WARM_UP_SECONDS."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._warm_up(), WARM_UP_SECONDS)

    async def _warm_up(self) -> None:
        await self._first_read.wait()
        secure = settings.SECURE_SSL_REDIRECT
        for host, page_id in self.host_index.listing().hosts.items():
            await self.fast_path.load_home(page_id, host, secure=secure)


def _close_connection() -> None:
    connection.close()  # the one of the thread that calls this
