"""Components typed as a list."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from components.adding import MOST_AT_ONCE, add_components, parse_outline
from components.models import Component
from components.tree import load_tree
from pages.models import Page


def outline(text: str) -> dict[str, list[str]]:
    return {group.name: group.components for group in parse_outline(text)}


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("Website\nAPI", {"": ["Website", "API"]}),
        ("Chat\n  Chat API\n  History", {"": [], "Chat": ["Chat API", "History"]}),
        ("Website\nChat\n\tChat API\n\nDocs", {"": ["Website", "Docs"], "Chat": ["Chat API"]}),
        ("- Website\n* Chat\n  • API", {"": ["Website"], "Chat": ["API"]}),
        ("  Website\n  Chat\n    API", {"": ["Website"], "Chat": ["API"]}),
        ("Chat\n  API\nWeb\nchat\n  History", {"": ["Web"], "Chat": ["API", "History"]}),
        ("Chat\n    API\n  History", {"": [], "Chat": ["API", "History"]}),
        ("Website\r\n\r\n   \r\nAPI\r\n", {"": ["Website", "API"]}),
        ("نظام\n  Straße", {"": [], "نظام": ["Straße"]}),
        ("A\x00B \u202eC", {"": ["AB C"]}),
        ("", {"": []}),
    ],
)
def test_a_list_is_read_as_people_write_it(text: str, right: dict[str, list[str]]) -> None:
    assert outline(text) == right


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Website\n" + "x" * 256, "Line 2: Shorten this to 255 characters"),
        ("x\n" * (MOST_AT_ONCE + 1), "These are 2001 lines; add at most 2000 at once."),
    ],
)
def test_what_cannot_be_added_is_refused_with_its_line(text: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        parse_outline(text)


def drawn(page: Page) -> list[tuple[str, list[str]]]:
    return [(branch.group.name if branch.group else "", [c.name for c in branch.components]) for branch in load_tree(page)]  # fmt: skip


def test_what_is_there_already_is_left_out(db: None) -> None:
    page = Page.objects.create(name="Acme", url="https://status.acme.example")
    add_components(page, parse_outline("Website\nChat\n  API"))
    added = add_components(page, parse_outline("website\nAPI\nCHAT\n  api\n  History\n  history"))
    assert added.skipped == ["website", "api", "history"]
    assert drawn(page) == [("", ["Website", "API"]), ("Chat", ["API", "History"])]


def test_two_thousand_at_once_have_their_spans(db: None, django_assert_max_num_queries) -> None:  # type: ignore[no-untyped-def]
    page = Page.objects.create(name="Acme", url="https://status.acme.example")
    typed = parse_outline(
        "\n".join(f"Group {n}\n" + "\n".join(f"  Part {n}.{m}" for m in range(19)) for n in range(100))
    )
    generation = page.generation
    with django_assert_max_num_queries(60):
        add_components(page, typed)
    assert page.components.count() == 1900
    assert Component.objects.filter(page=page, spans__ended_at=None).count() == 1900
    assert page.generation == generation + 1
