"""The fast path in front of Django: one rendering for many, bounded memory, true soon after a change."""

import asyncio
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.core.asgi import get_asgi_application
from django.db import connection
from pytest_django import Settings

from components.models import Component
from pages.models import Page
from public import search
from public.serving import fast_path as fast_path_module
from public.serving import head, http_replies, load_queues, render_cache
from public.serving.document_addresses import Target, find_document, find_published
from public.serving.document_bytes import Edition
from public.serving.edition_cache import CACHE_DOCUMENTS
from public.serving.fast_path import FastPath
from public.serving.head import DecidingLines, find_deciding_lines, read_head
from public.serving.http_replies import Answers, RequestCache, may_be_shared
from public.serving.load_queues import MOST_QUERIES_WAITING, PARTS_AT_ONCE, QUERIES_AT_ONCE, LoadQueues
from tests.public.conftest import ACME


class Answer:
    """What one ASGI request got."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode().lower(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message.get("body", b"")


async def ask(fast_path: FastPath, path: str, query: str = "", host: str = ACME, **headers: str) -> Answer:
    answer = Answer()
    asked = {"host": host} | headers
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "query_string": query.encode(),
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in asked.items()],
        "root_path": "",
    }
    gone = asyncio.Event()
    parts = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        for part in parts:
            return part
        await gone.wait()
        return {"type": "http.disconnect"}

    await fast_path(scope, receive, answer.send)
    return answer


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slow machine may take longer for the first rendering than a visitor should wait."""
    monkeypatch.setattr(fast_path_module, "LOAD_SECONDS", 120.0)


def run(visit: Callable[[FastPath], Awaitable[Any]], *, warm: bool = True) -> Any:
    """Run `visit` with a fast_path that knows the pages, as a server does before it listens; `warm`: their front pages too."""

    async def live() -> Any:
        fast_path = FastPath(get_asgi_application())
        fast_path.refresher.disk_copy_writer.copy.claim = lambda: False  # type: ignore[method-assign]  # tests/public/test_disk.py
        fast_path.refresher.start()
        await fast_path.refresher._first_read.wait()  # before it, every request would go to Django by itself
        if warm:
            await fast_path.refresher.warm_up()
        try:
            return await visit(fast_path)
        finally:
            await fast_path.close()

    return asyncio.run(live())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 (what it looks at knows no event)
            await asyncio.sleep(0.02)


