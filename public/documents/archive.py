"""Older incidents as JSON: /history.json, three months a page, and /incidents/<code>.json.

Unlike the v2 documents these two are not in the vendor's reference; their shapes follow what programs
in the wild read. Reference: docs/api.md.
"""

from datetime import date
from zoneinfo import ZoneInfo

from core.markdown import render_line
from public.documents.api_v2 import Json, describe_incident, list_components, zone_of
from public.documents.feeds import describe_window
from public.shapes import PublicIncident, Snapshot
from public.snapshot import build_incident, build_month, load_page

MONTHS_A_PAGE = 3


def history(snapshot: Snapshot, number: int) -> Json:
    """Page `number` (from 1): its months, newest first, each with the incidents that began in it."""
    page, zone = load_page(snapshot), zone_of(snapshot)
    today = snapshot.built_at.astimezone(zone).date()
    months = [month_before(today, back) for back in range((number - 1) * MONTHS_A_PAGE, number * MONTHS_A_PAGE)]
    return {
        "components": list_components(snapshot),
        "months": [
            {
                "name": f"{month:%B}",
                "year": month.year,
                "incidents": [_describe(each, zone) for each in build_month(page, month.year, month.month)],
            }
            for month in months
        ],
    }


def month_before(day: date, back: int) -> date:
    """The first day of the month `back` months before that of `day`. Raises ValueError before the year 1."""
    months = day.year * 12 + day.month - 1 - back
    return date(months // 12, months % 12 + 1, 1)


def _describe(incident: PublicIncident, zone: ZoneInfo) -> Json:
    latest = incident.updates[0].body if incident.updates else ""
    return {
        "code": incident.code,
        "name": incident.name,
        "impact": incident.impact,
        "timestamp": _window(incident, zone),
        "message": render_line(latest, links_addresses=False),
    }


def _window(incident: PublicIncident, zone: ZoneInfo) -> str:
    """Its time, in the form of the feeds; without an end while it is open."""
    start = incident.scheduled_for or incident.started_at
    return describe_window(start, incident.scheduled_until or incident.resolved_at, zone)


def incident(snapshot: Snapshot, code: str) -> Json | None:
    """One incident however old, with the keys of the v2 API; None when the page has no such incident."""
    page = load_page(snapshot)
    found = build_incident(page, code)
    return describe_incident(found, page.code, page.zone) if found else None
