"""A TCP proxy that can let what passes through it vanish, as a firewall does that has forgotten a connection."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path
from typing import Self


class Proxy:
    """From a port on loopback to a server's socket file."""

    def __init__(self, server: Path) -> None:
        self.server = server
        self.accepted_since = 0
        """Connections since `swallow_all`."""
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._listening.settimeout(0.05)
        self.port: int = self._listening.getsockname()[1]
        self._closing = threading.Event()
        self._sockets: list[socket.socket] = []
        self._swallowed: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *exception: object) -> None:
        """Leaves no socket open, whatever happened: another test would be blamed for it."""
        self._closing.set()
        try:
            self._threads[0].join(5)  # first of all, so that none is accepted that nobody ends
            for each in self._sockets:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            for thread in self._threads:
                thread.join(5)
        finally:
            for each in (self._listening, *self._sockets):
                each.close()

    def swallow_all(self) -> None:
        """Connections that exist stay open and carry nothing more, in either direction; new ones work."""
        self.accepted_since = 0
        self._swallowed = set(self._sockets)

    def _accept(self) -> None:
        while not self._closing.is_set():
            with suppress(TimeoutError):
                client, _ = self._listening.accept()
                self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        """While the server restarts, who comes is sent away; the next one may find it again. So it is while the server
        is frozen with its queue full: who waited for it here would keep `__exit__` from closing everything."""
        upstream = socket.socket(socket.AF_UNIX)
        upstream.settimeout(1)
        try:
            upstream.connect(str(self.server))
        except OSError:
            upstream.close()
            client.close()
            return
        upstream.settimeout(None)
        self._sockets += [client, upstream]
        self.accepted_since += 1
        for source, target in ((client, upstream), (upstream, client)):
            thread = threading.Thread(target=self._carry, args=(source, target), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if source not in self._swallowed:
                    target.sendall(data)
            if source not in self._swallowed:
                target.shutdown(socket.SHUT_WR)
