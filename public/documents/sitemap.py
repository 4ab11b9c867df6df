"""Data for search engines: the sitemap, and JSON-LD (schema.org) about a page."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from xml.sax.saxutils import escape

from django.conf import settings
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from core.languages import local, prefix_of
from public.shapes import PublicIncident, PublicPage, Snapshot

NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"


def sitemap(snapshot: Snapshot, months: list[str]) -> str:
    """The sitemap: front page, listed components, recent incidents and the months of history, each in every language.

    `months`: the paths of all months, the oldest first. Older incidents are linked from these.
    """
    languages = [prefix_of(code) for code, _ in settings.LANGUAGES]
    rows = [
        f"<url><loc>{escape(snapshot.page.url + prefix + path)}</loc>{_changed(changed)}</url>"
        for path, changed in _list_pages(snapshot, months)
        for prefix in languages
    ]
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="{NAMESPACE}">\n' + "\n".join(rows) + "\n</urlset>\n"


def _list_pages(snapshot: Snapshot, months: list[str]) -> Iterator[tuple[str, datetime | None]]:
    """Each path with the time of its last change, None where it is unknown."""
    yield "/", snapshot.page.updated_at
    yield from ((each.path, each.updated_at) for each in snapshot.components if each.is_listed)
    yield from ((each.path, each.updated_at) for each in (*snapshot.incidents, *snapshot.maintenances))
    yield from ((path, None) for path in reversed(months))


def _changed(when: datetime | None) -> str:
    return f"<lastmod>{when.isoformat(timespec='seconds')}</lastmod>" if when else ""


def describe_place(page: PublicPage, *steps: str) -> SafeString:
    """The breadcrumbs of a page. `steps`: names and paths alternately, from the front page down."""
    pairs = [(page.name, "/"), *zip(steps[::2], steps[1::2], strict=True)]
    items = [
        {"@type": "ListItem", "position": number, "name": name, "item": f"{page.url}{local(path)}"}
        for number, (name, path) in enumerate(pairs, 1)
    ]
    return _script({"@type": "BreadcrumbList", "itemListElement": items})


def describe_incident_place(page: PublicPage, incident: PublicIncident) -> SafeString:
    """The breadcrumbs of an incident's page, and for maintenance its event."""
    place = describe_place(page, gettext("History"), "/history", incident.name, incident.path)
    return place + describe_event(page, incident) if incident.window else place


def describe_event(page: PublicPage, incident: PublicIncident) -> SafeString:
    """Maintenance as an event. schema.org requires a location, which is the page's address."""
    start, end = incident.window or (incident.begins_at, incident.begins_at)
    called_off = incident.is_closed and incident.resolved_at is not None and incident.resolved_at <= start
    status = "EventCancelled" if called_off else "EventScheduled"
    return _script(
        {
            "@type": "Event",
            "name": incident.name,
            "startDate": start.isoformat(),
            "endDate": end.isoformat(),
            "eventStatus": f"https://schema.org/{status}",
            "eventAttendanceMode": "https://schema.org/OnlineEventAttendanceMode",
            "location": {"@type": "VirtualLocation", "url": f"{page.url}{local('/')}"},
            "organizer": {"@type": "Organization", "name": page.name, "url": page.url},
            "url": f"{page.url}{local(incident.path)}",
        }
    )


def _script(data: dict[str, Any]) -> SafeString:
    """A block of data, which browsers do not run and the content security policy allows. Characters that could end the
    block are escaped."""
    text = json.dumps({"@context": "https://schema.org"} | data, ensure_ascii=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return mark_safe(f'<script type="application/ld+json">{text}</script>')  # noqa: S308  # escaped above
