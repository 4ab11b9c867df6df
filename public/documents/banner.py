"""The data of the banner in applications: the worst open incident, else maintenance that is near, else nothing.

Shape of the document (/api/banner.json), documented for its users in docs/banner.md:

page        {name, url}
banner      the first of `banners`, or None
banners     [{id, kind, severity, title, status, label, text, link, accent, components, concerns, starts_at, ends_at, updated_at}]
components  the values that the option `components` of a banner may have, as in `concerns`; None if they are too many to list
words       the script's own texts: {lang, dir, details, dismiss, left}

`accent` is the page's accent colour on a light and on a dark background; None if it has none. `id` is the code of the newest
update, so that a reader who dismissed the banner sees it again after the next update. `concerns` are the codes and names of
the components, in lower case. Scripts of all earlier releases read this document, so no key may ever be removed.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.utils.translation import get_language_bidi, gettext

from components.status import Impact
from core.languages import active_language, local
from core.plain_text import lead_text
from incidents.phases import Kind, Phase
from public.documents.api_v2 import Json, zone_of
from public.documents.timestamps import optional_timestamp, timestamp
from public.shapes import PublicComponent, PublicIncident, PublicPage, Snapshot

LONGEST_TEXT = 280  # characters; the banner links to the whole text
MOST_TOLD = 20
MOST_LISTED = 200  # components; more would make the document too large for every reader


def banner(snapshot: Snapshot) -> Json:
    page, zone = snapshot.page, zone_of(snapshot)
    told = [_describe(each, page, zone) for each in list_worth_telling(snapshot)[:MOST_TOLD]]
    is_listed = len(snapshot.components) <= MOST_LISTED
    return {
        "page": {"name": page.name, "url": page.url},
        "banner": told[0] if told else None,
        "banners": told,
        "components": _list_names(snapshot.components) if is_listed else None,
        "words": _list_words(),
    }


def sample(snapshot: Snapshot, kind: Kind) -> Json:
    """What /api/banner.json would contain during an incident, or near maintenance, of all components; for previews and for
    developers who test their banner."""
    is_work = kind == Kind.MAINTENANCE
    starts = snapshot.built_at + timedelta(hours=26) if is_work else snapshot.built_at
    zone, phase = zone_of(snapshot), Phase.SCHEDULED if is_work else Phase.INVESTIGATING
    told = {
        "id": f"sample-{kind}",
        "kind": kind.value,
        "severity": Impact.MAINTENANCE.value if is_work else Impact.MAJOR.value,
        "title": gettext("Example: database maintenance") if is_work else gettext("Example: errors while signing in"),
        "status": phase.value,
        "label": str(phase.label),
        "text": gettext("Some pages will be slow.")
        if is_work
        else gettext("Some visitors cannot sign in. We know why, and work on it."),
        "link": f"{snapshot.page.url}{local('/')}",
        "accent": snapshot.page.look.accent,
        "components": [],
        "concerns": _list_names(snapshot.components),
        "starts_at": timestamp(starts, zone),
        "ends_at": optional_timestamp(starts + timedelta(hours=2) if is_work else None, zone),
        "updated_at": timestamp(snapshot.built_at, zone),
    }
    return banner(snapshot) | {"banner": told, "banners": [told]}


def choose(snapshot: Snapshot) -> PublicIncident | None:
    """The incident or maintenance to announce at the time the snapshot was built."""
    return next(iter(list_worth_telling(snapshot)), None)


def list_worth_telling(snapshot: Snapshot) -> list[PublicIncident]:
    """The most important first: open incidents, then maintenance that is near."""
    open_incidents = [incident for incident in snapshot.incidents if not incident.is_closed]
    open_incidents.sort(key=lambda each: (Impact(each.impact).rank, each.updated_at), reverse=True)
    until = snapshot.built_at + timedelta(hours=snapshot.page.maintenance_notice_hours)
    near = [work for work in snapshot.maintenances if _is_near(work, until)]
    return open_incidents + sorted(near, key=lambda work: (work.status == Phase.SCHEDULED, work.begins_at))


def _list_names(components: Iterable[PublicComponent]) -> list[str]:
    """The codes and names of the components, which the option `components` may contain; each once, in lower case."""
    names = (name for component in components for name in (component.code, component.name, component.label))
    return list(dict.fromkeys(name.lower() for name in names))


def _list_words() -> Json:
    """The script's texts in the active language. `left`: the time until maintenance, in minutes, hours and days."""
    hours, minutes = "{h}", "{m}"
    return {
        "lang": active_language(),
        "dir": "rtl" if get_language_bidi() else "ltr",
        "details": gettext("Details"),
        "dismiss": gettext("Dismiss this message"),
        "left": [
            gettext("in %(minutes)s min") % {"minutes": minutes},
            gettext("in %(hours)s h %(minutes)s min") % {"hours": hours, "minutes": minutes},
            gettext("in %(days)s d %(hours)s h") % {"days": "{d}", "hours": hours},
        ],
    }


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
        "accent": page.look.accent,
        "components": [component.label for component in incident.components],
        "concerns": _list_names(incident.components),
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
