"""A local HTTP server that says what a test tells it to, and keeps what it was sent."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
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


@dataclass
class Crowd:
    """A server with an address of its own for each number, 127.1.x.y, and connections that stay open."""

    port: int
    silent: set[str] = field(default_factory=set)
    """Addresses that take a request and say nothing."""
    requests: list[str] = field(default_factory=list)
    """The addresses that were asked, in turn."""
    connections: int = 0
    closes_after: int = 10**9
    """So many answers on one connection, without saying so."""
    held: list[Callable[[], object]] = field(default_factory=list)
    """What answers the requests that the silent took."""

    def end_silence(self) -> None:
        """The silent answer what they were asked."""
        self.silent.clear()
        for answer in self.held:
            answer()

    def url(self, number: int) -> str:
        return f"http://127.1.{number // 250}.{number % 250 + 1}:{self.port}/{number}"


class _Visit(asyncio.Protocol):
    """One connection to a crowd; a request comes whole, or has a body that says its length."""

    def __init__(self, server: Crowd, visits: set[asyncio.Transport]) -> None:
        self.server, self.visits = server, visits
        self.received, self.answers = b"", 0

    def connection_made(self, transport: Any) -> None:
        self.transport, self.address = transport, transport.get_extra_info("sockname")[0]
        self.visits.add(transport)
        self.server.connections += 1

    def connection_lost(self, exc: Exception | None) -> None:
        self.visits.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, end, body = self.received.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head.lower())
        if not end or len(body) < (int(length[1]) if length else 0):
            return
        self.received = b""
        self.server.requests.append(self.address)
        if self.address in self.server.silent:
            loop = asyncio.get_running_loop()
            self.server.held.append(partial(loop.call_soon_threadsafe, self.answer))
        else:
            self.answer()

    def answer(self) -> None:
        self.answers += 1
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        if self.answers == self.server.closes_after:
            self.transport.close()


@contextmanager
def crowd() -> Iterator[Crowd]:
    known, started = Crowd(0), threading.Event()
    loop, visits = asyncio.new_event_loop(), set[asyncio.Transport]()

    async def stop(server: asyncio.Server) -> None:
        server.close()
        for visit in list(visits):
            visit.abort()
        await asyncio.sleep(0)  # they hear of it

    def run() -> None:
        server = loop.run_until_complete(loop.create_server(lambda: _Visit(known, visits), "0.0.0.0", 0, backlog=1024))
        known.port = server.sockets[0].getsockname()[1]
        started.set()
        loop.run_forever()
        loop.run_until_complete(stop(server))
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    started.wait()
    try:
        yield known
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)


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
        with suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)  # closing alone does not wake who waits in accept()
        server.close()
        thread.join(10)
