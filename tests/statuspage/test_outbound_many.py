"""Many requests at once, from one thread: by the rules of one request, and none waits for another's host."""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from core import host_turns, outbound_many, resolver
from core.answers import Answer
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
    UntrustedCertificateError,
)
from core.outbound_many import request_many
from core.resolver import Trust
from core.web_requests import Request
from tests.certificates import certificate_for
from tests.http_servers import Reply, Sent, crowd, listening, one_visit
from tests.processes import wait_until

Outcomes = dict[Any, Answer | OutboundError]


def ask(asked: Iterable[tuple[Any, Request]], **options: Any) -> Iterator[tuple[Any, Answer | OutboundError]]:
    return request_many(asked, **{"trust": Trust.OPERATOR, "seconds": 10, "limit_bytes": 1000} | options)


def get(*urls: str, **options: Any) -> Outcomes:
    return dict(ask(((url, Request("GET", url)) for url in urls), **options))


def get_one(url: str, **options: Any) -> Answer | OutboundError:
    return get(url, **options)[url]


def test_each_outcome_comes_beside_its_key():
    with listening(lambda sent: Reply(int(sent.path[1:]), sent.body)) as server:
        asked = [(number, Request("POST", f"{server.url}/{200 + number}", b"%d" % number)) for number in range(40)]
        outcomes = dict(ask(asked))

    assert {
        key: (outcome.status, outcome.body) for key, outcome in outcomes.items() if isinstance(outcome, Answer)
    } == {number: (200 + number, b"%d" % number) for number in range(40) if number != 4} | {4: (204, b"")}
    assert not host_turns._taken


def test_nothing_asked_is_nothing_answered():
    assert list(ask([])) == []


def same(one: Answer | OutboundError, other: Answer | OutboundError) -> bool:
    if isinstance(one, Answer) and isinstance(other, Answer):
        return (one.status, one.body) == (other.status, other.body)
    return type(one) is type(other)


@pytest.mark.parametrize("whole_body", [True, False])
@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 50\r\n\r\n",
        b"HTTP/1.1 422 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 422 No\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nbroken",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + b"x" * 2000,
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 2000,
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"x"),
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
        b"HTTP/1.1 200 OK\r\nX-Folded: a\r\n b\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n",
        b"",
        b"220 mail.example ESMTP\r\n",
        b"\x16\x03\x01\x00\x05",
    ],
    ids=lambda raw: str(raw[:24]) if isinstance(raw, bytes) else None,
)
def test_an_answer_means_the_same_as_for_one_request(raw: bytes, whole_body: bool):
    def serve(connection: socket.socket) -> None:
        connection.recv(1000)
        connection.sendall(raw)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1000)

    options = {"trust": Trust.OPERATOR, "seconds": 10, "limit_bytes": 1000, "whole_body": whole_body}
    with one_visit(serve) as port:
        many = get_one(f"http://127.0.0.1:{port}/", **options)
    with one_visit(serve) as port:
        try:
            one: Answer | OutboundError = request("GET", f"http://127.0.0.1:{port}/", **options)
        except OutboundError as error:
            one = error
    assert same(one, many), (one, many)


def test_errors_have_the_types_of_one_request(monkeypatch: pytest.MonkeyPatch):
    with listening(lambda sent: Reply(body=b"x" * 2000)) as server:
        outcomes = get("ftp://a.example/", "http://127.0.0.1:1/", "http://absent.example/", server.url)
        assert [type(each) for each in outcomes.values()].count(InvalidAddressError) == 1
        assert type(outcomes["http://127.0.0.1:1/"]) is NotReachedError
        assert type(outcomes["http://absent.example/"]) is NotReachedError
        assert type(outcomes[server.url]) is TooLargeError


def test_a_mistake_of_ours_ends_no_other_request(monkeypatch: pytest.MonkeyPatch):
    real = outbound_many.take_apart

    def take_apart(url: str) -> Any:
        if url.endswith("/mistake"):
            raise TypeError
        return real(url)

    monkeypatch.setattr(outbound_many, "take_apart", take_apart)
    with listening() as server:
        outcomes = get(f"{server.url}/mistake", f"{server.url}/right")

    assert isinstance(outcomes[f"{server.url}/right"], Answer)
    assert str(outcomes[f"{server.url}/mistake"]) == "internal error: TypeError"
    assert isinstance(outcomes[f"{server.url}/mistake"], NoAnswerError)


