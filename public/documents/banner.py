"""What an application's banner says: the worst open incident, else maintenance that is near, else nothing.

Shape of the document (/api/banner.json), documented for its users in docs/banner.md:

page     {name, url}
banner   None, or {id, kind, severity, title, status, label, text, link, components, starts_at, ends_at, updated_at}

`id` is the code of the newest update: a reader who dismissed the banner sees it again when there is news.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from components.status import Impact
from core.languages import local
from core.plain_text import lead_text
from incidents.phases import Phase
from public.documents.api_v2 import Json, zone_of
from public.documents.timestamps import optional_timestamp, timestamp
from public.shapes import PublicIncident, PublicPage, Snapshot

LONGEST_TEXT = 280  # characters: a banner is a pointer, not the story


def banner(snapshot: Snapshot) -> Json:
    page, zone = snapshot.page, zone_of(snapshot)
    chosen = choose(snapshot)
    return {
        "page": {"name": page.name, "url": page.url},
        "banner": _describe(chosen, page, zone) if chosen else None,
    }


def choose(snapshot: Snapshot) -> PublicIncident | None:
    """The incident or maintenance to announce at the time the snapshot was built."""
    open_incidents = [incident for incident in snapshot.incidents if not incident.is_closed]
    if open_incidents:
        return max(open_incidents, key=lambda each: (Impact(each.impact).rank, each.updated_at))
    until = snapshot.built_at + timedelta(hours=snapshot.page.maintenance_notice_hours)
    near = [work for work in snapshot.maintenances if _is_near(work, until)]
    return min(near, key=lambda work: (work.status == Phase.SCHEDULED, work.begins_at), default=None)


def _is_near(work: PublicIncident, until: datetime) -> bool:
    return not work.is_closed and (work.status != Phase.SCHEDULED or work.begins_at <= until)


def _describe(incident: PublicIncident, page: PublicPage, zone: ZoneInfo) -> Json:
    newest = incident.updates[0] if incident.updates else None
    return {
        "id": newest.code if newest else incident.code,
        "kind": incident.kind,
        "severity": incident.impact,
        "title": incident.name,
        "status": incident.status,
        "label": incident.label,
        "text": shorten(lead_text(newest.body_html)) if newest else "",
        "link": f"{page.url}{local(incident.path)}",
        "components": [component.label for component in incident.components],
        "starts_at": timestamp(incident.scheduled_for or incident.started_at, zone),
        "ends_at": optional_timestamp(incident.scheduled_until, zone),
        "updated_at": timestamp(incident.updated_at, zone),
    }


def shorten(text: str, limit: int = LONGEST_TEXT) -> str:
    """At most `limit` characters, cut between words."""
    if len(text) <= limit:
        return text
    whole_words = text[: limit - 1].rsplit(" ", 1)[0].rstrip(",;:. ")
    return f"{whole_words or text[: limit - 1]}…"
