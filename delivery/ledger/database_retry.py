"""Repeating a write while the database does not answer: a sent message that is not recorded would be sent again."""

import time
from collections.abc import Callable
from typing import TypeVar

from django.conf import settings
from django.db import OperationalError, connection

T = TypeVar("T")
GIVE_UP_SECONDS = 10.0
RETRY_EVERY_SECONDS = 0.5


def retry_database(write: Callable[[], T]) -> T:
    """Call `write` until the database accepts it; it may run several times.

    It is repeated when the connection is lost and when the database ends the transaction because of a deadlock.
    Raises OperationalError after GIVE_UP_SECONDS, or half a lease if that is shorter.
    """
    until = time.monotonic() + min(GIVE_UP_SECONDS, settings.DELIVERY_LEASE_SECONDS / 2)
    while True:
        try:
            return write()
        except OperationalError:
            connection.close()
            if time.monotonic() >= until:
                raise
            time.sleep(RETRY_EVERY_SECONDS)
