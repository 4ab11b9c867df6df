"""How many documents are rendered at once, so that a flood of addresses which nobody asked for before delays no document
that everybody reads.

fixed  addresses without a part that varies, and documents that are in memory already: what everybody reads
part   a code or a month in the path: an incident, a component, a badge. A stranger can make such addresses up
query  words or a number of a page in the query: each is another document, as many as a stranger likes
"""

import asyncio

from public.serving.document_addresses import Target

FIXED_AT_ONCE = 8
PARTS_AT_ONCE, MOST_PARTS_WAITING = 4, 500
QUERIES_AT_ONCE, MOST_QUERIES_WAITING = 1, 10


class LoadQueue:
    """Renders so many documents at once. The others wait, and when too many wait, the next is refused."""

    def __init__(self, at_once: int, most_waiting: int | None = None) -> None:
        self.slots = asyncio.Semaphore(at_once)
        self._most = None if most_waiting is None else at_once + most_waiting
        self._inside = 0

    def enter(self) -> bool:
        """False when it is full; else `leave` must follow."""
        if self._most is not None and self._inside >= self._most:
            return False
        self._inside += 1
        return True

    def leave(self) -> None:
        self._inside -= 1


class LoadQueues:
    def __init__(self) -> None:
        self.fixed = LoadQueue(FIXED_AT_ONCE)
        self.part = LoadQueue(PARTS_AT_ONCE, MOST_PARTS_WAITING)
        self.query = LoadQueue(QUERIES_AT_ONCE, MOST_QUERIES_WAITING)

    def queue_for(self, target: Target, *, is_kept: bool) -> LoadQueue:
        """`is_kept`: an edition of the document is in memory."""
        if is_kept or not target.varies:
            return self.fixed
        return self.query if target.query else self.part
