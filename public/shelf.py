"""Where finished documents are kept, bounded whatever visitors ask for."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

SHELF_BYTES = 32 * 1024 * 1024
SHELF_DOCUMENTS = 2_000

Key = tuple[Any, ...]
Version = tuple[int, str]


@dataclass(frozen=True)
class Edition:
    """One finished document. `bodies` by encoding; `version` is that of the snapshot it was rendered from."""

    version: Version
    status: int
    headers: Mapping[str, str]
    bodies: Mapping[str, bytes]
    tag: str
    made_at: float

    def etag(self, encoding: str) -> str:
        """Strong, and different for each encoding, because the bytes are."""
        return f'"{self.tag}"' if encoding == "identity" else f'"{self.tag}-{encoding}"'


class Shelf:
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
            self._bytes += _size(edition)
            while len(self._editions) > SHELF_DOCUMENTS or (self._bytes > SHELF_BYTES and len(self._editions) > 1):
                _, dropped = self._editions.popitem(last=False)
                self._bytes -= _size(dropped)

    def drop(self, key: Key) -> None:
        with self._lock:
            if dropped := self._editions.pop(key, None):
                self._bytes -= _size(dropped)

    def __len__(self) -> int:
        return len(self._editions)


def _size(edition: Edition) -> int:
    return sum(map(len, edition.bodies.values()))
