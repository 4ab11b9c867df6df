"""Searching the history by words and by component, with nothing but GET."""

from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from django.utils import timezone

from components.models import Component
from components.status import Status
from incidents.models import Incident, Post
from incidents.phases import Phase
from pages.models import Page
from public import snapshot
from public.search import MOST_KEPT
from public.serving.document_addresses import find_document
from public.serving.edition import editions

if TYPE_CHECKING:
    from tests.public.conftest import Get, Read


def happened(page: Page, name: str, body: str, component: Component | None = None) -> Incident:
    at = timezone.now() - timedelta(days=400)
    touched = {component: Status.PARTIAL_OUTAGE} if component else {}
    incident = Incident.open(page, name, Post(body, at=at)).incident
    incident.post(Post("Done.", Phase.RESOLVED, at=at + timedelta(hours=1), components=dict.fromkeys(touched, Status.OPERATIONAL)))  # fmt: skip
    return incident


def found(read: "Read", query: str) -> list[str]:
    return [link.get_text() for link in read(f"/history/search?{query}").select(".day a")]


def test_words_are_found_in_names_and_updates_however_old(read: "Read", acme: Page, chat: Component) -> None:
    happened(acme, "Slow messages", "A disk was full.", chat)
    happened(acme, "Website down", "A certificate ran out.")
    assert found(read, "q=DISK+slow") == ["Slow messages"]
    assert found(read, "q=certificate") == ["Website down"]
    assert found(read, "q=100%25") == found(read, "q=disk+certificate") == []
    assert found(read, f"component={chat.code}") == ["Slow messages"]
    assert found(read, f"component={chat.code}&q=certificate") == []


def test_an_empty_search_says_what_to_do(read: "Read", acme: Page, chat: Component) -> None:
    assert "Write at least two letters" in read("/history/search").get_text()
    assert "Try fewer or other words" in read("/history/search?q=nothing+like+it").get_text()
    page = read("/history/search?q=%3Cb%3E%22x")
    assert page.select_one("input[name=q]")["value"] == '<b>"x'  # type: ignore[index]
    assert page.select_one("meta[name=robots]")["content"] == "noindex"  # type: ignore[index]


def test_the_history_leads_to_the_search(read: "Read", acme: Page, chat: Component) -> None:
    form = read("/history").select_one("form")
    assert form is not None
    assert (form["action"], form.get("method")) == ("/history/search", None)
    assert [option["value"] for option in form.select("option")] == ["", chat.code]


def test_a_hidden_component_cannot_be_searched_for(read: "Read", acme: Page) -> None:
    hidden = Component.objects.create(page=acme, name="Secret", hidden=True)
    happened(acme, "Something", "Somewhere", hidden)
    page = read(f"/history/search?component={hidden.code}")
    assert page.select(".day") == []
    assert "Secret" not in str(page)


def test_what_strangers_type_does_not_fill_the_cache(get: "Get", acme: Page) -> None:
    get("/history")
    for number in range(MOST_KEPT * 2):
        get(f"/history/search?q=word{number}")
    names = editions.cache.names()
    assert len([name for name in names if name[1] == "history/search"]) == MOST_KEPT
    assert any(name[1] == "history" for name in names)


@pytest.mark.parametrize("words", ["a&b=c", "100% #1", "münze 中文", "a+b;c"])
def test_the_fast_path_asks_for_the_words_as_they_were_typed(words: str) -> None:
    first = find_document("/history/search", f"q={quote(words)}&other=1")
    assert first is not None
    assert ("q", words) in first[0]
    assert find_document("/history/search", first[1]) == first


@pytest.mark.parametrize("words", ["x", "y" * 61, "a%00b", "a%0ab"])
def test_words_that_cannot_be_looked_for_are_passed_over(read: "Read", acme: Page, words: str) -> None:
    assert "Write at least two letters" in read(f"/history/search?q={words}").get_text()


@pytest.mark.parametrize("size", [1, 2, 3, 500])
def test_slices_leave_out_nothing_repeat_nothing_and_keep_the_order(
    acme: Page, chat: Component, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(snapshot, "FIRST_SLICE", size)
    names = [f"Outage {n}" for n in range(7)]
    for name in names:
        happened(acme, name, "A cable." if name.endswith(("1", "6")) else "A disk.", chat)
    Incident.objects.filter(name__in=names[:3]).update(started_at=timezone.now() - timedelta(days=500))  # at one moment

    def find(text: str, code: str = "", most: int = 50) -> list[str]:
        return [each.name for each in snapshot.find_incidents(acme, text, code, most=most)]

    ordered = [*names[:2:-1], *names[2::-1]]
    assert find("outage") == find("outage", chat.code) == ordered
    assert find("cable") == ["Outage 6", "Outage 1"]
    assert find("disk", most=3) == ["Outage 5", "Outage 4", "Outage 3"]
    assert find("outage nothing") == []
