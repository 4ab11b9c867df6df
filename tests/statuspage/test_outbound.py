"""The way out: whom we talk to, and that whatever the other side does, neither it nor what is told of it does harm."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from core import host_turns, outbound, resolver
from core.outbound import request
from core.outbound_errors import NoAnswerError, NotReachedError, RefusedAddressError
from core.resolver import Trust
from tests.certificates import certificate_for
from tests.http_servers import Reply, Sent, listening, one_visit


@pytest.mark.parametrize(
    "rest", ["/services/se cret", "/services/secret?a b", "/services/secret\x7f", "/services/se\tcret"]
)
def test_an_address_that_cannot_be_used_is_not_repeated(rest: str):
    with listening() as server, pytest.raises(ValueError, match="address") as caught:
        request("GET", server.url + rest, trust=Trust.OPERATOR, seconds=2)

    assert "cret" not in str(caught.value)
    assert not server.requests


def test_the_words_of_what_is_no_web_server_are_printable_and_short():
    def answer(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"\x1b[2J\x00" + b"A" * 5000 + b"\r\n\r\n")

    with one_visit(answer) as port, pytest.raises(NoAnswerError) as caught:
        request("GET", f"http://127.0.0.1:{port}/", trust=Trust.OPERATOR, seconds=2)

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


def test_the_words_of_an_answer_are_printable():
    with listening(lambda sent: Reply(422, b"no\x00 \x1b[31mthanks\r\n\xff")) as server:
        assert request("GET", server.url, trust=Trust.OPERATOR, seconds=2).words == "no [31mthanks \ufffd"


# Whom a stranger may make us talk to


def ask_as_stranger(url: str) -> None:
    request("GET", url, trust=Trust.STRANGER, seconds=2)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "0177.0.0.1", "①②⑦.0.0.1"])
def test_this_machine_is_refused_however_it_is_written(host: str):
    with listening() as server:
        port = server.url.rpartition(":")[2]
        with pytest.raises(NotReachedError):
            ask_as_stranger(f"http://{host}:{port}/")
        assert not server.requests
        request("GET", server.url, trust=Trust.OPERATOR, seconds=2)
        assert len(server.requests) == 1, "an operator may"


@pytest.mark.parametrize("url", ["http://user@127.0.0.1/", "http://example.com:80@127.0.0.1/", "ftp://example.com/"])
def test_a_name_before_the_host_is_no_address(url: str):
    with pytest.raises(ValueError, match="no http or https address"):
        ask_as_stranger(url)


class Resolver:
    """Gives each of its answers once, the last one for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers, self.asked = list(answers), 0

    def __call__(self, host: str, port: int, *args: Any, **kwargs: Any) -> list[Any]:
        if host[0].isdigit():  # an address that was chosen
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port))]
        self.asked += 1
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]


def test_one_private_address_among_public_ones_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(socket, "getaddrinfo", Resolver(["1.1.1.1", "127.0.0.1"]))
    with pytest.raises(RefusedAddressError, match=r"hooks\.example is no public address"):
        ask_as_stranger("https://hooks.example/secret")


def test_a_name_that_leads_elsewhere_the_second_time_is_asked_once_and_pinned(monkeypatch: pytest.MonkeyPatch):
    """The first answer is the one that was checked; a second one would be this machine."""
    names = Resolver(["127.0.0.2"], ["127.0.0.1"])
    monkeypatch.setattr(socket, "getaddrinfo", names)
    monkeypatch.setattr(resolver, "is_public", lambda address: address == "127.0.0.2")
    opened: list[str] = []
    real = outbound._dial

    def dial_there(address: str, port: int, seconds: float) -> Any:
        opened.append(address)
        return real("127.0.0.1", port, seconds)

    monkeypatch.setattr(outbound, "_dial", dial_there)
    with listening() as server:
        ask_as_stranger(server.url.replace("127.0.0.1", "hooks.example"))
        assert (opened, names.asked) == (["127.0.0.2"], 1)
        assert server.requests[0].headers["host"].startswith("hooks.example:")
        with pytest.raises(RefusedAddressError):
            ask_as_stranger(server.url.replace("127.0.0.1", "hooks.example"))


def test_every_redirect_is_judged_anew(monkeypatch: pytest.MonkeyPatch):
    with listening() as inside:
        onward = Reply(302, headers={"Location": inside.url})
        with listening(lambda sent: onward) as outside:
            monkeypatch.setattr(resolver, "is_public", lambda address: address != "127.0.0.1")
            name = outside.url.replace("127.0.0.1", "hooks.example")
            monkeypatch.setattr(socket, "getaddrinfo", Resolver(["127.0.0.3"], ["127.0.0.1"]))
            real = outbound._dial
            monkeypatch.setattr(outbound, "_dial", lambda _, port, seconds: real("127.0.0.1", port, seconds))
            with pytest.raises(RefusedAddressError):
                request("GET", name, trust=Trust.STRANGER, seconds=2, redirects=3)
    assert (len(outside.requests), inside.requests) == (1, [])


