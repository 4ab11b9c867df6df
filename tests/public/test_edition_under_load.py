"""Many visitors at once, and very many addresses: one rendering, and bounded memory."""

import threading
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.http import HttpResponse
from django.utils import timezone

from pages.models import Page
from public.serving import edition_cache
from public.serving.edition import Editions, Rendered, editions
from public.shapes import Snapshot

if TYPE_CHECKING:
    from tests.public.conftest import Get

ACME = "status.acme.localhost"


@pytest.mark.django_db(transaction=True)
def test_a_stampede_renders_once(acme: Page) -> None:
    rendered: list[int] = []
    answers: list[bytes] = []
    gate = threading.Barrier(20)

    def render(snapshot: Snapshot) -> Rendered:
        rendered.append(1)
        return Rendered("body")

    def visit() -> None:
        gate.wait(timeout=20)
        answers.append(editions.fetch(ACME, ("/",), render)[1].bodies["identity"])
        connection.close()

    threads = [threading.Thread(target=visit) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert (len(rendered), answers) == (1, [b"body"] * 20)


def test_while_one_thread_renders_the_others_get_the_old_one(acme: Page) -> None:
    old = editions.fetch(ACME, ("/",), lambda snapshot: Rendered("old"))[1]
    acme.raise_generation()

    def render(snapshot: Snapshot) -> Rendered:
        seen = editions.fetch(ACME, ("/",), render)[1]  # a second visitor, in the middle of the first one's rendering
        assert seen is old
        return Rendered("new")

    assert editions.fetch(ACME, ("/",), render)[1].bodies["identity"] == b"new"


@pytest.mark.once
def test_a_hundred_thousand_addresses_do_not_fill_the_memory(generation_read_once: None, acme: Page) -> None:
    mine = Editions()
    wanted = mine.fetch(ACME, ("/",), lambda snapshot: Rendered("wanted"))[1]
    for number in range(100_000):
        mine.fetch(ACME, (f"/?{number}",), lambda snapshot: Rendered(b"x"))
        if number % 1000 == 0:
            assert mine.fetch(ACME, ("/",), lambda snapshot: Rendered("again"))[1] is wanted
    assert len(mine.cache) == edition_cache.CACHE_DOCUMENTS


def test_large_documents_push_each_other_out(
    generation_read_once: None, acme: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edition_cache, "CACHE_BYTES", 1_000_000)
    mine = Editions()
    for number in range(30):
        mine.fetch(
            ACME,
            (number,),
            lambda snapshot: Rendered(bytes(timezone.now().microsecond % 255 for _ in range(1)) * 400_000),
        )
    assert len(mine.cache) <= 3


def test_addresses_that_do_not_exist_are_not_kept(get: "Get", acme: Page) -> None:
    get("/")
    before = len(editions.cache)
    answers: list[HttpResponse] = [get(f"/incidents/{number:012}") for number in range(50)]
    assert {answer.status_code for answer in answers} == {404}
    assert len(editions.cache) == before
