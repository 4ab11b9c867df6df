"""Bounds of a request's head, asked of a real server over real connections."""

from collections.abc import Iterator

import pytest

from pages.models import Page
from tests.public.conftest import ACME
from tests.public.servers import Running, converse, request, run_server

pytestmark = pytest.mark.once
HOST = f"Host: {ACME}"
KILO = 1000 * "x"


@pytest.fixture
def server(transactional_db: None, acme: Page) -> Iterator[Running]:
    with run_server() as running:
        yield running


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@pytest.mark.parametrize(
    "pieces",
    [
        [request("/", HOST, *(f"X-{number}: {KILO}" for number in range(200)))],
        [request("/", HOST, *(f"X-{number}: y" for number in range(5000)))],
        [request("/", HOST, f"Cookie: {200 * KILO}")],
        [request(f"/{200 * KILO}", HOST)],
        [request(f"/?{40 * KILO}", HOST)],
        [b"GET / HTTP/1.1\r\nX: ", *[KILO.encode()] * 33],
        [request("/", HOST), b"GET / HTTP/1.1\r\nX: ", *[KILO.encode()] * 33],
    ],
    ids=["200 kB", "5000 headers", "one header", "address", "query", "never complete", "the second of a connection"],
)
def test_a_head_that_is_too_large_is_refused_and_the_connection_closed(server: Running, pieces: list[bytes]) -> None:
    answer = converse(server.port, *pieces, first=10)
    assert b"HTTP/1.1 431 Request Header Fields Too Large" in answer
    assert b"32768 bytes and 200 headers" in answer
    assert b"connection: close" in answer


def test_what_browsers_and_proxies_send_at_worst_is_taken(server: Running) -> None:
    head = request("/", HOST, *(f"X-{number}: {KILO[:300]}" for number in range(60)), f"Cookie: {8 * KILO}")
    assert status_of(converse(server.port, head, first=10)) == 200


def test_a_large_body_is_no_large_head(server: Running) -> None:
    length = f"Content-Length: {100 * len(KILO)}"
    body = KILO.encode()
    posted = request("/subscribe", HOST, length, "Content-Type: application/x-www-form-urlencoded", method="POST")
    answer = converse(server.port, posted, *[body] * 100, request("/", HOST), first=10)
    assert b" 431 " not in answer


def test_a_request_without_a_host_is_refused_where_one_is_needed(server: Running) -> None:
    answer = converse(server.port, request("/"), first=10)
    assert status_of(answer) == 400
    assert b"needs a Host header" in answer
    assert status_of(converse(server.port, request("/", version="HTTP/1.0"), first=10)) == 200
