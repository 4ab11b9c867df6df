"""A live web server is asked for what it does not have, in a wrong name, by everybody at once, in hostile words."""

from __future__ import annotations

import json
import secrets
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import feedparser
import pytest
from bs4 import BeautifulSoup
from django.db import connection, transaction
from django.utils import timezone
from lxml import etree

from core.text import BODY_LIMIT, TITLE_LIMIT
from incidents.models import Incident, Update
from tests.faults.conftest import HOST
from tests.faults.visitor import Visitor
from tests.processes import wait_until

if TYPE_CHECKING:
    from pages.models import Page
    from tests.faults.conftest import Deployment

pytestmark = [pytest.mark.faults, pytest.mark.once]

TITLES = [
    "<script>alert(1)</script>",
    "]]><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "{{7*7}} {% debug %} ${x}",
    "bell \x07 escape \x1b[31m",
    "over\u202eride \u2066isolated",
    "line\r\nBcc: everybody@example.com",
    "\ufffe\uffff \U0001f4a5 \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "&amp; &lt; &#0; &nbsp;",
    "w" * TITLE_LIMIT,
]
BOMBS = ["[" * BODY_LIMIT, "> " * (BODY_LIMIT // 2), "*a" * (BODY_LIMIT // 2), "[a](" * (BODY_LIMIT // 4)]
UNKNOWN = [
    "/incidents/nothing00000",
    "/incidents/nothing00000.json",
    "/history/2026-13",
    "/badge/nothing00000.svg",
    "/api/v2/nothing.json",
    "/unsubscribe/nothing",
    "/subscriptions/nothing",
    "/subscribe/confirm/nothing",
    "/static/nothing.css",
    "/%00",
    "/%ff%fe",
    "/..%2f..%2fetc/passwd",
]


def assert_all_documents_can_be_read(visitor: Visitor, titles: int) -> None:
    """By strict parsers, and nothing in them runs. Each document has its own moment after the post."""

    def count_in_feed(path: str) -> int:
        content = visitor.get(path).content
        etree.fromstring(content)
        feed = feedparser.parse(content)
        assert not feed.bozo
        return len(feed.entries)

    counts = {
        "/api/v2/incidents.json": lambda path: len(visitor.get(path).json()["incidents"]),
        "/feed.json": lambda path: len(visitor.get(path).json()["items"]),
        "/history.rss": count_in_feed,
        "/history.atom": count_in_feed,
    }
    for path, count in counts.items():
        wait_until(lambda path=path, count=count: count(path) == titles, within=5, what=f"{titles} in {path}")
    shown = BeautifulSoup(visitor.get("/").content, "html.parser")
    assert all(script.get("src", "").startswith("/static/") for script in shown.find_all("script"))
    assert not [each for each in shown.find_all(True) for name in each.attrs if name.startswith("on")]
    assert not shown.find("img", src="x")


def test_hostile_titles_break_no_document(deployment: Deployment, staff: Visitor):
    for title in TITLES:
        answer = staff.post_update(title, title)
        assert answer.status_code == 302, f"{title!r}: {BeautifulSoup(answer.content, 'html.parser').text}"

    assert staff.post_update("null \x00", "Looking.").status_code == 422
    assert Incident.objects.count() == len(TITLES)
    assert_all_documents_can_be_read(Visitor(deployment.url, HOST), len(TITLES))
    assert "Traceback" not in deployment.logs


def test_bytes_that_are_no_text_are_kept_out_of_every_document(deployment: Deployment, staff: Visitor):
    fields = staff.form() | {"name": "TITLE", "body": "Looking."}
    body = "&".join(f"{name}={value}" for name, value in fields.items()).replace("TITLE", "half%ED%A0%80%FFword")
    staff.http.headers["Content-Type"] = "application/x-www-form-urlencoded"

    assert staff.post("/staff/post/", body).status_code == 302

    assert_all_documents_can_be_read(Visitor(deployment.url, HOST), 1)
    assert json.dumps(Update.objects.get().incident.name).startswith('"half')


def test_markdown_bombs_are_posted_and_read_in_a_moment(deployment: Deployment, staff: Visitor):
    for bomb in BOMBS:
        started = time.monotonic()
        assert staff.post_update("Bomb", bomb).status_code == 302
        assert time.monotonic() - started < 15, bomb[:4]
    assert staff.post_update("Too long", "a" * (BODY_LIMIT + 1)).status_code == 422

    assert_all_documents_can_be_read(Visitor(deployment.url, HOST), len(BOMBS))


def test_what_is_unknown_is_not_found_and_no_error_of_ours(deployment: Deployment, staff: Visitor):
    visitor = Visitor(deployment.url, HOST)
    answers = {path: visitor.get(path).status_code for path in UNKNOWN}
    assert {path: status for path, status in answers.items() if not 400 <= status < 500} == {}
    for path in ("/staff/post/nothing00000/", "/staff/notices/nothing00000/receipt/"):
        assert staff.get(path).status_code == 404
    assert "Traceback" not in deployment.logs


def ask(port: int, head: str) -> tuple[int, str]:
    """The status and the whole answer to a request that is sent as it is written."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connected:
        connected.sendall((head + "Connection: close\r\n\r\n").encode())
        answer = b"".join(iter(lambda: connected.recv(65536), b""))
    return int(answer.split(b" ", 2)[1]), answer.decode("utf-8", "replace")


def test_no_document_repeats_a_host_that_a_stranger_names(deployment: Deployment, staff: Visitor):
    for path in ("/", "/history.atom", "/api/v2/summary.json", "/api/banner.json", "/embed.js"):
        clean = ask(deployment.port, f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n")[1].partition("\r\n\r\n")[2]
        for name in ("X-Forwarded-Host", "X-Original-Host", "Forwarded", "X-Forwarded-Proto", "X-Rewrite-URL"):
            forged = ask(deployment.port, f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\n{name}: evil.example\r\n")
            assert forged[0] == 200
            assert forged[1].partition("\r\n\r\n")[2] == clean
        assert "evil.example" not in clean


@pytest.mark.parametrize(
    "head",
    [
        "GET / HTTP/1.1\r\nHost: evil.example\r\n",
        f"GET / HTTP/1.1\r\nHost: {HOST}\r\nHost: evil.example\r\n",
        f"GET / HTTP/1.1\r\nHost: evil.example\r\nHost: {HOST}\r\n",
        "GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n",
        f"GET / HTTP/1.1\r\nHost: {HOST}@evil.example\r\n",
        f"GET / HTTP/1.1\r\nHost: {HOST}:80evil.example\r\n",
    ],
)
def test_a_wrong_host_is_a_bad_request(web: Deployment, head: str):
    status, answer = ask(web.port, head)
    assert status == 400
    assert "evil.example" not in answer


def test_an_absolute_address_in_the_request_changes_nothing(web: Deployment):
    status, answer = ask(web.port, f"GET http://evil.example/ HTTP/1.1\r\nHost: {HOST}\r\n")
    assert status in (200, 400, 404)
    assert "evil.example" not in answer


def test_staff_and_strangers_read_the_same_bytes_without_a_cookie(deployment: Deployment, staff: Visitor):
    stranger = Visitor(deployment.url, HOST)
    for path in ("/", "/history.rss", "/api/v2/summary.json"):
        answers = [staff.get(path), stranger.get(path), stranger.get(f"{path}?utm_source={secrets.token_hex(4)}")]
        assert len({answer.content for answer in answers}) == 1
        assert all("Set-Cookie" not in answer.headers for answer in answers)
        assert all("Cookie" not in answer.headers["Vary"] for answer in answers)


def test_three_hundred_at_once_wait_for_one_rendering(deployment: Deployment, page: Page, staff: Visitor):
    """The table is locked so that rendering takes as long as we like; PostgreSQL says who waits for it.

    The month is one that nobody has asked for yet: the front page is ready before the server takes a request.
    """
    visitors = [Visitor(deployment.url, HOST) for _ in range(300)]
    with ThreadPoolExecutor(300) as pool:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE components_component IN ACCESS EXCLUSIVE MODE")
            asked = [pool.submit(visitor.get, f"/history/{timezone.now():%Y-%m}") for visitor in visitors]
            wait_until(lambda: waiting(cursor) > 0, what="the one who renders")
            time.sleep(1)  # whoever else wanted to render would wait for the same table by now
            assert waiting(cursor) == 1
            assert not any(each.done() for each in asked)
        answers = [each.result(30) for each in asked]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1


def waiting(cursor) -> int:
    cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'components_component'::regclass")
    return cursor.fetchone()[0]


@pytest.fixture
def web(deployment: Deployment, page: Page) -> Deployment:
    deployment.start_web()
    return deployment
