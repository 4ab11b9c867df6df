"""The cache of finished documents in this process's memory, with the answers that the fast path composed of them."""

import threading
from collections import OrderedDict

from public.serving.document_bytes import Edition, Key
from public.serving.http_replies import Answers

CACHE_BYTES = 16 * 1024 * 1024
CACHE_DOCUMENTS = 2_000


class EditionCache:
    """Finished documents, and for each the answers over HTTP and HTTPS if they were asked for.

    Bounded in number and in bytes: the least recently used document is removed first, together with its answers. A new edition
    leaves the answers as they are: public/serving/refresher.py replaces them. Any thread may call it.
    """

    def __init__(self) -> None:
        self._editions: OrderedDict[Key, Edition] = OrderedDict()
        self._answers: dict[tuple[Key, bool], Answers] = {}
        self._bytes = 0
        self._lock = threading.Lock()
        self.removed = 0
        """Counts the documents and answers that were removed or replaced. When it rises, replies kept elsewhere may be old."""

    def get(self, key: Key) -> Edition | None:
        self.touch(key)
        return self._editions.get(key)

    def touch(self, key: Key) -> None:
        """Mark a document as used now."""
        with self._lock:
            if key in self._editions:
                self._editions.move_to_end(key)

    def put(self, key: Key, edition: Edition) -> None:
        with self._lock:
            if former := self._editions.pop(key, None):
                self._bytes -= former.size
            self._editions[key] = edition
            self._bytes += edition.size
            if edition.most_kept is not None:
                siblings = [each for each in self._editions if each[:2] == key[:2]]  # page and route
                for each in siblings[: -edition.most_kept]:
                    self._remove(each)
            while len(self._editions) > CACHE_DOCUMENTS or (self._bytes > CACHE_BYTES and len(self._editions) > 1):
                self._remove(next(iter(self._editions)))

    def drop(self, key: Key) -> None:
        with self._lock:
            self._remove(key)

    def _remove(self, key: Key) -> None:
        edition = self._editions.pop(key, None)
        self._bytes -= edition.size if edition else 0
        for secure in (False, True):
            self._answers.pop((key, secure), None)
        self.removed += 1

    def find_answers(self, key: Key, *, secure: bool) -> Answers | None:
        return self._answers.get((key, secure))

    def keep_answers(self, answers: Answers) -> None:
        """Keep `answers`, unless the cache has removed their document meanwhile."""
        target = answers.target
        with self._lock:
            if target.key in self._editions:
                self.removed += (target.key, target.secure) in self._answers
                self._answers[target.key, target.secure] = answers

    def drop_answers(self, answers: Answers) -> None:
        """Remove `answers`, unless others replaced them meanwhile."""
        target = answers.target
        with self._lock:
            if self._answers.get((target.key, target.secure)) is answers:
                del self._answers[target.key, target.secure]
                self.removed += 1

    def list_answers(self) -> list[Answers]:
        with self._lock:
            return list(self._answers.values())

    def names(self) -> list[Key]:
        with self._lock:
            return list(self._editions)

    def __len__(self) -> int:
        return len(self._editions)
