"""Addresses made up to cost us work: no error, one document for all spellings, and nobody kept from the news."""

import threading
from typing import TYPE_CHECKING, Any

import pytest
from django.db import connection
from django.test import Client

from incidents.models import Incident
from pages.models import Page
from public.serving import render_cache
from public.serving.edition import Editions, Rendered
from public.shapes import Snapshot

if TYPE_CHECKING:
    from tests.public.conftest import Get

ACME = "status.acme.localhost"


@pytest.mark.parametrize(
    "year",
    ["0", "0000", "10000", "99999999999999999999", "9" * 4000, "9" * 5000],
    ids=lambda year: f"{len(year)} digits",
)
def test_a_year_beyond_the_calendar_is_not_found(get: "Get", outage: Incident, year: str) -> None:
    assert get(f"/history/{year}-01").status_code == 404


def test_all_spellings_of_a_month_are_one_document(
    get: "Get", outage: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished: list[Rendered] = []

    def count(rendered: Rendered, version: Any) -> Any:
        finished.append(rendered)
        return finish(rendered, version)

    finish = render_cache.finish
    monkeypatch.setattr(render_cache, "finish", count)
    month = f"{outage.started_at:%Y-%m}"
    answers = {get(f"/history/{zeros}{month}").content for zeros in ("", "0", "00", "0" * 300)}
    assert (len(answers), len(finished)) == (1, 1)


def test_addresses_with_two_slashes_are_documents_of_their_own(get: "Get", outage: Incident) -> None:
    names = ("status", "components")
    single, double = (
        [get(f"{start}/api/v2/{name}.json").content for name in names] for start in ("", f"http://{ACME}/")
    )
    assert single == double
    assert single[0] != single[1]


@pytest.mark.django_db(transaction=True)
def test_a_rendering_of_something_else_keeps_nobody_from_the_news(acme: Page) -> None:
    mine = Editions()
    mine.fetch(ACME, ("/",), lambda snapshot: Rendered("old"))
    acme.raise_generation()
    answers: list[bytes] = []
    busy, done = threading.Event(), threading.Event()

    def take_long(snapshot: Snapshot) -> Rendered:
        busy.set()
        assert done.wait(timeout=20)
        return Rendered("other")

    def visit(name: str, render: Any) -> None:
        answers.append(mine.fetch(ACME, (name,), render)[1].bodies["identity"])
        connection.close()

    other = threading.Thread(target=visit, args=("/other", take_long))
    reader = threading.Thread(target=visit, args=("/", lambda snapshot: Rendered("new")))
    other.start()
    assert busy.wait(timeout=20)
    reader.start()
    reader.join(timeout=0.3)  # long enough to be served the old one, if it were
    done.set()
    for thread in (other, reader):
        thread.join(timeout=20)
    assert sorted(answers) == [b"new", b"other"]


@pytest.mark.parametrize("path", ["/api", "/history"])
def test_an_address_with_a_slash_too_many_leads_to_the_right_one(path: str, acme: Page, client: Client) -> None:
    answer = client.get(f"{path}/", headers={"host": "status.acme.localhost"})
    assert (answer.status_code, answer["Location"]) == (302, path)
