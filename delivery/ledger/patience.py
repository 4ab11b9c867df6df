"""Writing what must not get lost: not to record what went out means to send it again later."""

import time
from collections.abc import Callable
from typing import TypeVar

from django.conf import settings
from django.db import OperationalError, connection

T = TypeVar("T")
PATIENCE_SECONDS = 10.0
PAUSE_SECONDS = 0.5


def patiently(write: Callable[[], T]) -> T:
    """Ask again while the database is away, or ends a transaction for another's sake (a deadlock); never for longer
    than half a lease. `write` may be called several times. Raises OperationalError."""
    until = time.monotonic() + min(PATIENCE_SECONDS, settings.DELIVERY_LEASE_SECONDS / 2)
    while True:
        try:
            return write()
        except OperationalError:
            connection.close()
            if time.monotonic() >= until:
                raise
            time.sleep(PAUSE_SECONDS)