def body_of(answers: Answers | None) -> bytes:
    return answers.edition.bodies["identity"] if answers else b""


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> Iterator[list[int]]:
    calls: list[int] = []
    real = getattr(module, name)

    def counting(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        return real(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(module, name, counting)
        yield calls


def test_a_thousand_at_once_on_a_cold_edition_cause_one_rendering(
    transactional_db: None, chat: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def visit(fast_path: FastPath) -> None:
        with (
            counted(monkeypatch, render_cache, "finish") as rendered,
            counted(monkeypatch, render_cache, "build") as built,
        ):
            threads = threading.active_count()
            answers = await asyncio.gather(
                *(ask(fast_path, "/api/v2/summary.json", f"n={each}") for each in range(1000))
            )
            assert {answer.status for answer in answers} == {200}
            assert len({answer.body for answer in answers}) == 1
            assert len(rendered) == 1
            assert len(built) == 1
            assert threading.active_count() < threads + 20

    run(visit, warm=False)


def test_a_thousand_at_once_for_what_does_not_exist_ask_django_once(
    transactional_db: None, chat: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    from public import views

    async def visit(fast_path: FastPath) -> None:
        with counted(monkeypatch, views, "build_incident") as searched:
            answers = await asyncio.gather(*(ask(fast_path, "/incidents/nosuchincide") for _ in range(1000)))
            assert {answer.status for answer in answers} == {404}
            assert len(searched) == 1
            assert {answers.target.path for answers in fast_path.editions.cache.list_answers()} <= {"/"}

    run(visit)


def test_a_flood_of_searches_delays_no_other_document(transactional_db: None, chat: Component) -> None:
    """All are asked before the first is rendered."""
    room = QUERIES_AT_ONCE + MOST_QUERIES_WAITING

    async def visit(fast_path: FastPath) -> None:
        flood = [asyncio.create_task(ask(fast_path, "/history/search", f"q=slow+{each}")) for each in range(200)]
        await asyncio.sleep(0)  # each has been asked
        others = ("/history", "/history.rss", "/api/v2/summary.json")
        answers = await asyncio.gather(*(ask(fast_path, path) for path in others))
        assert [answer.status for answer in answers] == [200] * 3

        statuses = Counter(answer.status for answer in await asyncio.gather(*flood))
        assert statuses == {200: room, 503: 200 - room}
        refused = next(task.result() for task in flood if task.result().status == 503)
        assert refused.headers["retry-after"] == "5"
        assert (await ask(fast_path, "/history/search", "q=slow+199")).status == 200

    run(visit, warm=False)


def test_made_up_codes_have_a_queue_of_their_own(
    transactional_db: None, chat: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_queues, "MOST_PARTS_WAITING", 20)
    room = PARTS_AT_ONCE + 20

    async def visit(fast_path: FastPath) -> None:
        made_up = [asyncio.create_task(ask(fast_path, f"/incidents/{each:012}")) for each in range(room + 50)]
        assert (await ask(fast_path, "/history")).status == 200
        statuses = Counter(answer.status for answer in await asyncio.gather(*made_up))
        assert statuses == {404: room, 503: 50}

    run(visit, warm=False)


@pytest.mark.parametrize(
    ("path", "query", "is_kept", "queue"),
    [
        ("/", "", False, "fixed"),
        ("/history.json", "", False, "fixed"),
        ("/history.json", "page=2", False, "query"),
        ("/history.json", "page=2", True, "fixed"),
        ("/history/search", "q=slow", False, "query"),
        ("/incidents/abcdefghijk0", "", False, "part"),
        ("/incidents/abcdefghijk0", "", True, "fixed"),
        ("/badge/abcdefghijk0.svg", "", False, "part"),
        ("/history/2026-10", "", False, "part"),
    ],
)
def test_what_everybody_reads_waits_for_nobody(path: str, query: str, is_kept: bool, queue: str) -> None:
    found = find_document(path, query)
    assert found
    queues = LoadQueues()
    expected = {"fixed": queues.fixed, "part": queues.part, "query": queues.query}[queue]
    assert queues.queue_for(Target((1, *found[0]), False, path, found[1]), is_kept=is_kept) is expected


def test_after_a_change_searches_are_not_rendered_again(
    transactional_db: None, acme: Page, chat: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def visit(fast_path: FastPath) -> None:
        for path, query in (("/history/search", "q=slow"), ("/", "")):
            assert (await ask(fast_path, path, query)).status == 200
        with counted(monkeypatch, search, "find_incidents") as searched:
            await asyncio.to_thread(acme.raise_generation)
            kept = fast_path.editions.cache.list_answers
            await until(lambda: not any(each.target.query for each in kept()))
            assert not searched

    run(visit)


def test_a_hit_asks_the_database_nothing(transactional_db: None, chat: Component) -> None:
    asked: list[str] = []

    def note(execute: Any, sql: str, *args: Any) -> Any:
        asked.append(threading.current_thread().name)
        return execute(sql, *args)

    async def visit(fast_path: FastPath) -> None:
        await ask(fast_path, "/")
        await fast_path.refresher.stop()  # its own question, every 250 ms, is not a visitor's
        with connection.execute_wrapper(note):
            for _ in range(50):
                assert (await ask(fast_path, "/", accept_encoding="gzip")).status == 200
        assert asked == []

    run(visit)


@pytest.mark.once
def test_made_up_addresses_take_no_memory_and_spoil_nobodys_answer(
    transactional_db: None, chat: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("public.serving.edition_cache.CACHE_DOCUMENTS", 20)

    async def visit(fast_path: FastPath) -> None:
        wanted = await ask(fast_path, "/")
        await ask(fast_path, "/history.json", "page=1")
        for number in range(20_000):
            answer = await ask(
                fast_path, "/", f"utm={number}", accept_encoding=f"x-{number}, gzip;q=0", user_agent=str(number)
            )
            assert answer.body == wanted.body
        for number in range(100):
            await ask(fast_path, "/history.json", f"page={number % 40}&x={number}", host=f"{ACME}:{8000 + number}")
        assert len(fast_path.editions.cache) <= 20
        assert len(fast_path.editions.cache.list_answers()) <= 20
        assert (await ask(fast_path, "/")).body == wanted.body
        assert len(fast_path._hosts) <= 256

    run(visit)
    assert CACHE_DOCUMENTS <= 2000


@pytest.mark.once
def test_a_hundred_thousand_heads_take_no_memory() -> None:
    memory = RequestCache()
    edition = Edition((1, ""), 200, {"Content-Type": "text/html"}, {"identity": b"x"}, "tag", 0.0)
    target = Target((1, ""), secure=False, path="/", query="")
    answers = http_replies.Answers(
        edition, [], target=target, host=ACME, old_since=None, has_stale_line=False, on_use=lambda: None
    )
    for number in range(100_000):
        data = f"GET /?{number} HTTP/1.1\r\nHost: {ACME}\r\nX-Unlike: {number}\r\nAccept-Encoding: x{number}\r\n\r\n".encode()
        deciding_lines = find_deciding_lines(data)
        assert deciding_lines is not None
        assert read_head(data) is not None
        memory.keep(data, deciding_lines, answers.choose(f"x{number}".encode(), b""))
    assert len(memory.by_head) <= RequestCache.HEADS
    assert len(memory.by_lines) <= RequestCache.LINES
    assert len(head._lines) <= head._lines.KEPT
    long = b"GET / HTTP/1.1\r\nHost: x\r\nIf-None-Match: " + b"x" * 5000 + b"\r\n\r\n"
    memory.forget()
    memory.keep(long, find_deciding_lines(long) or (), answers.choose(b"", b""))
    assert (memory.by_head, memory.by_lines) == ({}, {})


def deciding_lines(*lines: bytes) -> DecidingLines | None:
    return find_deciding_lines(b"\r\n".join([*lines, b"", b""]))


def test_only_what_cannot_change_the_answer_is_left_out_of_the_deciding_lines() -> None:
    plain = deciding_lines(b"GET / HTTP/1.1", b"Host: a")
    assert deciding_lines(b"GET / HTTP/1.1", b"Host: a", b"User-Agent: x") == plain
    assert deciding_lines(b"GET / HTTP/1.1", b"Cookie: x=y", b"Host: a") == plain
    for different in (
        (b"GET / HTTP/1.1", b"Host: b"),
        (b"GET / HTTP/1.1", b"Host: a", b"content-LENGTH: 3"),
        (b"GET / HTTP/1.1", b"Host: a", b"Transfer-Encoding: chunked"),
        (b"GET / HTTP/1.1", b"Host: a", b"Content-Length : 3"),
        (b"GET / HTTP/1.1", b"Host: a", b" folded"),
        (b"GET / HTTP/1.1", b"Host: a", b"no colon"),
        (b"GET / HTTP/1.1", b"Host: a", b"X: a\nb"),
        (b"GET / HTTP/1.1", b"Host: a", b"X: a\x00b"),
        (b"GET / HTTP/1.1", b"Host: a", b"", b"X: y"),
        (b"GET / HTTP/1.1", b"Host: a", b"", b"GET / HTTP/1.1", b"Host: a"),
    ):
        assert deciding_lines(*different) != plain, different
    assert deciding_lines(b"X: y", b"GET / HTTP/1.1", b"Host: a") is None
    assert find_deciding_lines(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nX: y\r\n") is None


def test_a_change_is_seen_and_read_documents_are_ready_before_anybody_asks(
    transactional_db: None, acme: Page, chat: Component
) -> None:
    async def visit(fast_path: FastPath) -> None:
        first = await ask(fast_path, "/")
        Component.objects.filter(pk=chat.pk).update(name="Another name")
        await asyncio.to_thread(acme.raise_generation)
        await until(lambda: b"Another name" in body_of(fast_path.find(ACME, "/", "", secure=False)))
        assert (await ask(fast_path, "/")).body != first.body

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")  # the test itself writes from the loop's thread
        run(visit)


def test_probes_are_answered_on_any_host(transactional_db: None, acme: Page) -> None:
    async def visit(fast_path: FastPath) -> None:
        for path in ("/livez", "/readyz"):
            answer = await ask(fast_path, path, host="10.0.0.1")
            assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")

    run(visit)


def test_only_published_documents_take_the_fast_path() -> None:
    for path in (
        "/admin/",
        "/admin/login/",
        "/subscribe",
        "/healthz",
        "/static/css/public.css",
        "/nothing",
        "/v1/pages",
        "/bounces/mailgun",
    ):
        assert find_published(path) is None, path
    home, history = find_published("/"), find_published("/history.json")
    assert home is not None
    assert not home.params
    assert history is not None


def test_an_answer_that_depends_on_the_visitor_is_not_kept() -> None:
    good = [(b"cache-control", b"public, max-age=10"), (b"vary", b"Accept-Encoding")]
    assert may_be_shared(good)
    for bad in (
        [*good, (b"set-cookie", b"a=b")],
        [good[0], (b"vary", b"Accept-Encoding, Cookie")],
        [good[0]],
        [(b"cache-control", b"private"), good[1]],
    ):
        assert not may_be_shared(bad)


@pytest.mark.parametrize("path", ["/status", "/status/", "/status/history", "/", "/history"])
def test_a_document_under_a_sub_path_is_answered_from_memory(
    transactional_db: None, chat: Component, settings: Settings, path: str
) -> None:
    settings.FORCE_SCRIPT_NAME = "/status"

    async def visit(fast_path: FastPath) -> tuple[Answer, Any]:
        answer = await ask(fast_path, path)
        return answer, fast_path.find(ACME, path, "", secure=False)

    answer, kept = run(visit)
    assert answer.status == 200
    assert b'href="/status/history"' in answer.body
    assert b'href="/history"' not in answer.body
    assert kept is not None
