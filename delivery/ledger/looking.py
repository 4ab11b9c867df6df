"""Receipts that somebody looks at again and again: counted once for all who look, and no more often than is good.

Counting a million rows takes about a second of the database, and several while senders keep it busy
(docs/performance.md). So what took long to count holds for ten times as long as that took, and 10 seconds at most,
however many watch in this process. The receipt of a small audience is always fresh.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from delivery.models import Notice
from delivery.receipt import Receipt, build_receipt

REST = 10
LONGEST_REST_SECONDS = 10.0
CHEAP_SECONDS = 0.1


@dataclass(frozen=True)
class _Look:
    receipt: Receipt
    stale_at: float


class Looks:
    """The newest look at each notice that is being watched. One thread counts; the others get what it counted last."""

    def __init__(self, count: Callable[[Notice], Receipt] = build_receipt) -> None:
        self._count = count
        self._newest: dict[int, _Look] = {}
        self._locks: dict[int, threading.Lock] = {}

    def at(self, notice: Notice) -> Receipt:
        """The notice's receipt, counted anew when the last count is too old to be shown."""
        if notice.settled_at:
            return self._count(notice)  # which are kept counts
        known = self._newest.get(notice.pk)
        if known is not None and monotonic() < known.stale_at:
            return known.receipt
        lock = self._locks.setdefault(notice.pk, threading.Lock())
        if not lock.acquire(blocking=known is None):
            assert known is not None  # noqa: S101 (else it would have waited)
            return known.receipt
        try:
            newer = self._newest.get(notice.pk)
            if newer is not None and newer is not known:
                return newer.receipt  # counted while this thread waited
            return self._look_anew(notice)
        finally:
            lock.release()

    def _look_anew(self, notice: Notice) -> Receipt:
        started = monotonic()
        receipt = self._count(notice)
        now = monotonic()
        self._drop_stale(now)
        if receipt.is_finished or now - started < CHEAP_SECONDS:
            self.forget(notice.pk)  # it must not hide that staff try again, through another process
        else:
            self._newest[notice.pk] = _Look(receipt, now + min(REST * (now - started), LONGEST_REST_SECONDS))
        return receipt

    def _drop_stale(self, now: float) -> None:
        """From a copy: other threads may be adding theirs."""
        for pk in [pk for pk, look in list(self._newest.items()) if look.stale_at + 60 < now]:
            self.forget(pk)

    def forget(self, pk: int) -> None:
        """After staff changed something, which they must see."""
        self._newest.pop(pk, None)

    def forget_all(self) -> None:
        """As a new process begins."""
        self._newest.clear()


looks = Looks()
