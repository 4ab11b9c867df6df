"""The shortcut of public/serving/server.py against the ordinary path: the same bytes, or left to the ordinary path.

How requests are read does not depend on the database. That a change is seen might.
"""

import contextlib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import pytest
from django.db import transaction
from pytest_django import Settings

from components.models import Component
from pages.models import Page
from tests.public.conftest import ACME, GLOBEX
from tests.public.servers import (
    CountingProtocol,
    Running,
    converse,
    count_answers,
    request,
    run_server,
    take_dates,
)

HOST = f"Host: {ACME}"
PATHS = ("/", "/fragments/summary", "/api/v2/summary.json", "/history.atom", "/badge.svg", "/embed/frame", "/history")


class Servers(NamedTuple):
    fast: Running
    asgi: Running
    django: Running


@contextlib.contextmanager
def run_all_servers() -> Iterator[Servers]:
    """The same site three ways."""
    with (
        run_server() as fast,
        run_server(http="httptools") as asgi,
        run_server(http="httptools", with_fast_path=False) as django,
    ):
        yield Servers(fast, asgi, django)


@pytest.fixture
def servers(transactional_db: None, chat: Component, globex: Page) -> Iterator[Servers]:
    """Every document of PATHS has been read once."""
    with run_all_servers() as servers:
        for running in servers:
            for path in PATHS:
                answer = converse(running.port, request(path, HOST, "Connection: close"), first=10)
                assert answer.startswith(b"HTTP/1.1 200 OK")
        CountingProtocol.passed_to_uvicorn.clear()
        yield servers


def same_everywhere(servers: Servers, *pieces: bytes, first: float = 1.5, quiet: float = 0.15) -> bytes:
    """The one answer of all three ways, dates aside, which must be right.

    `first`, `quiet`: how long to wait for an answer, and for a second one, which must not come; 0 when none could.
    """
    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(lambda running: converse(running.port, *pieces, first=first, quiet=quiet), servers))
    plain = []
    for answer in answers:
        without, dates = take_dates(answer)
        assert all(abs(date - time.time()) < 3 for date in dates)
        plain.append(without)
    assert plain[0] == plain[1]
    # Two things that RFC 9110 leaves open: Django's middleware gives a 304 a Content-Length of its own, and Django asks
    # for the body that Expect announces before it answers.
    of_django = plain[2].removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    if b" 304 " in of_django[:15]:
        of_django = of_django.replace(b"content-length: 0\r\n", b"")
    assert plain[0] == of_django
    return answers[0]


ENCODINGS = (
    "",
    "gzip",
    "gzip, deflate, br",
    "br;q=0, gzip",
    "gzip;q=0",
    "gzip;q=0.000",
    "identity",
    "*",
    "GZIP",
    "gzip;x",
)


@pytest.mark.once
def test_a_plain_get_has_the_same_bytes_from_every_server(servers: Servers) -> None:
    for path in PATHS:
        for encoding in ENCODINGS:
            lines = [HOST, f"Accept-Encoding: {encoding}"] if encoding else [HOST]
            answer = same_everywhere(servers, request(path, *lines), quiet=0)
            assert answer.startswith(b"HTTP/1.1 200 OK")
            if path == "/":
                packed = encoding in ("gzip", "gzip, deflate, br", "br;q=0, gzip", "GZIP", "gzip;x")
                assert (b"content-encoding" in answer) == packed
    assert CountingProtocol.passed_to_uvicorn == []


def tag_in(answer: bytes) -> str:
    return answer.partition(b"\r\netag: ")[2].partition(b"\r\n")[0].decode()


