"""No host gets more than so many requests of this process at once; whoever comes later waits for a turn."""

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator

AT_ONCE = 8

_taken: Counter[str] = Counter()
_change = threading.Condition()


def take_now(host: str) -> bool:
    """Whether a turn was free and is taken now: it must be given back."""
    with _change:
        if _taken[host] >= AT_ONCE:
            return False
        _taken[host] += 1
        return True


def give_back(host: str) -> None:
    with _change:
        _taken[host] -= 1
        if not _taken[host]:
            del _taken[host]
        _change.notify_all()


@contextlib.contextmanager
def turn(host: str, seconds: float) -> Iterator[bool]:
    """False when none came within `seconds`."""
    with _change:
        is_mine = _change.wait_for(lambda: take_now(host), seconds)
    try:
        yield is_mine
    finally:
        if is_mine:
            give_back(host)
