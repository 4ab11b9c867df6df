"""Maintenance as an iCalendar file that calendar programs can subscribe to: /maintenance.ics (RFC 5545).

With the prefix of a language, the calendar's name and links are in that language; the UIDs of events are the same.
"""

from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.utils.translation import gettext

from core.languages import active_language, local
from core.plain_text import plain_paragraphs
from public.shapes import PublicIncident, Snapshot

if TYPE_CHECKING:
    from icalendar import Event

CALENDAR_TYPE = "text/calendar; charset=utf-8"
REFRESH = timedelta(hours=1)


def calendar(snapshot: Snapshot) -> bytes:
    """All maintenance of the snapshot: coming, running and the latest completed."""
    from icalendar import (
        Calendar,
    )  # imported here, because it takes a fifth of a web process's start and is rarely needed

    page = snapshot.page
    document = Calendar()
    document.add("prodid", f"-//statuspage//maintenance//{active_language().upper()}")
    document.add("version", "2.0")
    document.add("method", "PUBLISH")
    name = gettext("%(name)s maintenance") % {"name": page.name}
    document.add("name", name)
    document.add("x-wr-calname", name)
    document.add("refresh-interval", REFRESH, parameters={"value": "DURATION"})
    for maintenance in snapshot.maintenances:
        document.add_component(_event(maintenance, page.url))
    return document.to_ical()


def _event(maintenance: PublicIncident, base: str) -> "Event":
    """One event. Its UID never changes and SEQUENCE grows with every change, so that calendars replace the event."""
    from icalendar import Event

    event = Event()
    event.add("uid", f"{maintenance.code}@{urlsplit(base).hostname or ''}")
    event.add("dtstamp", maintenance.updated_at)
    event.add("created", maintenance.created_at)
    event.add("last-modified", maintenance.updated_at)
    event.add("sequence", max(0, int((maintenance.updated_at - maintenance.created_at).total_seconds())))
    event.add("dtstart", maintenance.scheduled_for)
    event.add("dtend", maintenance.scheduled_until)
    event.add("summary", maintenance.name)
    event.add("status", "CONFIRMED")
    event.add("transp", "TRANSPARENT")  # it does not make the reader busy
    event.add("url", f"{base}{local(maintenance.path)}")
    if maintenance.updates:
        event.add("description", plain_paragraphs(maintenance.updates[0].body_html))
    return event