@pytest.mark.once
def test_a_known_tag_is_answered_304_from_every_server(servers: Servers) -> None:
    tags = set()
    for encoding in ("identity", "gzip", "br"):
        accept = f"Accept-Encoding: {encoding}"
        tag = tag_in(same_everywhere(servers, request("/", HOST, accept), quiet=0))
        tags.add(tag)
        for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            answer = same_everywhere(servers, request("/", HOST, accept, f"If-None-Match: {known}"))
            assert answer.startswith(b"HTTP/1.1 304 Not Modified\r\n")
            assert answer.endswith(b"\r\n\r\n")
        answer = same_everywhere(servers, request("/", HOST, accept, 'If-None-Match: "other"'), quiet=0)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert len(tags) == 3
    assert CountingProtocol.passed_to_uvicorn == []


PLAIN = {
    "query that means nothing": request("/?utm_source=mail&x=%2F", HOST),
    "header names in other spellings": request("/", f"hOST: {ACME}", "ACCEPT-ENCODING: gzip"),
    "no space after the colon": request("/", f"Host:{ACME}", "Accept-Encoding:gzip"),
    "spaces before the value": request("/", f"Host: \t {ACME}", "Accept-Encoding:  gzip"),
    "cookies": request("/", HOST, "Cookie: theme=dark; _ga=GA1.2.3"),
    "a range": request("/", HOST, "Range: bytes=0-10", 'If-Range: "x"'),
    "keep-alive": request("/", HOST, "Connection: Keep-Alive"),
    "a port": request("/", f"Host: {ACME}:8000"),
    "host in capitals": request("/", f"Host: {ACME.upper()}"),
    "the other page": request("/", f"Host: {GLOBEX}"),
    "obsolete bytes in a value": request("/", HOST, "User-Agent: caf\xe9"),
    "forwarded by nobody we trust": request(
        "/", HOST, "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example", "X-Forwarded-For: 192.0.2.1"
    ),
}


@pytest.mark.once
def test_what_looks_odd_but_is_ordinary_has_the_same_bytes(servers: Servers) -> None:
    for name, sent in PLAIN.items():
        assert same_everywhere(servers, sent, quiet=0).startswith(b"HTTP/1.1 200 OK\r\n"), name


@pytest.mark.once
def test_who_is_signed_in_gets_what_everybody_gets(servers: Servers) -> None:
    for running in (servers.fast, servers.asgi):
        plain, _ = take_dates(converse(running.port, request("/", HOST), quiet=0))
        for cookie in ("sessionid=0123456789abcdef0123456789abcdef", "sessionid=", "csrftoken=a; sessionid=b"):
            signed_in, _ = take_dates(converse(running.port, request("/", HOST, f"Cookie: {cookie}"), quiet=0))
            assert signed_in == plain


