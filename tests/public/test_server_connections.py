"""Connections that are idle, and clients that do not read."""

import contextlib
import socket
import time

import pytest

from pages.models import Page
from tests.public.conftest import ACME
from tests.public.servers import (
    converse,
    receive_whole,
    request,
    run_server,
)

HOST = f"Host: {ACME}"


@pytest.mark.once
def test_idle_connections_are_closed_and_busy_ones_are_not(transactional_db: None, acme: Page) -> None:
    with run_server(timeout_keep_alive=1) as running, contextlib.ExitStack() as stack:
        silent, slow, used = (
            stack.enter_context(socket.create_connection(("127.0.0.1", running.port), timeout=5)) for _ in range(3)
        )
        slow.sendall(b"GET / HTTP/1.1\r\n")
        for step in range(9):
            used.sendall(request("/badge.svg", HOST))
            assert receive_whole(used).startswith(b"HTTP/1.1 200 OK")
            if step < 3:
                slow.sendall(b"X: y\r\n")
            time.sleep(0.5)
        for closed in (silent, slow):
            assert closed.recv(100) == b""


@pytest.mark.once
def test_a_client_that_does_not_read_cannot_fill_the_memory(transactional_db: None, acme: Page) -> None:
    with run_server(timeout_keep_alive=1) as running:
        converse(running.port, request("/", HOST))
        with socket.create_connection(("127.0.0.1", running.port), timeout=5) as greedy:
            greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            greedy.settimeout(0.2)
            with contextlib.suppress(OSError):
                for _ in range(20_000):
                    greedy.sendall(request("/", HOST))
            connections = list(running.server.server_state.connections)
            held = [connection.transport.get_write_buffer_size() for connection in connections]
            assert max(held, default=0) < 1_000_000
