"""In each process one thread at a time sends on a channel: a slow channel must not occupy all threads of a worker."""

import threading


class SingleSender:
    """Which channels are being sent now in this process, and whether another task asked for one meanwhile."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: dict[str, bool] = {}

    def begin(self, kind: str) -> bool:
        """Start sending on a channel. False when another thread does so already; `end` tells it that we asked."""
        with self._lock:
            is_free = kind not in self._asked
            self._asked[kind] = not is_free
            return is_free

    def end(self, kind: str) -> bool:
        """Stop sending. True when another task asked meanwhile: its rows may have become due after the last claim."""
        with self._lock:
            return self._asked.pop(kind)


single_sender = SingleSender()
