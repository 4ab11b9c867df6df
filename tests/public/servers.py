"""Real web servers in a thread of the test, and raw bytes to and from them."""

import asyncio
import contextlib
import re
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

import uvicorn
from django.core.asgi import get_asgi_application

from public.serving.fast_path import FastPath
from public.serving.server import Protocol
from tests.processes import free_port, wait_until


class CountingProtocol(Protocol):
    """Notes what the shortcut left to uvicorn's own parser."""

    passed_to_uvicorn: list[bytes] = []

    def _pass_to_uvicorn(self, data: bytes) -> None:
        self.passed_to_uvicorn.append(data)
        super()._pass_to_uvicorn(data)


@dataclass
class Running:
    port: int
    server: uvicorn.Server
    fast_path: FastPath | None


@contextlib.contextmanager
def run_server(*, http: Any = CountingProtocol, with_fast_path: bool = True, **options: Any) -> Iterator[Running]:
    """A server on the test's database: with the shortcut, with the ASGI fast path alone, or Django alone."""
    django = get_asgi_application()
    fast_path = FastPath(django) if with_fast_path else None
    port = free_port()
    settings = {"access_log": False, "proxy_headers": False, "server_header": False, "ws": "none", "loop": "uvloop"}
    config = uvicorn.Config(
        fast_path or django,
        port=port,
        http=http,
        log_config=None,
        lifespan="auto" if fast_path else "off",
        **settings | options,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    try:
        wait_until(lambda: server.started, what="the server")
        yield Running(port, server, fast_path)
    finally:
        server.should_exit = True
        thread.join(15)
        assert not thread.is_alive()


REST_SECONDS = 0.6  # a busy machine may take so long between the head of an answer and its body


def request(path: str, *lines: str, method: str = "GET", version: str = "HTTP/1.1") -> bytes:
    return "\r\n".join([f"{method} {path} {version}", *lines, "", ""]).encode("latin-1")


def converse(port: int, *pieces: bytes, first: float = 1.5, quiet: float = 0.15) -> bytes:
    """Send the pieces one after the other; everything that came back until the server closed or fell silent.

    It may think for `first` seconds before its first byte, and pause for `quiet` after that.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for index, piece in enumerate(pieces):
            if index:
                threading.Event().wait(0.02)
            connection.sendall(piece)
        connection.settimeout(first)
        received = b""
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            while data := connection.recv(65536):
                received += data
                connection.settimeout((quiet or 0.01) if is_whole(received) else max(quiet, REST_SECONDS))
        return received


def receive_whole(connection: socket.socket) -> bytes:
    """One answer, in however many pieces it comes."""
    received = b""
    while not is_whole(received) and (data := connection.recv(65536)):
        received += data
    return received


def is_whole(received: bytes) -> bool:
    """Whether one whole answer is there."""
    head, end, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: (\d+)", head)
    return bool(end) and (length is None or len(body) >= int(length[1]))


def count_answers(received: bytes) -> int:
    return len(re.findall(rb"HTTP/1\.1 \d{3} ", received))


DATE = re.compile(rb"\r\ndate: ([^\r\n]+)\r\n")


def take_dates(received: bytes) -> tuple[bytes, Sequence[float]]:
    """The answer without its dates, and the dates in seconds."""
    dates = [parsedate_to_datetime(found.decode()).timestamp() for found in DATE.findall(received)]
    return DATE.sub(b"\r\ndate: *\r\n", received), dates
