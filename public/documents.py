"""The documents for programs, published: JSON, feeds, calendar, badges, banner. Addresses: document_urls.py."""

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from public import api, archive, badge, banner, calendar, feeds
from public.api import to_json
from public.edition import Rendered, View, published
from public.snapshot import Data
from public.timestamps import zone_name

JSON_TYPE = "application/json; charset=utf-8"
SCRIPT_TYPE = "text/javascript; charset=utf-8"
# Other sites' visitors load the scripts on every page they open, and they change with a release at most.
SCRIPT_HEADERS = {"Cache-Control": "public, max-age=300, stale-while-revalidate=86400, stale-if-error=604800"}


def _json(document: Data, content_type: str = JSON_TYPE) -> Rendered:
    return Rendered(to_json(document), content_type=content_type)


def v2_document(name: str) -> View:
    """The view of one document of the v2 API."""
    build = api.DOCUMENTS[name]

    @published(cors=True)
    def document(snapshot: Data) -> Rendered:
        return _json(build(snapshot))

    return document


def unknown_document(request: HttpRequest, path: str = "") -> HttpResponse:
    """404 for a program: says what there is."""
    known = [f"/api/v2/{name}.json" for name in api.DOCUMENTS]
    response = JsonResponse({"error": f"There is no /api/v2/{path}.", "documents": known}, status=404)
    response["Access-Control-Allow-Origin"] = "*"
    return response


@published(cors=True, params={"page": r"[1-9]\d{0,2}"})
def history_json(snapshot: Data, page: str | None) -> Rendered:
    return _json(archive.history(snapshot, int(page or 1)))


@published(cors=True)
def incident_json(snapshot: Data, code: str) -> Rendered:
    found = archive.incident(snapshot, code)
    if found is None:
        raise Http404("There is no such incident.")
    return _json(found)


@published(cors=True)
def rss(snapshot: Data) -> Rendered:
    return Rendered(feeds.rss(snapshot), content_type=feeds.RSS_TYPE)


@published(cors=True)
def atom(snapshot: Data) -> Rendered:
    return Rendered(feeds.atom(snapshot), content_type=feeds.ATOM_TYPE)


@published(cors=True)
def json_feed(snapshot: Data) -> Rendered:
    return _json(feeds.json_feed(snapshot), feeds.JSON_FEED_TYPE)


@published(cors=True)
def maintenance_calendar(snapshot: Data) -> Rendered:
    return Rendered(calendar.calendar(snapshot), content_type=calendar.CALENDAR_TYPE)


@published(cors=True)
def badge_svg(snapshot: Data) -> Rendered:
    return Rendered(badge.svg(badge.page_badge(snapshot)), content_type=badge.SVG_TYPE)


@published(cors=True)
def badge_json(snapshot: Data) -> Rendered:
    return _json(badge.shields(badge.page_badge(snapshot)))


@published(cors=True)
def component_badge_svg(snapshot: Data, code: str) -> Rendered:
    return Rendered(badge.svg(_component_badge(snapshot, code)), content_type=badge.SVG_TYPE)


@published(cors=True)
def component_badge_json(snapshot: Data, code: str) -> Rendered:
    return _json(badge.shields(_component_badge(snapshot, code)))


def _component_badge(snapshot: Data, code: str) -> Data:
    found = badge.component_badge(snapshot, code)
    if found is None:
        raise Http404("There is no such component.")
    return found


@published(cors=True)
def banner_json(snapshot: Data) -> Rendered:
    return _json(banner.banner(snapshot))


@published(framed=True, params={"mobile": "true"})
def embed_frame(snapshot: Data, mobile: str | None) -> Rendered:
    """The banner as a page for an iframe; the same on a phone, where its style sheet adapts."""
    context = banner.banner(snapshot) | {"status": snapshot["status"], "page": snapshot["page"]}
    chosen = banner.choose(snapshot)
    if chosen and chosen["kind"] == "maintenance":
        context["window"] = _window(chosen["scheduled_for"], chosen["scheduled_until"], api.zone_of(snapshot))
    return Rendered(render_to_string("public/embed_frame.html", context))


def _window(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    """ "Sun 12 December, 02:00 to 03:00 UTC"; the end has its day when that is another one."""
    local_start, local_end = start.astimezone(zone), end.astimezone(zone)
    until = f"{local_end:%H:%M}" if local_start.date() == local_end.date() else f"{local_end:%a} {_day(local_end)}"
    return f"{local_start:%a} {_day(local_start)} to {until} {zone_name(end, zone)}"


def _day(local: datetime) -> str:
    return f"{local.day} {local:%B, %H:%M}"


def _script(file_name: str) -> Rendered:
    source = Path(settings.BASE_DIR, "static", "js", file_name).read_bytes()
    return Rendered(source, content_type=SCRIPT_TYPE, headers=SCRIPT_HEADERS)


@published(cors=True)
def embed_js(snapshot: Data) -> Rendered:
    return _script("embed.js")


@published(cors=True)
def embed_script(snapshot: Data) -> Rendered:
    return _script("embed-script.js")