# Whom we talk to


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "\u2460\u2461\u2466.0.0.1"])
def test_a_stranger_may_not_lead_us_to_this_machine(host: str):
    with listening() as server:
        port = server.url.rpartition(":")[2]
        assert isinstance(get_one(f"http://{host}:{port}/", trust=Trust.STRANGER), NotReachedError)
        assert not server.requests


def names(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """What the resolver says, one after the other, the last one for ever; the list is what it was asked."""
    asked: list[str] = []

    def getaddrinfo(host: str, *args: Any, **kwargs: Any) -> list[Any]:
        asked.append(host)
        found = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 0)) for each in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


def test_a_strangers_name_is_asked_once_and_the_connection_goes_to_what_was_checked(monkeypatch: pytest.MonkeyPatch):
    asked = names(monkeypatch, ["127.0.0.1"], ["127.0.0.2"])
    monkeypatch.setattr(resolver, "is_public", lambda address: address == "127.0.0.1")
    with listening() as server:
        url = server.url.replace("127.0.0.1", "hooks.example")
        assert isinstance(get_one(url, trust=Trust.STRANGER), Answer)
        assert asked == ["hooks.example"]
        assert server.requests[0].headers["host"].startswith("hooks.example:")
        assert type(get_one(url, trust=Trust.STRANGER)) is RefusedAddressError
        assert len(server.requests) == 1


def test_one_private_address_among_public_ones_is_refused(monkeypatch: pytest.MonkeyPatch):
    names(monkeypatch, ["1.1.1.1", "10.0.0.1"])
    assert type(get_one("https://hooks.example/", trust=Trust.STRANGER)) is RefusedAddressError


def test_an_address_that_lets_nobody_in_leaves_time_for_the_next_one(monkeypatch: pytest.MonkeyPatch):
    names(monkeypatch, ["127.0.0.2", "127.0.0.1"])
    with listening() as server:  # which is not at the first of them
        assert isinstance(get_one(server.url.replace("127.0.0.1", "hooks.example")), Answer)


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A TLS server for hooks.example alone, and what makes it trusted."""
    certificate = certificate_for("hooks.example", tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve(connection: socket.socket) -> None:
        with suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
            secured.recv(5000)
            secured.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with one_visit(serve) as port:
        yield port, certificate


@pytest.mark.parametrize(
    ("host", "is_known", "expected"),
    [
        ("hooks.example", True, Answer),
        ("hooks.example.", True, Answer),
        ("other.example", True, UntrustedCertificateError),
        ("hooks.example", False, UntrustedCertificateError),
    ],
)
def test_tls_asks_for_the_name_and_for_somebody_who_vouches(
    secure: tuple[int, Path], monkeypatch: pytest.MonkeyPatch, host: str, is_known: bool, expected: type
):
    names(monkeypatch, ["127.0.0.1"])
    if is_known:
        monkeypatch.setenv("SSL_CERT_FILE", str(secure[1]))
    assert type(get_one(f"https://{host}:{secure[0]}/")) is expected


# Deadlines


def test_one_dead_host_among_a_thousand_slows_nobody():
    """It is asked first and has a minute; all others are through before it, and it never takes the room of more than one."""
    with crowd() as server:
        server.silent.add("127.1.0.1")
        asked = ((number, Request("POST", server.url(number), b"{}")) for number in range(1000))
        outcomes = ask(asked, seconds=60, at_once=20)
        found = dict(islice(outcomes, 999))
        wait_until(lambda: server.held, what="a request to the dead one")
        outcomes.close()

    assert found.keys() == set(range(1, 1000))
    assert {outcome.status for outcome in found.values() if isinstance(outcome, Answer)} == {200}
    assert len(set(server.requests)) == 1000


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_drip_ends_at_the_deadline(scheme: str):
    def drip(connection: socket.socket) -> None:
        with suppress(OSError):
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 200 OK\r\n" if scheme == "http" else b"\x16\x03\x03\x3f\xff")
            for _ in range(200):
                connection.sendall(b"X-A: 1\r\n")
                time.sleep(0.05)

    began = time.monotonic()
    with one_visit(drip) as port:
        outcome = get_one(f"{scheme}://127.0.0.1:{port}/", seconds=0.3)
    assert isinstance(outcome, NoAnswerInTimeError if scheme == "http" else NotReachedError)
    assert time.monotonic() - began < 6


def test_a_name_that_hangs_ends_at_the_deadline_and_holds_up_no_other(monkeypatch: pytest.MonkeyPatch):
    never = threading.Event()
    real = socket.getaddrinfo

    def getaddrinfo(host: str, *args: Any, **kwargs: Any) -> Any:
        return never.wait(30) if host.startswith("hung") else real(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    with listening() as server:
        hung = [f"http://hung-many{number}.example/" for number in range(60)]
        outcomes = get(*hung, server.url.replace("127.0.0.1", "localhost"), seconds=2)
    never.set()
    assert {type(outcomes[url]) for url in hung} == {NotReachedInTimeError}
    assert [outcome.status for outcome in outcomes.values() if isinstance(outcome, Answer)] == [200]


def test_what_came_while_the_caller_was_away_counts_after_the_deadline():
    """Recording a batch may take a database some time; that is no silence of the other side's."""
    with crowd() as server:
        asked = ((number, Request("GET", server.url(number))) for number in range(2))
        outcomes = ask(asked, seconds=0.5, at_once=2)
        first = next(outcomes)
        time.sleep(0.7)
        assert [type(outcome) for _, outcome in (first, *outcomes)] == [Answer, Answer]


