"""A local HTTP server that says what a test tells it to, and keeps what it was sent."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Sent:
    """One request. Header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Reply:
    status: int = 200
    body: bytes = b"ok"
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    """Silence before it."""


@dataclass
class Listener:
    url: str = ""
    answer: Callable[[Sent], Reply] = lambda sent: Reply()
    requests: list[Sent] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    listener: Listener

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        sent = Sent(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        self.listener.requests.append(sent)
        reply = self.listener.answer(sent)
        time.sleep(reply.seconds)
        with suppress(ConnectionError):  # the client may have given up
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *args: Any) -> None:
        """Quiet."""


@contextmanager
def listening(answer: Callable[[Sent], Reply] | None = None) -> Iterator[Listener]:
    listener = Listener()
    if answer:
        listener.answer = answer
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"listener": listener}))
    server.daemon_threads = True
    listener.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield listener
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextmanager
def one_visit(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a server that serves one connection as it is told to."""
    server = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            connection, _ = server.accept()
            with connection:
                serve(connection)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield server.getsockname()[1]
    finally:
        server.close()
        thread.join(10)
