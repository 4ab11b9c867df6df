"""Many components at once, typed as a list: one a line, those of a group indented below its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from components.models import Component, Group, StatusSpan
from components.status import Status
from core.text import TITLE_LIMIT, clean_text
from pages.models import Page

MOST_AT_ONCE = 2000


@dataclass
class TypedGroup:
    """`name` is "" for components outside groups."""

    name: str
    components: list[str] = field(default_factory=list)


def parse_outline(text: str) -> list[TypedGroup]:
    """What was typed, in its order; those outside groups are gathered in the first entry.

    A line with an indented line below it names a group; bullets in front are no part of a name. Raises
    ValidationError with the number of the line that cannot be read.
    """
    lines = [line for line in enumerate(text.expandtabs(4).splitlines(), 1) if line[1].strip(" -*•")]
    if len(lines) > MOST_AT_ONCE:
        raise ValidationError(
            _("These are %(count)d lines; add at most %(most)d at once.") % {"count": len(lines), "most": MOST_AT_ONCE}
        )
    indents = [len(line) - len(line.lstrip()) for _number, line in lines]
    outside, groups = TypedGroup(""), dict[str, TypedGroup]()
    current: TypedGroup | None = None
    for at, (number, line) in enumerate(lines):
        name = _read_name(number, line)
        if indents[at] > indents[0]:
            if current is None:
                raise ValidationError(_("Line %(number)d is indented, but below no group.") % {"number": number})
            current.components.append(name)
        elif at + 1 < len(lines) and indents[at + 1] > indents[0]:
            current = groups.setdefault(name.casefold(), TypedGroup(name))
        else:
            current = None
            outside.components.append(name)
    return [outside, *groups.values()]


def _read_name(number: int, line: str) -> str:
    try:
        return clean_text(line.strip().lstrip("-*•").strip(), limit=TITLE_LIMIT, multiline=False)
    except ValidationError as error:
        words = {"number": number, "problem": error.messages[0]}
        raise ValidationError(_("Line %(number)d: %(problem)s") % words) from error


@dataclass
class Addition:
    """What would be new on the page: `groups` are those to make, `skipped` the names that are there already."""

    groups: list[str]
    components: list[tuple[str, str]]
    """(group's name or "", component's name)"""
    skipped: list[str]


def plan_addition(page: Page, typed: Sequence[TypedGroup]) -> Addition:
    """Names are compared without regard to capitals; the same name may stand in two groups."""
    known_groups = {name.casefold() for name in page.groups.values_list("name", flat=True)}
    rows = page.components.current().values_list("group__name", "name")
    known = {((group or "").casefold(), name.casefold()) for group, name in rows}
    new: dict[tuple[str, str], tuple[str, str]] = {}
    skipped = []
    for group in typed:
        for name in group.components:
            key = group.name.casefold(), name.casefold()
            if key in known or key in new:
                skipped.append(name)
            else:
                new[key] = group.name, name
    groups = [group.name for group in typed if group.name and group.name.casefold() not in known_groups]
    return Addition(groups, list(new.values()), skipped)


def add_components(page: Page, typed: Sequence[TypedGroup]) -> Addition:
    """Add what is new, at the end. Two people may paste the same list: it is compared under the page's lock."""
    with transaction.atomic():
        page.raise_generation()
        plan = plan_addition(page, typed)
        at = page.groups.next_position()
        made = [Group(page=page, name=name, position=at + number) for number, name in enumerate(plan.groups)]
        Group.objects.bulk_create(made, batch_size=500)
        groups = {group.name.casefold(): group for group in page.groups.all()}
        after = page.components.next_position()
        rows = [
            Component(page=page, group=groups.get(group.casefold()), name=name, position=after + number)
            for number, (group, name) in enumerate(plan.components)
        ]
        rows = Component.objects.bulk_create(rows, batch_size=500)
        spans = [StatusSpan(component=row, status=Status.OPERATIONAL, started_at=row.created_at) for row in rows]
        StatusSpan.objects.bulk_create(spans, batch_size=500)
    return plan
