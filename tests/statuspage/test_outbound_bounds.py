"""One deadline for all of it, a cap on what is read, and errors that say by their type what went wrong."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from core import outbound, resolver
from core.outbound import request
from core.outbound_errors import (
    InvalidAddressError,
    NoAnswerError,
    NoAnswerInTimeError,
    NotReachedError,
    NotReachedInTimeError,
    OutboundError,
    RefusedAddressError,
    TooLargeError,
    TooSlowError,
    UntrustedCertificateError,
)
from core.resolver import Trust
from tests.certificates import certificate_for
from tests.http_servers import Reply, listening, one_visit


def get(url: str, seconds: float = 5.0, **options: Any) -> outbound.Answer:
    return request("GET", url, **{"trust": Trust.OPERATOR, "seconds": seconds, "limit_bytes": 1000} | options)


def dripping(head: bytes, drop: bytes = b"x") -> Callable[[socket.socket], None]:
    """Sends `head`, then a little at a time for far longer than any test here waits."""

    def serve(connection: socket.socket) -> None:
        connection.recv(1000)
        with suppress(OSError):
            connection.sendall(head)
            for _ in range(200):
                connection.sendall(drop)
                time.sleep(0.05)

    return serve


# The deadline


def test_tls_that_drips_ends_at_the_one_deadline_of_the_request():
    began = time.monotonic()
    with one_visit(dripping(b"\x16\x03\x03\x3f\xff")) as port, pytest.raises(NotReachedInTimeError):
        get(f"https://127.0.0.1:{port}/", seconds=0.3)
    assert time.monotonic() - began < 5


def test_tls_has_what_time_the_connection_left(monkeypatch: pytest.MonkeyPatch):
    passed, real = [0.0], outbound._dial

    def dial(address: str, port: int, seconds: float) -> socket.socket:
        passed[0] += 100  # the time that it took
        return real(address, port, seconds)

    monkeypatch.setattr(outbound, "monotonic", lambda: time.monotonic() + passed[0])
    monkeypatch.setattr(outbound, "_dial", dial)
    began = time.monotonic()
    with one_visit(_wait_for_the_end) as port, pytest.raises(NotReachedInTimeError):
        get(f"https://127.0.0.1:{port}/", seconds=100.3)
    assert time.monotonic() - began < 50


def _wait_for_the_end(connection: socket.socket) -> None:
    while connection.recv(1000):
        pass


def test_the_body_of_a_tls_connection_that_drips_ends_at_the_deadline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    certificate = certificate_for("127.0.0.1", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    drip = dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n")

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            drip(secured)

    with one_visit(serve) as port, pytest.raises(NoAnswerInTimeError):
        get(f"https://127.0.0.1:{port}/", seconds=0.5)


def test_an_address_that_lets_nobody_in_leaves_time_for_the_next_one(monkeypatch: pytest.MonkeyPatch):
    given: list[float] = []
    real = outbound._dial

    def dial(address: str, port: int, seconds: float) -> socket.socket:
        given.append(seconds)
        if address == "127.0.0.9":
            raise TimeoutError
        return real(address, port, seconds)

    monkeypatch.setattr(outbound, "_dial", dial)
    monkeypatch.setattr(outbound, "resolve", lambda *args: ["127.0.0.9", "127.0.0.1"])
    with listening() as server:
        assert get(server.url, seconds=8).status == 200
    assert given[0] <= 4


def test_a_machine_that_starts_no_more_threads_sends_nothing_and_keeps_no_connection(monkeypatch: pytest.MonkeyPatch):
    ended = threading.Event()

    def serve(connection: socket.socket) -> None:
        if connection.recv(1000) == b"":
            ended.set()

    def start(timer: threading.Timer) -> None:
        raise RuntimeError("can't start new thread")

    with one_visit(serve) as port:
        monkeypatch.setattr(threading.Timer, "start", start)
        with pytest.raises(NotReachedError, match="no more threads"):
            get(f"http://127.0.0.1:{port}/")
        assert ended.wait(10)


# Names


@pytest.fixture
def hanging_names(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Those that begin with "hung" are never resolved; the others are this machine. The list is what was asked for."""
    never, asked = threading.Event(), []

    def getaddrinfo(host: str, port: int | None, *args: Any, **kwargs: Any) -> list[Any]:
        asked.append(host)
        if host.startswith("hung"):
            never.wait(60)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port or 0))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield asked
    never.set()


def test_names_that_hang_hold_up_no_other_name(hanging_names: list[str]):
    for number in range(100):
        resolver.look_up(f"hung{number}.example")
    with listening() as server:
        assert get(server.url.replace("127.0.0.1", "hooks.example")).status == 200