ODD = {
    "spaces after the host": request("/", f"Host: {ACME}  "),
    "spaces after the encoding": request("/", HOST, "Accept-Encoding: gzip \t"),
    "HEAD": request("/", HOST, method="HEAD"),
    "HEAD with a tag": request("/", HOST, "If-None-Match: *", method="HEAD"),
    "lower-case method": request("/", HOST, method="get"),
    "POST": request("/", HOST, "Content-Length: 0", method="POST"),
    "OPTIONS": request("/api/v2/summary.json", HOST, "Origin: https://x.example", method="OPTIONS"),
    "Connection: close": request("/", HOST, "Connection: close"),
    "Connection: close in capitals": request("/", HOST, "CONNECTION: CLOSE"),
    "close among others": request("/", HOST, "Connection: keep-alive, close"),
    "HTTP/1.0": request("/", HOST, version="HTTP/1.0"),
    "HTTP/1.0 keep-alive": request("/", HOST, "Connection: keep-alive", version="HTTP/1.0"),
    "HTTP/0.9": b"GET /\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no host": request("/", version="HTTP/1.0"),
    "two hosts": request("/", HOST, "Host: evil.example"),
    "an unknown host": request("/", "Host: evil.example"),
    "a broken host": request("/", "Host: a b"),
    "absolute address": request(f"http://{ACME}/", HOST),
    "absolute address elsewhere": request("http://evil.example/", HOST),
    "a body": request("/", HOST, "Content-Length: 5") + b"hello",
    "a body in capitals": request("/", HOST, "CONTENT-LENGTH: 5") + b"hello",
    "an empty body": request("/", HOST, "Content-Length: 0"),
    "a chunked body": request("/", HOST, "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n",
    "a chunked body in capitals": request("/", HOST, "TRANSFER-ENCODING: CHUNKED") + b"5\r\nhello\r\n0\r\n\r\n",
    "an unknown transfer coding": request("/", HOST, "Transfer-Encoding: xchunked") + b"5\r\nhello\r\n0\r\n\r\n",
    "both lengths": request("/", HOST, "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "two lengths": request("/", HOST, "Content-Length: 5", "Content-Length: 6") + b"hello",
    "space before the colon": request("/", HOST, "Content-Length : 5") + b"hello",
    "a folded line": request("/", HOST, "X-Folded: a", " b"),
    "a folded length": request("/", HOST, "X: a", "\tContent-Length: 5"),
    "a bare line feed": b"GET / HTTP/1.1\n" + f"Host: {ACME}\n\n".encode(),
    "a bare line feed inside": b"GET / HTTP/1.1\r\nX: a\n" + f"Host: {ACME}\r\n\r\n".encode(),
    "a bare carriage return": request("/", HOST, "X: a\rContent-Length: 5"),
    "NUL in a value": request("/", HOST, "X: a\0b"),
    "a control character in a value": request("/", HOST, "X: a\x01b"),
    "no colon": request("/", HOST, "what is this"),
    "an empty name": request("/", HOST, ": x"),
    "Expect": request("/", HOST, "Expect: 100-continue"),
    "Upgrade": request("/", HOST, "Connection: Upgrade", "Upgrade: websocket"),
    "Upgrade to HTTP/2": request(
        "/", HOST, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AA"
    ),
    "escaped path": request("/%68istory", HOST),
    "two slashes": request("//api/v2/summary.json", HOST),
    "dots": request("/x/../history", HOST),
    "a fragment": request("/#top", HOST),
    "no such address": request("/nothing-here", HOST),
    "no path": request("", HOST),
    "a line before the request": b"X: y\r\n" + request("/", HOST),
    "an empty line before the request": b"\r\n" + request("/", HOST),
    "tags in two headers": request("/", HOST, 'If-None-Match: "a"', "If-None-Match: *"),
    "encodings in two headers": request("/", HOST, "Accept-Encoding: gzip", "Accept-Encoding: br"),
    "parameters": request("/history.json?page=2&x=1", HOST),
    "a page that cannot be": request("/history.json?page=-1", HOST),
    "parameters twice": request("/history.json?page=2&page=1", HOST),
}


@pytest.mark.once
def test_what_is_odd_gets_one_answer_and_the_same_from_every_server(servers: Servers) -> None:
    def ask_twice(name: str) -> None:
        first = same_everywhere(servers, ODD[name], first=4)  # twelve at once keep a busy machine busy
        assert count_answers(first) <= 1, name
        again = same_everywhere(servers, ODD[name], first=4)  # nothing may be remembered wrongly
        assert take_dates(again)[0] == take_dates(first)[0], name

    with ThreadPoolExecutor(4) as pool:  # most of it is waiting for a second answer, which must not come
        list(pool.map(ask_twice, ODD))


@pytest.mark.once
def test_a_body_that_looks_like_a_request_is_never_answered(servers: Servers) -> None:
    hidden = request("/history", HOST)
    length = f"Content-Length: {len(hidden)}"
    chunk = f"{len(hidden):x}\r\n".encode() + hidden + b"\r\n0\r\n\r\n"
    for attack in (
        (request("/", HOST, length), hidden),
        (request("/", HOST, length) + hidden,),
        (request("/", HOST, length.upper()), hidden),
        (request("/nothing", HOST, length), hidden),
        (request("/", HOST, "Transfer-Encoding: chunked"), chunk),
        (request("/", HOST, "Transfer-Encoding: chunked"), chunk[:8], chunk[8:]),
        (request("/", HOST, f"{length}\r\nX-Pad: {'x' * 3000}"), hidden),
    ):
        answer = same_everywhere(servers, *attack)
        assert count_answers(answer) == 1, attack


@pytest.mark.once
def test_requests_on_one_connection_are_answered_in_turn(servers: Servers) -> None:
    plain, odd, unknown = request("/", HOST), request("/history", HOST, method="HEAD"), request("/nothing", HOST)
    for pieces in ((plain, plain, plain), (plain, odd, plain), (odd, plain, odd), (plain, unknown, plain)):
        answer = same_everywhere(servers, *pieces, quiet=0.5)
        assert count_answers(answer) == 3


@pytest.mark.once
def test_pipelined_requests_are_all_answered_in_order(servers: Servers) -> None:
    lines = [request("/api/v2/status.json", HOST), request("/badge.svg", HOST)]
    for count in (2, 3, 20):
        answer = same_everywhere(servers, b"".join(lines[number % 2] for number in range(count)), quiet=1)
        assert count_answers(answer) == count


@pytest.mark.once
def test_a_split_head_gets_its_answer_and_no_second_one(servers: Servers) -> None:
    whole = request("/", HOST, "Accept-Encoding: gzip")
    for cut in (1, 4, 20, len(whole) - 2, len(whole) - 1):
        answer = same_everywhere(servers, whole[:cut], whole[cut:])
        assert (count_answers(answer), answer[:15]) == (1, b"HTTP/1.1 200 OK")


@pytest.mark.once
def test_a_head_that_ends_inside_the_next_packet_is_not_mistaken(servers: Servers) -> None:
    whole = request("/", HOST)
    answer = same_everywhere(servers, whole + whole[:10], whole[10:], quiet=0.5)
    assert count_answers(answer) == 2
    # The second packet would be a plain request by itself, but it is the end of a head that has begun.
    answer = same_everywhere(servers, b"GET /nothing HTTP/1.1\r\nX: ", whole)
    assert count_answers(answer) == 1


def test_a_new_edition_is_what_remembered_requests_get(servers: Servers, acme: Page, chat: Component) -> None:
    ask = request("/api/v2/components.json", HOST)
    before = [converse(running.port, ask, quiet=0) for running in servers for _ in range(2)]
    assert all(b"Renamed" not in answer for answer in before)
    with transaction.atomic():
        acme.raise_generation()
        Component.objects.filter(pk=chat.pk).update(name="Renamed")
    deadline = time.monotonic() + 1
    waiting = list(servers[:2])
    while waiting and time.monotonic() < deadline:
        waiting = [running for running in waiting if b"Renamed" not in converse(running.port, ask, quiet=0)]
    assert waiting == []


@pytest.mark.once
def test_behind_a_trusted_proxy_the_forwarded_scheme_counts(
    transactional_db: None, acme: Page, settings: Settings
) -> None:
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.SECURE_SSL_REDIRECT, settings.SECURE_HSTS_SECONDS = True, 3600
    with run_all_servers() as servers:
        for lines, status in (
            (["X-Forwarded-Proto: https"], b"200 OK"),
            (["X-Forwarded-Proto: http"], b"301 Moved Permanently"),
            ([], b"301 Moved Permanently"),
            (["X-Forwarded-Proto: https, http"], b"200 OK"),
            (["X-Forwarded-Proto: HTTPS"], b"301 Moved Permanently"),
            (["x-forwarded-proto:https"], b"200 OK"),
            (["X_Forwarded_Proto: https"], b"301 Moved Permanently"),
        ):
            for _ in range(2):
                answer = same_everywhere(servers, request("/", HOST, *lines))
                assert answer.startswith(b"HTTP/1.1 " + status), (lines, answer[:200])
                assert (b"strict-transport-security" in answer) == (status == b"200 OK")
