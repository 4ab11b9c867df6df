"""The order of a page's components: those outside groups first, then group by group.

Moves say "before which one", never "to which number", so two people may move at once. A move renumbers all
positions from 1 under the page's lock; only rows whose position or group changed are written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from components.models import Component, Group
from pages.models import Page


@dataclass
class Branch:
    """A group with its components in order; `group` is None for those outside groups."""

    group: Group | None
    components: list[Component]


def load_tree(page: Page) -> list[Branch]:
    """Every component that is not archived. The branch without a group is always there, and first."""
    groups = list(page.groups.all())
    branches = {group.pk: Branch(group, []) for group in groups}
    outside = Branch(None, [])
    for component in page.components.current().select_related("group"):
        branches.get(component.group_id or 0, outside).components.append(component)
    return [outside, *branches.values()]


def move_component(page: Page, code: str, *, group: str = "", before: str = "") -> None:
    """Put a component into a group ("" for none), in front of another one of that group; "" for last.

    Last also where that one is not in the group any more. Raises Component.DoesNotExist or Group.DoesNotExist
    for what somebody removed meanwhile. Call it inside a transaction, once the page is locked.
    """
    tree = load_tree(page)
    moved = _take(tree, code)
    target = _find_branch(tree, group)
    _insert(target.components, moved, before)
    _write(tree)


def move_group(page: Page, code: str, *, before: str = "") -> None:
    """The same for a whole group."""
    outside, *branches = load_tree(page)
    moved = _find_branch(branches, code)
    branches.remove(moved)
    places = [branch.group.code for branch in branches if branch.group]
    branches.insert(places.index(before) if before in places else len(places), moved)
    _write([outside, *branches])


def step_component(page: Page, code: str, step: int) -> None:
    """One place up (-1) or down (1), as the arrow keys do; over the edge of its group into the next one."""
    tree = load_tree(page)
    at, index = next(
        ((number, place) for number, branch in enumerate(tree) for place, each in enumerate(branch.components) if each.code == code),
        (-1, -1),
    )  # fmt: skip
    if at < 0:
        raise Component.DoesNotExist(code)
    moved, here = tree[at].components[index], tree[at]
    if 0 <= index + step < len(here.components):
        here.components.insert(index + step, here.components.pop(index))
    elif 0 <= at + step < len(tree):
        here.components.remove(moved)
        tree[at + step].components.insert(0 if step > 0 else len(tree[at + step].components), moved)
    _write(tree)


def step_group(page: Page, code: str, step: int) -> None:
    """One place up or down; nothing happens at an end."""
    codes = [branch.group.code for branch in load_tree(page)[1:] if branch.group]
    if code not in codes:
        raise Group.DoesNotExist(code)
    at = codes.index(code) + step
    others = [each for each in codes if each != code]
    if 0 <= at < len(codes):
        move_group(page, code, before=others[at] if at < len(others) else "")


def _take(tree: Sequence[Branch], code: str) -> Component:
    for branch in tree:
        for component in branch.components:
            if component.code == code:
                branch.components.remove(component)
                return component
    raise Component.DoesNotExist(code)


def _find_branch(tree: Sequence[Branch], code: str) -> Branch:
    for branch in tree:
        if (branch.group.code if branch.group else "") == code:
            return branch
    raise Group.DoesNotExist(code)


def _insert(components: list[Component], moved: Component, before: str) -> None:
    places = [component.code for component in components]
    components.insert(places.index(before) if before in places else len(places), moved)


def _write(tree: Sequence[Branch]) -> None:
    """Number everything anew, from 1."""
    groups = [branch.group for branch in tree if branch.group]
    moved_groups = _renumber(groups)
    components = [component for branch in tree for component in branch.components]
    regrouped = [each for branch in tree for each in branch.components if each.group != branch.group]
    for branch in tree:
        for component in branch.components:
            component.group = branch.group
    moved = {component.pk: component for component in [*_renumber(components), *regrouped]}
    Group.objects.bulk_update(moved_groups, ["position"], batch_size=500)
    Component.objects.bulk_update(list(moved.values()), ["position", "group"], batch_size=500)


Placed = TypeVar("Placed", Component, Group)


def _renumber(rows: Sequence[Placed]) -> list[Placed]:
    """Give each its place, from 1; returns those that had another."""
    changed = []
    for number, row in enumerate(rows, 1):
        if row.position != number:
            row.position = number
            changed.append(row)
    return changed
