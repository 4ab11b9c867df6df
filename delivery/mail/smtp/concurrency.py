"""How many connections to open at once: as many as the server takes without complaint."""

import time
from collections.abc import Callable

# After a setback, so many messages must be sent before one more connection is tried.
CALM_MESSAGES = 200
# Failures within this time count as one setback.
SETBACK_SECONDS = 1.0


class Concurrency:
    """Allows one connection at first and one more after each message sent. A setback halves the number; from then on it
    grows slowly."""

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
        """Count a 421, 450 or similar answer, or a lost connection."""
        self._calm = 0
        self._needed = CALM_MESSAGES
        now = self._clock()
        if now - self._last_setback >= SETBACK_SECONDS:
            self._last_setback = now
            self.allowed = max(1, self.allowed // 2)

    def stay_at(self, connections: int) -> None:
        """Open no more than so many, because the server refused one more."""
        self.setback()
        self.allowed = max(1, min(self.allowed, connections))
