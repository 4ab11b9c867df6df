"""Which status a component shows: the worst of its effects, else its base status. Rules: docs/uptime.md.

Whoever changes effects or base statuses holds the page's lock (`Page.lock`) and ends with `show_worst`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.utils import timezone

from components.models import Component, Effect
from components.status import Status
from pages.models import record_audit


class Held(NamedTuple):
    """What others say of a component: the worst status, and the causes that say it."""

    status: Status
    causes: tuple[str, ...]


NOT_HELD = Held(Status.OPERATIONAL, ())


def replace_effects(cause: str, effects: Mapping[Component, Status]) -> None:
    """From now on `cause` says this, and nothing of any other component. Shows nothing yet."""
    Effect.objects.filter(cause=cause).exclude(component__in=list(effects)).delete()
    rows = [Effect(component=component, cause=cause, status=status) for component, status in effects.items()]
    Effect.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["component", "cause"], update_fields=["status"]
    )


def replace_component(
    component: Component, causes: Collection[str], effects: Mapping[str, Status], base: Status
) -> None:
    """For an import: of all `causes`, just these say something of the component, and its base status is `base`.
    Shows nothing yet."""
    component.effects.filter(cause__in=causes).delete()
    rows = [Effect(component=component, cause=cause, status=status) for cause, status in effects.items()]
    Effect.objects.bulk_create(rows)
    component.base_status = base
    component.save(update_fields=["base_status"])


def load_effects(cause: str) -> dict[int, Status]:
    """By component id: what `cause` says now."""
    return {each.component_id: Status(each.status) for each in Effect.objects.filter(cause=cause)}


def held_by_others(components: Collection[Component], cause: str | None = None) -> dict[int, Held]:
    """By component id: the worst that anybody but `cause` says of it. Components that nobody holds are left out."""
    rows = Effect.objects.filter(component__in=components, status__gt=Status.OPERATIONAL).order_by("pk")
    held: dict[int, Held] = {}
    for row in rows.exclude(cause=cause) if cause else rows:
        before = held.get(row.component_id, NOT_HELD)
        if row.status > before.status:
            held[row.component_id] = Held(Status(row.status), (row.cause,))
        elif row.status == before.status:
            held[row.component_id] = Held(before.status, (*before.causes, row.cause))
    return held


def worst_statuses(components: Collection[Component]) -> dict[Component, Status]:
    """What each component should show, from its effects and the base status of the objects given."""
    held = held_by_others(components)
    return {each: held.get(each.pk, NOT_HELD).status or Status(each.base_status) for each in components}


def show_worst(components: Collection[Component], at: datetime | None = None) -> list[Component]:
    """Move each component to the status that it should show, at `at` or now; returns those that moved."""
    worst = worst_statuses(components)
    moved = [component for component, status in worst.items() if status != component.status]
    for component in moved:
        component.move_to(worst[component], at or _now_after_its_span(component))
    return moved


def set_base_status(component: Component, status: Status, *, actor: str) -> None:
    """What staff or the API say of a component itself. It is shown while no open incident says worse."""
    with transaction.atomic():
        component.page.lock()
        component.refresh_from_db(fields=["status", "base_status"])
        before = Status(component.base_status)
        if status == before:
            return
        component.page.raise_generation()
        component.base_status = status
        component.save(update_fields=["base_status"])
        show_worst([component])
        detail = {"before": before.slug, "after": status.slug, "component": component.code}
        record_audit(component.page, actor, "component.base_status", component.full_name, **detail)


def end_effects(cause: str) -> None:
    """`cause` is gone (deleted): its components show what is left."""
    components = list(Component.objects.filter(effects__cause=cause))
    Effect.objects.filter(cause=cause).delete()
    show_worst(components)


def _now_after_its_span(component: Component) -> datetime:
    """A span never ends before it starts; two servers' clocks may differ by some milliseconds."""
    return max(timezone.now(), component.spans.get(ended_at=None).started_at)
