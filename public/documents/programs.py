"""The published documents for programs: JSON, feeds, calendar, badges, banner. Addresses: public/document_urls.py."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext

from core import banner_script
from core.languages import local
from incidents.phases import Kind
from public.documents import api_v2 as api
from public.documents import archive, badge, banner, calendar, feeds
from public.documents.api_v2 import Json, to_json
from public.documents.readable_feeds import VIEW, XML_TYPE, make_readable
from public.documents.topics import Topic, component_topic, group_topic
from public.serving.edition import POLLED, Param, Rendered, View, published
from public.shapes import Snapshot

JSON_TYPE = "application/json; charset=utf-8"
SCRIPT_TYPE = "text/javascript; charset=utf-8"
# As written in static/js/embed-script.js.
FRAME_TITLE = b'"Service status"'
# Visitors of other sites load the scripts with every page, and the scripts change only with a release.
SCRIPT_HEADERS = {"Cache-Control": "public, max-age=300, stale-while-revalidate=86400, stale-if-error=604800"}

IMMUTABLE = "public, max-age=31536000, immutable"


def _json(document: Json, content_type: str = JSON_TYPE) -> Rendered:
    return Rendered(to_json(document), content_type=content_type)


def v2_document(name: str) -> View:
    """The view of one document of the v2 API."""
    build = api.DOCUMENTS[name]

    @published(cors=True)
    def document(snapshot: Snapshot) -> Rendered:
        return _json(build(snapshot))

    return document


def unknown_document(request: HttpRequest, path: str = "") -> HttpResponse:
    """Answers 404 with the list of documents."""
    known = [f"/api/v2/{name}.json" for name in api.DOCUMENTS]
    response = JsonResponse(
        {"error": "not found", "message": f"There is no /api/v2/{path}.", "documents": known}, status=404
    )
    response["Access-Control-Allow-Origin"] = "*"
    return response


@published(cors=True, params={"page": Param("[1-9][0-9]{0,2}", wanted="a whole number from 1 to 999")})
def history_json(snapshot: Snapshot, page: str | None) -> Rendered:
    return _json(archive.history(snapshot, int(page or 1)))


@published(cors=True)
def incident_json(snapshot: Snapshot, code: str) -> Rendered:
    found = archive.incident(snapshot, code)
    if found is None:
        raise Http404("There is no such incident.")
    return _json(found)


def _dates(asked: str | None) -> feeds.Dates:
    return feeds.Dates(asked or feeds.Dates.UPDATES)


def _publish_feed(feed: bytes, content_type: str, view: str | None) -> Rendered:
    return Rendered(make_readable(feed), content_type=XML_TYPE) if view else Rendered(feed, content_type=content_type)


@published(cors=True, params={"dates": Param("statuspage")} | VIEW)
def rss(snapshot: Snapshot, dates: str | None, view: str | None) -> Rendered:
    return _publish_feed(feeds.rss(snapshot, _dates(dates)), feeds.RSS_TYPE, view)


@published(cors=True, params={"dates": Param("statuspage")} | VIEW)
def atom(snapshot: Snapshot, dates: str | None, view: str | None) -> Rendered:
    return _publish_feed(feeds.atom(snapshot, _dates(dates)), feeds.ATOM_TYPE, view)


def topic_feeds(find_topic: Callable[[Snapshot, str], Topic]) -> tuple[View, View]:
    """The views of the RSS and the Atom feed about one thing on the page."""

    @published(cors=True, params=VIEW)
    def topic_rss(snapshot: Snapshot, code: str, view: str | None) -> Rendered:
        return _publish_feed(feeds.rss(snapshot, topic=find_topic(snapshot, code)), feeds.RSS_TYPE, view)

    @published(cors=True, params=VIEW)
    def topic_atom(snapshot: Snapshot, code: str, view: str | None) -> Rendered:
        return _publish_feed(feeds.atom(snapshot, topic=find_topic(snapshot, code)), feeds.ATOM_TYPE, view)

    return topic_rss, topic_atom


component_rss, component_atom = topic_feeds(component_topic)
group_rss, group_atom = topic_feeds(group_topic)


@published(cors=True, params={"dates": Param("statuspage")})
def json_feed(snapshot: Snapshot, dates: str | None) -> Rendered:
    return _json(feeds.json_feed(snapshot, _dates(dates)), feeds.JSON_FEED_TYPE)


@published(cors=True)
def maintenance_calendar(snapshot: Snapshot) -> Rendered:
    return Rendered(calendar.calendar(snapshot), content_type=calendar.CALENDAR_TYPE)


@published(cors=True)
def badge_svg(snapshot: Snapshot) -> Rendered:
    return Rendered(badge.svg(badge.page_badge(snapshot)), content_type=badge.SVG_TYPE)


@published(cors=True)
def badge_json(snapshot: Snapshot) -> Rendered:
    return _json(badge.shields(badge.page_badge(snapshot)))


@published(cors=True)
def component_badge_svg(snapshot: Snapshot, code: str) -> Rendered:
    return Rendered(badge.svg(_component_badge(snapshot, code)), content_type=badge.SVG_TYPE)


@published(cors=True)
def component_badge_json(snapshot: Snapshot, code: str) -> Rendered:
    return _json(badge.shields(_component_badge(snapshot, code)))


def _component_badge(snapshot: Snapshot, code: str) -> badge.Badge:
    found = badge.component_badge(snapshot, code)
    if found is None:
        raise Http404("There is no such component.")
    return found


@published(cors=True)
def banner_json(snapshot: Snapshot) -> Rendered:
    return replace(_json(banner.banner(snapshot)), headers=POLLED)


def sample_banner(kind: Kind) -> View:
    """The view of a sample of /api/banner.json."""

    @published(cors=True)
    def document(snapshot: Snapshot) -> Rendered:
        return replace(_json(banner.sample(snapshot, kind)), headers=POLLED)

    return document


@published(framed=True, params={"mobile": Param("true")})
def embed_frame(snapshot: Snapshot, mobile: str | None) -> Rendered:
    """The banner as a page for an iframe. `mobile` is accepted but changes nothing: the style sheet adapts to phones."""
    context = {"page": snapshot.page, "snapshot": snapshot, "chosen": banner.choose(snapshot)}
    return Rendered(render_to_string("public/embed_frame.html", banner.banner(snapshot) | context))


@published
def embed_fragment(snapshot: Snapshot) -> Rendered:
    """The banner as a piece of HTML for a server-side include; empty while there is nothing to tell."""
    return Rendered(render_to_string("public/embed_fragment.html", banner.banner(snapshot)).strip())


def _script(file_name: str) -> bytes:
    return Path(settings.BASE_DIR, "static", "js", file_name).read_bytes()


def _publish_script(source: bytes) -> Rendered:
    return Rendered(source, content_type=SCRIPT_TYPE, headers=SCRIPT_HEADERS)


@published(cors=True)
def embed_js(snapshot: Snapshot) -> Rendered:
    return _publish_script(banner_script.script())


@published(cors=True)
def embed_json(snapshot: Snapshot) -> Rendered:
    """For build tools: the address of the newest version, whose bytes never change, and its SRI value."""
    body = banner_script.script()
    version = banner_script.version_of(body)
    address = f"{snapshot.page.url}{local(f'/embed.{version}.js')}"
    return _json({"version": version, "url": address, "integrity": banner_script.integrity_of(body)})


@published(cors=True)
def _kept_embed(snapshot: Snapshot, version: str) -> Rendered:
    body = banner_script.kept_versions()[version]
    return Rendered(body, content_type=SCRIPT_TYPE, headers={"Cache-Control": IMMUTABLE})


def embed_version(request: HttpRequest, version: str) -> HttpResponse:
    """One version, whose bytes never change. Unknown versions are answered here, so that invented names cannot fill the
    cache."""
    if version in banner_script.kept_versions():
        return _kept_embed(request, version=version)
    text = f"// There is no version “{version}” of the banner here. The newest one: /embed.json\n"
    response = HttpResponse(text, status=404, content_type=SCRIPT_TYPE)
    response["Access-Control-Allow-Origin"] = "*"
    response["Cache-Control"] = "public, max-age=10"
    return response


embed_version.params, embed_version.document = _kept_embed.params, _kept_embed.document  # type: ignore[attr-defined]


@published(cors=True)
def embed_script(snapshot: Snapshot) -> Rendered:
    source = _script("embed-script.js")
    return _publish_script(source.replace(FRAME_TITLE, to_json(gettext("Service status"))) if local("") else source)


@published(cors=True)
def statuspage_helper(snapshot: Snapshot) -> Rendered:
    return _publish_script(_script("se-v2.js"))
