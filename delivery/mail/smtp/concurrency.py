"""How many connections a server bears, found out by trying."""

import time
from collections.abc import Callable

# After a setback, so many messages must pass before one more connection is tried.
CALM_MESSAGES = 200
# Connections that fail together are one setback.
SETBACK_SECONDS = 1.0


class Concurrency:
    """One connection, and one more after each message handed over, until the server complains; then half
    as many, and from there on slowly up again."""

    def __init__(self, limit: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.allowed = 1
        self._limit = limit
        self._clock = clock
        self._needed = 1
        self._calm = 0
        self._last_setback = float("-inf")

    def message_sent(self) -> None:
        self._calm += 1
        if self._calm >= self._needed and self.allowed < self._limit:
            self.allowed += 1
            self._calm = 0

    def setback(self) -> None:
        """421, 450 and the like, or a connection that broke."""
        self._calm = 0
        self._needed = CALM_MESSAGES
        now = self._clock()
        if now - self._last_setback >= SETBACK_SECONDS:
            self._last_setback = now
            self.allowed = max(1, self.allowed // 2)

    def stay_at(self, connections: int) -> None:
        """The server did not take one more."""
        self.setback()
        self.allowed = max(1, min(self.allowed, connections))
