"""One request to a named address: whatever the other side does, what is told of it does no harm."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from core.exchange import NoAnswerError, exchange
from tests.http_servers import Reply, listening


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


@pytest.mark.parametrize("rest", ["/services/se cret", "/services/secret?a b", "/services/secret\x7f"])
def test_an_address_that_cannot_be_used_is_not_repeated(rest: str):
    with listening() as server, pytest.raises(ValueError, match="address") as caught:
        exchange("GET", server.url + rest, seconds=2)

    assert "cret" not in str(caught.value)
    assert not server.requests


def test_the_words_of_what_is_no_web_server_are_printable_and_short():
    def answer(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"\x1b[2J\x00" + b"A" * 5000 + b"\r\n\r\n")

    with one_visit(answer) as port, pytest.raises(NoAnswerError) as caught:
        exchange("GET", f"http://127.0.0.1:{port}/", seconds=2)

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


def test_the_words_of_an_answer_are_printable():
    with listening(lambda sent: Reply(422, b"no\x00 \x1b[31mthanks\r\n\xff")) as server:
        assert exchange("GET", server.url, seconds=2).words == "no [31mthanks \ufffd"
