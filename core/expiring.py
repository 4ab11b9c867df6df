"""A cached value with a time limit, for values that are expensive to read and often asked for."""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

T = TypeVar("T")


class ExpiringValue(Generic[T]):
    """Keeps the result of `read` for `seconds`.

    One thread reads at a time; others that ask meanwhile wait and get the same value. An error is kept as long as a value,
    so that a failing source is not asked again by every caller.
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
        """The value. Raises the error of `read` if that failed."""
        with self._lock:
            if self._clock() >= self._expires_at:
                self._refresh()
            if self._error is not None:
                # Remove the traceback, which would otherwise grow with each call.
                raise self._error.with_traceback(None)
            return self._value

    def _refresh(self) -> None:
        try:
            self._value, self._error = self._read(), None
        except Exception as error:
            self._error = error
        self._expires_at = self._clock() + self._seconds
