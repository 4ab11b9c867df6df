"""A cached value with a time limit, for what many callers ask for and what is expensive to read."""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class ExpiringValue(Generic[T]):
    """What `read` returned, for `seconds` after it returned.

    One thread reads at a time: whoever asks meanwhile waits and gets the same value. An error is remembered for as
    long as a value, so that a part in trouble is not asked by each who asks.
    """

    def __init__(self, read: Callable[[], T], seconds: float, clock: Callable[[], float] = monotonic) -> None:
        self._read = read
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._expires_at = float("-inf")
        self._value: T
        self._error: Exception | None = None

    def get(self) -> T:
        """Raises what `read` raised."""
        with self._lock:
            if self._clock() >= self._expires_at:
                self._refresh()
            if self._error is not None:
                # Without the traceback of former callers, which would grow with each call.
                raise self._error.with_traceback(None)
            return self._value

    def _refresh(self) -> None:
        try:
            self._value, self._error = self._read(), None
        except Exception as error:
            self._error = error
        self._expires_at = self._clock() + self._seconds
