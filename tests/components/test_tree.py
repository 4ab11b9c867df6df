"""The order of components and groups, and two people who change it at once.

A tree is written as one line: "a b | G: c d | H:" has a and b outside groups, c and d in G, and an empty H.
"""

from __future__ import annotations

import pytest
from django.db import transaction

from components.models import Component, Group
from components.tree import load_tree, move_component, move_group, step_component, step_group
from pages.models import Page

pytestmark = pytest.mark.django_db
START = "a b | G: c d | H:"


def grow(text: str) -> Page:
    page = Page.objects.create(name="Acme", url="https://status.acme.example")
    position = 1
    for part in text.split("|"):
        name, _, members = part.strip().rpartition(":")
        group = Group.objects.create(page=page, name=name, code=name.lower() * 12, position=position) if name else None
        for member in members.split():
            Component.objects.create(page=page, group=group, name=member, code=member, position=position)
            position += 1
    return page


def drawn(page: Page) -> str:
    parts = []
    for branch in load_tree(page):
        names = " ".join(component.name for component in branch.components)
        parts.append(f"{branch.group.name}: {names}".strip() if branch.group else names)
    return " | ".join(parts)


@pytest.mark.parametrize(
    ("code", "group", "before", "right"),
    [
        ("b", "", "a", "b a | G: c d | H:"),
        ("a", "", "", "b a | G: c d | H:"),
        ("a", "g", "d", "b | G: c a d | H:"),
        ("a", "g", "", "b | G: c d a | H:"),
        ("c", "h", "", "a b | G: d | H: c"),
        ("d", "", "b", "a d b | G: c | H:"),
        ("d", "g", "c", "a b | G: d c | H:"),
        ("a", "g", "b", "b | G: c d a | H:"),  # b is not in that group, or not any more: last
        ("a", "", "a", "b a | G: c d | H:"),
    ],
)
def test_a_component_moves_in_front_of_another_one(code: str, group: str, before: str, right: str) -> None:
    page = grow(START)
    move_component(page, code, group=group * 12, before=before)
    assert drawn(page) == right


@pytest.mark.parametrize(
    ("code", "step", "right"),
    [
        ("a", 1, "b a | G: c d | H:"),
        ("a", -1, "a b | G: c d | H:"),
        ("b", 1, "a | G: b c d | H:"),
        ("c", -1, "a b c | G: d | H:"),
        ("d", 1, "a b | G: c | H: d"),
    ],
)
def test_a_component_steps_over_the_edge_of_its_group(code: str, step: int, right: str) -> None:
    page = grow(START)
    step_component(page, code, step)
    assert drawn(page) == right


def test_groups_move_and_step() -> None:
    page = grow("a | G: b | H: c | I: d")
    move_group(page, "i" * 12, before="g" * 12)
    assert drawn(page) == "a | I: d | G: b | H: c"
    step_group(page, "g" * 12, 1)
    assert drawn(page) == "a | I: d | H: c | G: b"
    step_group(page, "g" * 12, 1)
    assert drawn(page) == "a | I: d | H: c | G: b"
    step_group(page, "g" * 12, -1)
    assert drawn(page) == "a | I: d | G: b | H: c"


def test_positions_that_stand_twice_are_numbered_anew() -> None:
    page = grow(START)
    page.components.update(position=1)
    page.groups.update(position=7)
    move_component(page, "d", group="g" * 12, before="c")
    assert drawn(page) == "a b | G: d c | H:"
    assert sorted(page.components.values_list("position", flat=True)) == [1, 2, 3, 4]


def test_two_moves_of_one_screen_are_both_made() -> None:
    """Each says before which one; neither knows of the other."""
    page = grow("a b c d")
    for code, before in (("d", "a"), ("a", "")):
        with transaction.atomic():
            page.raise_generation()
            move_component(page, code, before=before)
    assert drawn(page) == "d b c a"


def test_what_somebody_removed_cannot_be_moved() -> None:
    page = grow(START)
    Component.objects.get(code="a").archive()
    with pytest.raises(Component.DoesNotExist):
        move_component(page, "a", before="b")
    with pytest.raises(Component.DoesNotExist):
        step_component(page, "a", 1)
    with pytest.raises(Group.DoesNotExist):
        move_component(page, "b", group="nothere")
    with pytest.raises(Group.DoesNotExist):
        step_group(page, "nothere", 1)
    assert drawn(page) == "b | G: c d | H:"


def test_a_move_writes_only_what_changed(django_assert_max_num_queries) -> None:  # type: ignore[no-untyped-def]
    page = grow(START)
    move_component(page, "d", group="g" * 12, before="c")
    with django_assert_max_num_queries(2):  # reading the tree
        move_component(page, "d", group="g" * 12, before="c")
