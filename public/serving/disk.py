"""The documents on disk: a web process starts from them when the database does not answer.

One process for each data directory writes. It holds a lock; when it dies, another process gets the lock. After each change
it loads every document that the front page links to, replaces the file of each, writes the listing last and removes older
files. So all documents that are read back belong to one generation. Incomplete and damaged files are ignored.
"""

import asyncio
import contextlib
import fcntl
import hashlib
import json
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import IO, TYPE_CHECKING, Any

from core.files import replace_file
from public.serving.document_bytes import Edition, Key
from public.serving.document_list import list_current
from public.serving.host_index import Listing
from public.serving.render_cache import Editions

if TYPE_CHECKING:
    from public.serving.fast_path import FastPath

FORMAT = 1
TOUCH_SECONDS = 10.0
PAUSE_SECONDS = 0.005  # between two documents, so that requests of visitors are answered meanwhile
LISTING = "listing.json"
ENDING = ".document"

log = logging.getLogger(__name__)


class DiskCopy:
    """The files in one directory. The time of `listing.json` says when the files were last known to be up to date."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock: IO[str] | None = None

    def claim(self) -> bool:
        """True in the one process that may write."""
        if self._lock is not None:
            return True
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = (self.directory / "lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            return False
        self._lock = lock
        return True

    def release(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def store(self, key: Key, edition: Edition) -> None:
        """Raises OSError, for example when the disk is full; the old file then stays."""
        replace_file(self._path(key), pack(key, edition))

    def store_listing(self, listing: Listing) -> None:
        """Store which pages and generations there are, and remove documents of older generations."""
        state = {"format": FORMAT, "hosts": listing.hosts, "generations": list(listing.generations.items())}
        replace_file(self.directory / LISTING, json.dumps(state).encode())
        for path in self.directory.glob(f"*{ENDING}"):
            found = unpack(path.read_bytes())
            if found is None or found[1].version[0] < listing.generations.get(found[0][0], 1 << 62):
                path.unlink(missing_ok=True)

    def touch(self) -> None:
        with contextlib.suppress(OSError):
            os.utime(self.directory / LISTING)

    def load_into(self, editions: Editions) -> int:
        """Put the stored documents into empty `editions`; returns how many. 0 when no listing can be read."""
        if editions.host_index.known() is not None:
            return 0
        try:
            path = self.directory / LISTING
            state, age = json.loads(path.read_bytes()), max(0.0, time.time() - path.stat().st_mtime)
            listing = Listing(dict(state["hosts"]), {int(pk): int(number) for pk, number in state["generations"]})
        except (OSError, ValueError, KeyError, TypeError):
            return 0
        count = 0
        for key, edition in self._documents():
            if edition.version[0] >= listing.generations.get(key[0], 1 << 62):
                editions.cache.put(key, edition)
                count += 1
        editions.host_index.adopt(listing, age)
        return count

    def _documents(self) -> Iterator[tuple[Key, Edition]]:
        for path in sorted(self.directory.glob(f"*{ENDING}")):
            with contextlib.suppress(OSError):
                if (found := unpack(path.read_bytes())) is not None:
                    yield found

    def _path(self, key: Key) -> Path:
        return self.directory / f"{hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]}{ENDING}"


def pack(key: Key, edition: Edition) -> bytes:
    """A checksum, a line of JSON, then the bodies one after the other."""
    described = {
        "format": FORMAT,
        "key": key,
        "version": edition.version,
        "status": edition.status,
        "headers": dict(edition.headers),
        "tag": edition.tag,
        "bodies": [[encoding, len(body)] for encoding, body in edition.bodies.items()],
    }
    rest = json.dumps(described).encode() + b"\n" + b"".join(edition.bodies.values())
    return hashlib.sha256(rest).hexdigest().encode() + b"\n" + rest


def unpack(data: bytes) -> tuple[Key, Edition] | None:
    """None for a file that is not whole."""
    digest, _, rest = data.partition(b"\n")
    if hashlib.sha256(rest).hexdigest().encode() != digest:
        return None
    line, _, bodies = rest.partition(b"\n")
    described: dict[str, Any] = json.loads(line)
    if described["format"] != FORMAT:
        return None
    found, start = {}, 0
    for encoding, length in described["bodies"]:
        found[encoding] = bodies[start : start + length]
        start += length
    generation, built_at = described["version"]
    edition = Edition(
        version=(generation, built_at),
        status=described["status"],
        headers=described["headers"],
        bodies=found,
        tag=described["tag"],
        made_at=monotonic(),
    )
    return _as_key(described["key"]), edition


def _as_key(value: list[Any]) -> Key:
    return tuple(tuple(each) if isinstance(each, list) else each for each in value)


class DiskCopyWriter:
    """Writes the copy after each change, in the server's event loop beside the refresher."""

    def __init__(self, fast_path: "FastPath", copy: DiskCopy) -> None:
        self.fast_path = fast_path
        self.copy = copy
        self._stored: dict[int, int] = {}
        """Generation by page id, as stored."""
        self._touched_at = 0.0

    async def run(self) -> None:
        while True:
            try:
                await self._store_changes()
            except OSError as error:
                log.warning("the copy of the documents on disk (DATA_DIR) cannot be written: %s", error)
            except Exception:  # a bug here must not stop serving from memory
                log.exception("the copy of the documents on disk was not written")
            await asyncio.sleep(1)

    async def _store_changes(self) -> None:
        hosts = self.fast_path.editions.host_index
        listing = hosts.known()
        if listing is None or hosts.age() is not None or not self.copy.claim():
            return
        if listing.generations != self._stored:
            await self._store(listing)
            self._stored = dict(listing.generations)
        elif monotonic() > self._touched_at + TOUCH_SECONDS:
            self.copy.touch()
            self._touched_at = monotonic()

    async def _store(self, listing: Listing) -> None:
        for host, page_id in listing.hosts.items():
            if listing.generations[page_id] != self._stored.get(page_id):
                await self._store_page(page_id, host)
        await asyncio.to_thread(self.copy.store_listing, listing)

    async def _store_page(self, page_id: int, host: str) -> None:
        for path in await asyncio.to_thread(list_current, self.fast_path.editions, page_id):
            named = await self.fast_path.ask_for_edition(host, path)
            if named is not None:
                await asyncio.to_thread(self.copy.store, *named)
            await asyncio.sleep(PAUSE_SECONDS)
