"""What people read: the front page, history, an incident's own page, and the error pages."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db import Error as DatabaseError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import resolve
from django.utils.translation import gettext_lazy as _
from django.views import defaults

from core.languages import STAFF_PATHS, href
from core.sub_path import sub_path
from pages.models import Page
from public.document_urls import in_every_language
from public.documents.days import ListedDay, add_quiet_days, fold_recent
from public.documents.page import build_agenda, build_sections, name_affected
from public.documents.sitemap import sitemap as build_sitemap
from public.search import build_search_form
from public.serving.document_list import list_months
from public.serving.edition import POLLED, Rendered, editions, published
from public.serving.errors import json_error, wants_json
from public.shapes import Day, PublicIncident, Snapshot
from public.snapshot import (
    build_days,
    build_incident,
    build_month,
    find_first_day,
    find_first_month,
    list_days,
    load_page,
)

DESCRIPTIONS = (
    ("/api/v2/summary.json", _("Everything at once: the overall status, components, open incidents and maintenance.")),
    ("/api/v2/status.json", _("The overall status only.")),
    ("/api/v2/components.json", _("Components and groups with their status.")),
    ("/api/v2/incidents.json", _("The 50 newest incidents with all their updates.")),
    ("/api/v2/incidents/unresolved.json", _("Incidents that are still open.")),
    ("/api/v2/scheduled-maintenances.json", _("The 50 newest maintenances.")),
    ("/api/v2/scheduled-maintenances/upcoming.json", _("Maintenance that has not started.")),
    ("/api/v2/scheduled-maintenances/active.json", _("Maintenance under way.")),
    ("/history.json", _("Older incidents, three months a page: /history.json?page=2.")),
    ("/history.rss", _("RSS feed of all updates.")),
    ("/history.atom", _("Atom feed of all updates.")),
    ("/feed.json", _("The same as JSON Feed.")),
    ("/maintenance.ics", _("Maintenance for a calendar (iCalendar).")),
    ("/badge.svg", _("A badge with the overall status.")),
    ("/badge.json", _("The badge's text and colour, for shields.")),
    ("/api/banner.json", _("What a banner in your app should say now.")),
    ("/embed/fragment", _("The banner as a piece of HTML, for a server-side include.")),
    ("/embed.json", _("The banner's script at an address that never changes, with its SRI value.")),
)
TRANSLATED = frozenset(f"/{each.pattern}" for each in in_every_language)
"""Documents that have an address in every language."""
CLOSED_STATUS = 286  # tells htmx to stop asking


@published
def home(snapshot: Snapshot) -> Rendered:
    return _render("public/home.html", snapshot, **_describe_now(snapshot))


def render_preview(snapshot: Snapshot) -> str:
    """The front page as it would be, without scripts: it does not follow what happens."""
    return render_to_string(
        "public/preview.html", {"page": snapshot.page, "snapshot": snapshot} | _describe_now(snapshot)
    )


@published
def summary(snapshot: Snapshot) -> Rendered:
    return replace(_render("public/_summary.html", snapshot, **_describe_now(snapshot)), headers=POLLED)


def _describe_now(snapshot: Snapshot) -> dict[str, Any]:
    return {
        "affected": name_affected(snapshot),
        "agenda": build_agenda(snapshot),
        "sections": build_sections(snapshot),
        "recent_days": fold_recent(snapshot.days, snapshot.built_at.astimezone(snapshot.page.zone).date()),
    }


@published
def incident(snapshot: Snapshot, code: str) -> Rendered:
    return _render("public/incident.html", snapshot, incident=_get_incident(snapshot, code))


@published
def incident_fragment(snapshot: Snapshot, code: str) -> Rendered:
    found = _get_incident(snapshot, code)
    rendered = _render("public/_incident.html", snapshot, incident=found)
    return replace(rendered, status=CLOSED_STATUS if found.is_closed else 200, headers=POLLED)


@published
def incidents_by_day(snapshot: Snapshot) -> Rendered:
    """What the script says of a day's bar: not in the page itself, which would grow with every incident of 90 days."""
    days = build_days(load_page(snapshot), snapshot.built_at)
    return _render("public/_incidents_by_day.html", snapshot, days=days)


def _get_incident(snapshot: Snapshot, code: str) -> PublicIncident:
    """From the snapshot when it is a recent one, else from the database. Raises Http404."""
    for recent in (*snapshot.incidents, *snapshot.maintenances):
        if recent.code == code:
            return recent
    found = build_incident(load_page(snapshot), code)
    if found is None:
        raise Http404("No such incident.")
    return found


@dataclass(frozen=True)
class Month:
    """One month of history. `earlier` and `later`: the first days of its neighbours, None where history ends."""

    first: date
    earlier: date | None
    later: date | None
    days: list[Day]
    told: list[ListedDay]
    """These days, and the quiet ones between them."""