def test_a_redirect_is_an_answer_unless_it_is_asked_for():
    with listening(lambda sent: Reply(302, headers={"Location": "/there"})) as server:
        assert request("GET", server.url, trust=Trust.OPERATOR, seconds=2).status == 302
        assert len(server.requests) == 1


# What the other side cannot do to us


@pytest.mark.parametrize("length", [b"Content-Length: 1000\r\n", b""], ids=["with a length", "without one"])
def test_a_drip_ends_at_the_deadline_and_is_no_answer(length: bytes):
    def drip(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + length + b"\r\n")
        with suppress(OSError):
            for _ in range(400):
                connection.sendall(b"x")
                time.sleep(0.05)

    with one_visit(drip) as port, pytest.raises(NoAnswerError, match="took too long"):
        request("GET", f"http://127.0.0.1:{port}/", trust=Trust.OPERATOR, seconds=0.3)


def test_a_name_that_is_never_resolved_ends_at_the_deadline(monkeypatch: pytest.MonkeyPatch):
    never = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: never.wait(30))
    try:
        with pytest.raises(NotReachedError, match="not resolved in time"):
            request("GET", "http://slow.example/", trust=Trust.OPERATOR, seconds=0.2)
    finally:
        never.set()


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (Reply(body=b"x" * 2000), "more than 1000 bytes"),
        (Reply(body=gzip.compress(b"x" * 10**6), headers={"Content-Encoding": "gzip"}), "compressed"),
        (Reply(body=b"short", headers={"Content-Length": "900"}), "broke off|IncompleteRead|bytes"),
    ],
)
def test_too_much_too_dense_and_too_little_is_no_answer(reply: Reply, words: str):
    with listening(lambda sent: reply) as server, pytest.raises(NoAnswerError, match=words):
        request("GET", server.url, trust=Trust.OPERATOR, seconds=2, limit_bytes=1000)


def test_one_host_gets_so_many_at_once_and_the_next_one_waits(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(host_turns, "AT_ONCE", 2)
    there, may_go = threading.Semaphore(0), threading.Event()

    def answer(sent: Sent) -> Reply:
        there.release()
        may_go.wait(20)
        return Reply()

    with listening(answer) as server, ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(request, "GET", server.url, trust=Trust.OPERATOR, seconds=20) for _ in range(3)]
        assert there.acquire(timeout=20)
        assert there.acquire(timeout=20)
        with pytest.raises(NotReachedError, match="too many"):
            request("GET", server.url, trust=Trust.OPERATOR, seconds=0.1)
        assert len(server.requests) == 2
        may_go.set()
        assert [each.result().status for each in asked] == [200] * 3
    assert not host_turns._taken


# TLS asks for the name, whatever address it is pinned to


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A server whose certificate is for hooks.example alone: its port, and the file that makes it trusted."""
    certificate = certificate_for("hooks.example", tmp_path_factory.mktemp("tls"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = ThreadingHTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler)
    server.RequestHandlerClass = type("Handler", (SimpleHTTPRequestHandler,), {"log_message": lambda *args: None})
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield str(server.server_address[1]), certificate
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.mark.parametrize(
    ("host", "is_trusted"), [("hooks.example", True), ("HOOKS.example.", True), ("other.example", False)]
)
def test_the_certificate_must_be_that_of_the_name(
    secure: tuple[str, Path], monkeypatch: pytest.MonkeyPatch, host: str, is_trusted: bool
):
    port, certificate = secure
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setattr(socket, "getaddrinfo", Resolver(["127.0.0.1"]))
    url = f"https://{host}:{port}/absent"
    if is_trusted:
        assert request("GET", url, trust=Trust.OPERATOR, seconds=5).status == 404
    else:
        with pytest.raises(NotReachedError, match=r"other\.example cannot be reached"):
            request("GET", url, trust=Trust.OPERATOR, seconds=5)


def test_a_certificate_that_nobody_vouches_for_is_refused(secure: tuple[str, Path], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(socket, "getaddrinfo", Resolver(["127.0.0.1"]))
    with pytest.raises(NotReachedError):
        request("GET", f"https://hooks.example:{secure[0]}/", trust=Trust.OPERATOR, seconds=5)


@pytest.mark.parametrize("host", ["b\u00fccher.example", "b\u00fccher.example.", "xn--bcher-kva.example"])
def test_a_name_outside_ascii_has_a_certificate_for_its_ascii_form(
    host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    certificate = certificate_for("xn--bcher-kva.example", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setattr(socket, "getaddrinfo", Resolver(["127.0.0.1"]))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    heads: list[bytes] = []

    def answer(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            heads.append(secured.recv(1000))
            secured.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with one_visit(answer) as port:
        assert request("GET", f"https://{host}:{port}/", trust=Trust.OPERATOR, seconds=5).status == 204
    assert f"Host: xn--bcher-kva.example:{port}".encode() in heads[0]
