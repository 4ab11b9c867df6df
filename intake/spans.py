"""The past of an imported component, told by the updates that touched it."""

from datetime import datetime

from components.models import Component, StatusSpan
from components.status import Status
from incidents.phases import Phase
from incidents.updates import Affected

Step = tuple[datetime, Status]


def rebuild_spans(component: Component, *, told_by: str) -> None:
    """Replace the spans of an imported component by those its updates tell of.

    It counts as operational until the first of them; its present status holds since its last change.
    Left alone once somebody else than `told_by` has posted about it: then we know its past ourselves.
    """
    if Affected.objects.filter(component=component).exclude(update__author=told_by).exists():
        return
    steps = find_steps(component)
    ends = [moment for moment, _ in steps[1:]] + [None]
    component.spans.all().delete()
    StatusSpan.objects.bulk_create(
        StatusSpan(component=component, status=status, started_at=start, ended_at=end)
        for (start, status), end in zip(steps, ends, strict=True)
    )


def find_steps(component: Component) -> list[Step]:
    """When the component came to hold which status, oldest first; neighbours differ."""
    told = Affected.objects.filter(component=component).exclude(update__status=Phase.SCHEDULED)
    told = told.order_by("update__display_at", "pk")
    steps: list[Step] = [(component.created_at, Status.OPERATIONAL)]
    for moment, value in told.values_list("update__display_at", "new_status"):
        _add_step(steps, moment, Status(value))
    _add_step(steps, component.updated_at, Status(component.status))
    return steps


def _add_step(steps: list[Step], moment: datetime, status: Status) -> None:
    if status != steps[-1][1]:
        steps.append((max(moment, steps[-1][0]), status))
