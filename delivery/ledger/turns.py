"""Of each channel one thread of a process sends at a time: a slow channel must not take all threads of a worker."""

import threading


class Turns:
    """Who holds which turn in this process, and whether somebody asked for it meanwhile."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[str, bool] = {}

    def begin(self, key: str) -> bool:
        """False when another thread has the turn; that somebody asked is noted for it."""
        with self._lock:
            is_free = key not in self._asked
            self._asked[key] = not is_free
            return is_free

    def end(self, key: str) -> bool:
        """Give the turn back; whether somebody asked meanwhile, whose work may not have been seen."""
        with self._lock:
            return self._asked.pop(key)


sending = Turns()