def test_a_name_that_hangs_keeps_one_thread_however_many_ask_for_it(hanging_names: list[str]):
    for _ in range(5):
        with pytest.raises(NotReachedInTimeError, match="not resolved in time"):
            get("http://hung-once.example/", seconds=0.05)
    assert hanging_names == ["hung-once.example"]


def test_threads_that_resolve_end_when_nothing_is_asked(hanging_names: list[str], monkeypatch: pytest.MonkeyPatch):
    look_ups = resolver.LookUps()
    monkeypatch.setattr(look_ups, "IDLE_SECONDS", 0.01)
    found = [look_ups.begin(f"host{number}.example") for number in range(20)]
    assert {tuple(each.result(10)) for each in found} == {("127.0.0.1",)}
    deadline = time.monotonic() + 20
    while look_ups._threads and time.monotonic() < deadline:
        time.sleep(0.01)
    assert look_ups._threads == 0
    assert look_ups.begin("again.example").result(10) == ["127.0.0.1"]


# The body, for those who need the status alone


@pytest.mark.parametrize(
    ("reply", "body"),
    [
        (Reply(202, b"x" * 2000), b"x" * 1000),
        (Reply(202, gzip.compress(b"x" * 10**6), {"Content-Encoding": "gzip"}), b""),
        (Reply(202, b"short", {"Content-Length": "900"}), b"short"),
        (Reply(202, b"zz\r\nno chunk", {"Transfer-Encoding": "chunked"}), b""),
        (Reply(202, b"5\r\nhello\r\n0\r\n\r\n", {"Transfer-Encoding": "chunked"}), b"hello"),
        (Reply(204, b""), b""),
    ],
    ids=["too long", "compressed", "broken off", "no chunk", "chunks", "none"],
)
def test_without_the_whole_body_the_status_is_an_answer(reply: Reply, body: bytes):
    with listening(lambda sent: reply) as server:
        answer = get(server.url, whole_body=False)
    assert (answer.status, answer.body) == (reply.status, body)


def test_without_the_whole_body_a_drip_is_an_answer_at_the_deadline():
    with one_visit(dripping(b"HTTP/1.1 202 Accepted\r\nContent-Length: 999\r\n\r\n")) as port:
        answer = get(f"http://127.0.0.1:{port}/", seconds=0.3, whole_body=False)
    assert answer.status == 202
    assert set(answer.body) == {ord("x")}


def test_without_the_whole_body_a_status_is_needed_all_the_same():
    with one_visit(dripping(b"HTTP/1.1 202 Acc")) as port, pytest.raises(NoAnswerInTimeError):
        get(f"http://127.0.0.1:{port}/", seconds=0.3, whole_body=False)


# Types


def failure(url: str, **options: Any) -> OutboundError:
    with pytest.raises(OutboundError) as caught:
        get(url, **options)
    return caught.value


def test_errors_say_by_their_type_what_went_wrong(monkeypatch: pytest.MonkeyPatch, hanging_names: list[str]):
    private = failure("http://127.0.0.1:1/", trust=Trust.STRANGER)
    assert type(private) is RefusedAddressError
    unreachable = failure("http://127.0.0.1:1/")
    assert type(unreachable) is NotReachedError
    unresolved = failure("http://hung-typed.example/", seconds=0.05)
    assert isinstance(unresolved, NotReachedError)
    assert isinstance(unresolved, TooSlowError)
    with listening(lambda sent: Reply(seconds=0.6)) as server:
        silent = failure(server.url, seconds=0.2)
    assert isinstance(silent, NoAnswerError)
    assert isinstance(silent, TooSlowError)
    with listening(lambda sent: Reply(body=b"x" * 2000)) as server:
        large = failure(server.url)
    assert type(large) is TooLargeError
    assert isinstance(large, NoAnswerError)
    assert [each.is_permanent for each in (private, large, unreachable, unresolved, silent)] == [True] * 2 + [False] * 3
    invalid = failure("ftp://example.com/")
    assert isinstance(invalid, ValueError)
    assert type(invalid) is InvalidAddressError


def test_a_certificate_that_is_not_trusted_has_a_type_of_its_own(tmp_path: Path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_for("127.0.0.1", tmp_path))

    def serve(connection: socket.socket) -> None:
        with suppress(OSError), context.wrap_socket(connection, server_side=True):
            pass

    with one_visit(serve) as port:
        assert type(failure(f"https://127.0.0.1:{port}/")) is UntrustedCertificateError