@published
def history(snapshot: Snapshot, year: int | None = None, month: int | None = None) -> Rendered:
    today = snapshot.built_at.astimezone(ZoneInfo(snapshot.page.time_zone)).date()
    try:
        first = date(year, month, 1) if year is not None and month is not None else today.replace(day=1)
    except (ValueError, OverflowError):  # the latter for a year of twenty digits
        raise Http404("No such month.") from None
    page = load_page(snapshot)
    oldest = find_first_month(page) or today
    if not (oldest.replace(day=1) <= first <= today):
        raise Http404("Nothing is known of that month.")
    incidents = build_month(page, first.year, first.month)
    days = list_days(incidents, first, page.zone)
    return _render(
        "public/history.html",
        snapshot,
        search=build_search_form(snapshot),
        month=Month(
            first=first,
            earlier=(first - timedelta(days=1)).replace(day=1) if first > oldest else None,
            later=_month_after(first) if _month_after(first) <= today else None,
            days=days,
            told=add_quiet_days(days, incidents, *_known_days(snapshot, page, first), page.zone),
        ),
    )


def _known_days(snapshot: Snapshot, page: Page, first: date) -> tuple[date, date]:
    """The first and the last day of a month of which something is known."""
    today = snapshot.built_at.astimezone(page.zone).date()
    begins = [snapshot.page.created_at, *(each.created_at for each in snapshot.components)]
    known_since = min(find_first_day(page) or today, *(each.astimezone(page.zone).date() for each in begins))
    return max(first, known_since), min(_month_after(first) - timedelta(days=1), today)


def _month_after(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)


def _render(template: str, snapshot: Snapshot, **context: Any) -> Rendered:
    return Rendered(render_to_string(template, {"page": snapshot.page, "snapshot": snapshot} | context))


@published
def documents(snapshot: Snapshot) -> Rendered:
    known = [(href(path) if path in TRANSLATED else sub_path() + path, words) for path, words in DESCRIPTIONS]
    return _render("public/documents.html", snapshot, documents=known)


@published
def robots(snapshot: Snapshot) -> Rendered:
    """Forms are not named here: they say "noindex" themselves, which only who may fetch them can read."""
    return Rendered(
        f"User-agent: *\nDisallow: {sub_path()}/admin/\nDisallow: {sub_path()}/staff/\n"
        f"Sitemap: {snapshot.page.url}/sitemap.xml\n",
        "text/plain; charset=utf-8",
    )


@published
def sitemap(snapshot: Snapshot) -> Rendered:
    page = load_page(snapshot)
    today = snapshot.built_at.astimezone(page.zone).date()
    months = list(list_months(find_first_month(page) or today, today))
    return Rendered(build_sitemap(snapshot, months), "application/xml; charset=utf-8")


def one_slash(request: HttpRequest, path: str) -> HttpResponse:
    """Answer //api/v2/summary.json as /api/v2/summary.json; anything but a public document has one spelling, on
    which the rules of proxies rely."""
    request.path_info = f"/{path}"
    match = request.resolver_match = resolve(request.path_info)
    if not hasattr(match.func, "params"):
        raise Http404("This address begins with one slash.")
    return match.func(request, *match.args, **match.kwargs)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """The answer to an address that nothing is at, with ways on; for a program as JSON. It must work without a
    database too."""
    if wants_json(request):
        return _briefly_kept(request, json_error(404, f"There is nothing at {request.path}."))
    try:
        page = editions.load_snapshot(request.get_host()).page
    except (Http404, DatabaseError):
        page = None
    return _briefly_kept(
        request, render(request, "404.html", {"page": page, "is_empty": editions.is_empty()}, status=404)
    )


def _briefly_kept(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """A proxy may answer the same for a moment, whoever asks: nothing in it is about the visitor. At an address of staff
    there may be something for others."""
    kept = "no-store" if request.path_info.startswith(STAFF_PATHS) else "public, max-age=10"
    response.headers.setdefault("Cache-Control", kept)
    response.headers["Vary"] = "Accept"
    return response


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Django's own answer to a host name that is not ours, among others. What was wrong is in the log."""
    if wants_json(request):
        return json_error(400, "The request cannot be understood: is its host name one of this server's?")
    return defaults.bad_request(request, exception or Exception())


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    if wants_json(request):
        return json_error(403, "This may not be done with these rights.")
    return defaults.permission_denied(request, exception or Exception())


def server_error(request: HttpRequest) -> HttpResponse:
    if wants_json(request):
        return json_error(500, "The fault is ours, and it is in our log. Please try again.")
    return defaults.server_error(request)