# Hosts and connections


def serve_slowly(there: threading.Semaphore, may_go: threading.Event) -> Callable[[Sent], Reply]:
    def answer(sent: Sent) -> Reply:
        there.release()
        may_go.wait(20)
        return Reply()

    return answer


def test_one_host_gets_so_many_at_once_counted_with_other_threads(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(host_turns, "AT_ONCE", 2)
    there, may_go = threading.Semaphore(0), threading.Event()
    with listening(serve_slowly(there, may_go)) as server:
        options = {"trust": Trust.OPERATOR, "seconds": 20}
        single = threading.Thread(target=lambda: request("GET", server.url, **options))
        single.start()
        assert there.acquire(timeout=20)
        found: Outcomes = {}
        many = threading.Thread(target=lambda: found.update(get(*(f"{server.url}/{n}" for n in range(5)), **options)))
        many.start()
        assert there.acquire(timeout=20)
        outcome = get_one(f"{server.url}/late", seconds=0.2)
        assert type(outcome) is NotReachedInTimeError
        assert "too many" in str(outcome)
        assert len(server.requests) == 2
        may_go.set()
        single.join(20)
        many.join(20)
    assert [type(each) for each in found.values()] == [Answer] * 5
    assert not host_turns._taken


def test_connections_to_one_host_are_used_again():
    with crowd() as server:
        asked = ((number, Request("POST", server.url(number % 3), b"{}")) for number in range(300))
        outcomes = [outcome for _, outcome in ask(asked)]
        assert [type(each) for each in outcomes] == [Answer] * 300
        assert server.connections <= 3 * host_turns.AT_ONCE
    assert Counter(server.requests) == {"127.1.0.1": 100, "127.1.0.2": 100, "127.1.0.3": 100}


def test_a_connection_that_was_closed_meanwhile_is_not_used():
    """One request at a time: each finds the one before it closed by the other side."""
    with crowd() as server:
        server.closes_after = 1

        def asked() -> Iterator[tuple[int, Request]]:
            for number in range(5):
                yield number, Request("GET", server.url(0))
                time.sleep(0.1)  # the caller does other things meanwhile

        assert [type(outcome) for _, outcome in ask(asked(), at_once=1)] == [Answer] * 5
    assert server.connections == 5


def test_idle_connections_are_no_more_than_may_be_under_way():
    with crowd() as server:
        asked = ((number, Request("GET", server.url(number))) for number in range(60))
        outcomes = ask(asked, at_once=4)
        sending = outcomes.gi_frame.f_locals["sending"] if next(outcomes) else None
        most = max(len(sending._idle._places) for _ in outcomes)
    assert most <= 4


def test_giving_up_early_closes_everything_and_gives_turns_back():
    with crowd() as server:
        server.silent = {"127.1.0.1", "127.1.0.2"}
        outcomes = ask((number, Request("GET", server.url(number))) for number in range(40))
        next(outcomes)
        outcomes.close()
        assert not host_turns._taken


def test_requests_are_taken_as_there_is_room_and_outside_of_the_loop():
    """The caller's iterable may ask the database, which Django refuses while a loop is running."""
    import asyncio

    taken: list[int] = []
    with crowd() as server:

        def asked() -> Iterator[tuple[int, Request]]:
            for number in range(200):
                with pytest.raises(RuntimeError):
                    asyncio.get_running_loop()
                taken.append(number)
                yield number, Request("GET", server.url(number))

        outcomes = ask(asked(), at_once=10)
        next(outcomes)
        assert len(taken) <= 20
        assert len(list(outcomes)) == 199
