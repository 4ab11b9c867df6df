"""The public JSON API, version 2, with the keys and the order that Statuspage clients know. Reference: docs/api.md.

Each document is a function from a snapshot (public/snapshot.py) to a plain dict. Nothing may be added to
a page, a component or an incident: strict clients refuse unknown keys.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any
from zoneinfo import ZoneInfo

from incidents.phases import Kind, Phase
from public.documents.timestamps import optional_timestamp, timestamp
from public.shapes import PublicAffected, PublicComponent, PublicGroup, PublicIncident, PublicUpdate, Snapshot
from public.snapshot import RECENT

Json = dict[str, Any]
"""A JSON object."""
ACTIVE = (Phase.IN_PROGRESS, Phase.VERIFYING)
# Escaped as Rails does, so that a browser that guesses the content type finds no markup in a JSON document.
_ESCAPES = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})


def to_json(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).translate(_ESCAPES).encode()


# The documents


def summary(snapshot: Snapshot) -> Json:
    unresolved = [incident for incident in snapshot.incidents if not incident.is_closed]
    open_maintenances = [incident for incident in snapshot.maintenances if not incident.is_closed]
    return {
        "page": describe_page(snapshot),
        "components": list_components(snapshot),
        "incidents": describe_incidents(unresolved, snapshot),
        "scheduled_maintenances": describe_incidents(open_maintenances, snapshot),
        "status": describe_status(snapshot),
    }


def status(snapshot: Snapshot) -> Json:
    return {"page": describe_page(snapshot), "status": describe_status(snapshot)}


def components(snapshot: Snapshot) -> Json:
    return {"page": describe_page(snapshot), "components": list_components(snapshot)}


def incidents(snapshot: Snapshot) -> Json:
    """The 50 newest, open or not."""
    return _incidents(snapshot, snapshot.incidents[:RECENT])


def unresolved_incidents(snapshot: Snapshot) -> Json:
    return _incidents(snapshot, (each for each in snapshot.incidents if not each.is_closed))


def maintenances(snapshot: Snapshot) -> Json:
    """The 50 newest, completed ones too."""
    return _maintenances(snapshot, snapshot.maintenances[:RECENT])


def upcoming_maintenances(snapshot: Snapshot) -> Json:
    return _maintenances(snapshot, (each for each in snapshot.maintenances if each.status == Phase.SCHEDULED))


def active_maintenances(snapshot: Snapshot) -> Json:
    return _maintenances(snapshot, (each for each in snapshot.maintenances if each.status in ACTIVE))


DOCUMENTS: dict[str, Callable[[Snapshot], Json]] = {
    "summary": summary,
    "status": status,
    "components": components,
    "incidents": incidents,
    "incidents/unresolved": unresolved_incidents,
    "scheduled-maintenances": maintenances,
    "scheduled-maintenances/upcoming": upcoming_maintenances,
    "scheduled-maintenances/active": active_maintenances,
}


def _incidents(snapshot: Snapshot, chosen: Iterable[PublicIncident]) -> Json:
    return {"page": describe_page(snapshot), "incidents": describe_incidents(chosen, snapshot)}


def _maintenances(snapshot: Snapshot, chosen: Iterable[PublicIncident]) -> Json:
    return {"page": describe_page(snapshot), "scheduled_maintenances": describe_incidents(chosen, snapshot)}


# The parts


def describe_page(snapshot: Snapshot) -> Json:
    page = snapshot.page
    return {
        "id": page.code,
        "name": page.name,
        "url": page.url,
        "time_zone": page.time_zone,
        "updated_at": timestamp(page.updated_at, zone_of(snapshot)),
    }


def describe_status(snapshot: Snapshot) -> Json:
    return {"indicator": snapshot.status.indicator.value, "description": snapshot.status.description}


def zone_of(snapshot: Snapshot) -> ZoneInfo:
    return snapshot.page.zone


def list_components(snapshot: Snapshot) -> list[Json]:
    """Groups and components in one list by position; positions start again in every group."""
    zone, page_code = zone_of(snapshot), snapshot.page.code
    rows = [(group.position, _describe_group(group, page_code, zone)) for group in snapshot.groups]
    rows += [(each.position, describe_component(each, page_code, zone)) for each in snapshot.components]
    return [described for _, described in sorted(rows, key=lambda row: row[0])]


def describe_component(component: PublicComponent, page_code: str, zone: ZoneInfo) -> Json:
    started = component.start_date
    return {
        "id": component.code,
        "name": component.name,
        "status": component.status,
        "created_at": timestamp(component.created_at, zone),
        "updated_at": timestamp(component.updated_at, zone),
        "position": component.position,
        "description": component.description or None,
        "showcase": component.showcase,
        "start_date": started.isoformat() if started else None,
        "group_id": component.group_code,
        "page_id": page_code,
        "group": False,
        "only_show_if_degraded": component.only_show_if_degraded,
    }


def _describe_group(group: PublicGroup, page_code: str, zone: ZoneInfo) -> Json:
    """A group has the keys of a component, with `group` true, and also `components`."""
    as_component = PublicComponent(
        code=group.code,
        name=group.name,
        label=group.name,
        description=group.description,
        status=group.status,
        position=group.position,
        showcase=False,
        start_date=None,
        group_code=None,
        only_show_if_degraded=False,
        created_at=group.created_at,
        updated_at=group.updated_at,
        uptime=None,
    )
    return describe_component(as_component, page_code, zone) | {"group": True, "components": group.component_codes}


def describe_incidents(chosen: Iterable[PublicIncident], snapshot: Snapshot) -> list[Json]:
    zone, page_code = zone_of(snapshot), snapshot.page.code
    return [describe_incident(incident, page_code, zone) for incident in chosen]


def describe_incident(incident: PublicIncident, page_code: str, zone: ZoneInfo) -> Json:
    """An incident; maintenance has its window at the end."""
    described = {
        "id": incident.code,
        "name": incident.name,
        "status": incident.status,
        "created_at": timestamp(incident.created_at, zone),
        "updated_at": timestamp(incident.updated_at, zone),
        "monitoring_at": optional_timestamp(incident.monitoring_at, zone),
        "resolved_at": optional_timestamp(incident.resolved_at, zone),
        "impact": incident.impact,
        "shortlink": incident.url,
        "started_at": timestamp(incident.started_at, zone),
        "page_id": page_code,
        "incident_updates": [_describe_update(update, incident, zone) for update in incident.updates],
        "components": [describe_component(each, page_code, zone) for each in incident.components],
        "reminder_intervals": None,
    }
    if incident.kind == Kind.MAINTENANCE:
        described["scheduled_for"] = optional_timestamp(incident.scheduled_for, zone)
        described["scheduled_until"] = optional_timestamp(incident.scheduled_until, zone)
    return described


def _describe_update(update: PublicUpdate, incident: PublicIncident, zone: ZoneInfo) -> Json:
    return {
        "id": update.code,
        "status": update.status,
        "body": update.body,
        "incident_id": incident.code,
        "created_at": timestamp(update.created_at, zone),
        "updated_at": timestamp(update.updated_at, zone),
        "display_at": timestamp(update.display_at, zone),
        "affected_components": [_describe_affected(each) for each in update.affected] or None,
        "deliver_notifications": update.deliver_notifications,
        "custom_tweet": None,
        "tweet_id": update.tweet_id,
    }


def _describe_affected(affected: PublicAffected) -> Json:
    return {
        "code": affected.code,
        "name": affected.name,
        "old_status": affected.old_status,
        "new_status": affected.new_status,
    }
