"""Which status an incident's components have, unless somebody says otherwise."""

from components.models import Component
from components.status import Status
from incidents.models import CLOSED, Affected, Incident, Phase

AT_WORK = frozenset({Phase.IN_PROGRESS, Phase.VERIFYING})


def usual_statuses(incident: Incident, phase: Phase | str) -> dict[Component, Status]:
    """What each component of an incident has once `phase` is posted: as it is now, under maintenance while
    planned work goes on, and released at the end."""
    if phase in CLOSED or (phase == Phase.SCHEDULED != incident.status):
        return released_statuses(incident)
    least = Status.UNDER_MAINTENANCE if phase in AT_WORK else Status.OPERATIONAL
    return {component: max(Status(component.status), least) for component in _components(incident)}


def released_statuses(incident: Incident) -> dict[Component, Status]:
    """What each component goes back to when an incident ends: the worst that another incident under way
    last said of it, else OPERATIONAL."""
    others = Incident.objects.filter(page=incident.page_id).under_way().exclude(pk=incident.pk)
    said = Affected.objects.filter(update__incident__in=others).last_said()
    return {component: said.get(component.pk, Status.OPERATIONAL) for component in _components(incident)}


def _components(incident: Incident) -> list[Component]:
    return list(incident.components.select_related("group"))
