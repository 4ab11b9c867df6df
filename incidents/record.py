"""An incident as plain data, as it is when an update is posted: what a notice keeps of it for the channels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.models import Prefetch

from components.models import Component
from components.status import Status
from incidents.page_status import summarise
from incidents.updates import Affected, Update

if TYPE_CHECKING:
    from incidents.models import Incident

Record = dict[str, Any]


def record_incident(incident: Incident) -> Record:
    """Everything that Statuspage's webhook says of an incident, in our words: statuses are slugs, times are aware.

    page_status  indicator and description
    components   those of the incident, each with what it is and shows
    updates      newest first, each with its `components` (see `record_affected`)

    Hidden components are left out: neither their names nor their codes leave the house.
    """
    statuses = incident.page.components.public().values_list("status", flat=True)
    page_status = summarise(map(Status, statuses), list(incident.page.incidents.unresolved()))
    window = incident.window or (None, None)
    updates = incident.updates.prefetch_related(Prefetch("affected", Affected.objects.labelled()))
    return {
        "page_status": {"indicator": page_status.indicator.value, "description": page_status.description},
        "code": incident.code,
        "kind": incident.kind,
        "name": incident.name,
        "status": incident.status,
        "impact": incident.impact,
        "impact_override": incident.impact_override or None,
        "created_at": incident.created_at,
        "updated_at": incident.updated_at,
        "started_at": incident.started_at,
        "monitoring_at": incident.monitoring_at,
        "resolved_at": incident.resolved_at,
        "scheduled_for": window[0],
        "scheduled_until": window[1],
        "auto_start": incident.auto_start,
        "auto_complete": incident.auto_complete,
        "components": [_record_component(each) for each in incident.components.public().select_related("group")],
        "updates": [_record_update(each) for each in updates],
    }


def record_affected(affected: Affected, *, is_announced: bool) -> Record:
    """`old_status` and `new_status` are None where maintenance is merely announced: it has changed nothing yet."""
    return {
        "code": affected.code,
        "name": affected.name,
        "label": affected.label,
        "old_status": None if is_announced else Status(affected.old_status).slug,
        "new_status": None if is_announced else Status(affected.new_status).slug,
    }


def is_public(affected: Affected) -> bool:
    """A component that was deleted stays known by its name; if it was hidden, its rows went with it."""
    return affected.component is None or not affected.component.hidden


def _record_component(component: Component) -> Record:
    return {
        "code": component.code,
        "name": component.name,
        "description": component.description,
        "status": Status(component.status).slug,
        "position": component.position,
        "showcase": component.showcase,
        "group_code": component.group.code if component.group else None,
        "created_at": component.created_at,
        "updated_at": component.updated_at,
    }


def _record_update(update: Update) -> Record:
    return {
        "code": update.code,
        "status": update.status,
        "body": update.body,
        "created_at": update.created_at,
        "updated_at": update.updated_at,
        "display_at": update.display_at,
        "deliver_notifications": update.deliver_notifications,
        "components": [
            record_affected(each, is_announced=update.is_announcement)
            for each in update.affected.all()
            if is_public(each)
        ],
    }
