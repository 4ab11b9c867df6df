"""A finished public document, and the cache of them in this process's memory."""

import gzip
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import brotli

CACHE_CONTROL = "public, max-age=10, s-maxage=15, stale-while-revalidate=60, stale-if-error=86400"
# What scripts fetch again and again. A browser that may keep it, or use it stale while it asks, shows every
# poll the answer before; asking costs a 304.
POLLED = {"Cache-Control": "public, max-age=0, s-maxage=15, stale-if-error=86400"}
CACHE_BYTES = 16 * 1024 * 1024
CACHE_DOCUMENTS = 2_000
SMALLEST_PACKED = 256  # bytes; below it, headers weigh more than compression saves

Key = tuple[Any, ...]
Version = tuple[int, str]
"""Generation of the page, and when the snapshot was built."""


@dataclass(frozen=True)
class Rendered:
    """What a document's function returns. `headers` are added to, and win over, the ones the edition sets."""

    body: str | bytes
    content_type: str = "text/html; charset=utf-8"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Edition:
    """One finished document, compared by identity.

    `bodies` by encoding; `version` is that of the snapshot it was rendered from.
    """

    version: Version
    status: int
    headers: Mapping[str, str]
    bodies: Mapping[str, bytes]
    tag: str
    made_at: float

    def etag(self, encoding: str) -> str:
        """Strong, and different for each encoding, because the bytes are."""
        return f'"{self.tag}"' if encoding == "identity" else f'"{self.tag}-{encoding}"'

    @property
    def size(self) -> int:
        """Bytes of all its bodies."""
        return sum(map(len, self.bodies.values()))


def finish(rendered: Rendered, version: Version) -> Edition:
    """Encode, compress, tag."""
    body = rendered.body.encode() if isinstance(rendered.body, str) else rendered.body
    headers = {
        "Content-Type": rendered.content_type,
        "Cache-Control": CACHE_CONTROL,
        "Vary": "Accept-Encoding",
        # By it the canary sees from outside whether a document is of the page's present state (docs/canary.md).
        "X-Edition-Generation": str(version[0]),
    }
    return Edition(
        version=version,
        status=rendered.status,
        headers=headers | dict(rendered.headers),
        bodies=compress(body),
        tag=hashlib.sha256(body).hexdigest()[:20],
        made_at=monotonic(),
    )


def compress(body: bytes) -> dict[str, bytes]:
    """`body` by encoding; as it is only, where packing would not pay."""
    if len(body) < SMALLEST_PACKED:
        return {"identity": body}
    return {"identity": body, "gzip": gzip.compress(body, mtime=0), "br": brotli.compress(body, quality=9)}


class EditionCache:
    """Finished documents, the least recently wanted ones dropped first. Bounded in number and in bytes."""

    def __init__(self) -> None:
        self._editions: OrderedDict[Key, Edition] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, key: Key) -> Edition | None:
        with self._lock:
            if key in self._editions:
                self._editions.move_to_end(key)
            return self._editions.get(key)

    def put(self, key: Key, edition: Edition) -> None:
        self.drop(key)
        with self._lock:
            self._editions[key] = edition
            self._bytes += edition.size
            while len(self._editions) > CACHE_DOCUMENTS or (self._bytes > CACHE_BYTES and len(self._editions) > 1):
                _, dropped = self._editions.popitem(last=False)
                self._bytes -= dropped.size

    def drop(self, key: Key) -> None:
        with self._lock:
            if dropped := self._editions.pop(key, None):
                self._bytes -= dropped.size

    def names(self) -> list[Key]:
        with self._lock:
            return list(self._editions)

    def items(self) -> list[tuple[Key, Edition]]:
        with self._lock:
            return list(self._editions.items())

    def __len__(self) -> int:
        return len(self._editions)
