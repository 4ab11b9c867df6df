"""Addresses of the documents for programs. Every one is public: see the walk in tests/public/."""

from django.urls import URLPattern, path, re_path

from incidents.phases import Kind
from public.documents import api_v2 as api
from public.documents import programs as documents
from public.subscribe_api import subscribers_json

# Served in every language: statuspage/urls.py.
in_every_language: list[URLPattern] = [
    path("api/banner.json", documents.banner_json, name="banner"),
    path("embed.js", documents.embed_js, name="embed"),
    path("embed.json", documents.embed_json, name="embed-json"),
    path("embed.<slug:version>.js", documents.embed_version, name="embed-version"),
    path("embed/script.js", documents.embed_script, name="embed-script"),
    *(
        path(f"embed/sample/{kind}/api/banner.json", documents.sample_banner(kind), name=f"sample-{kind}")
        for kind in Kind
    ),
    path("embed/frame", documents.embed_frame, name="embed-frame"),
    path("embed/fragment", documents.embed_fragment, name="embed-fragment"),
    path("history.rss", documents.rss, name="rss"),
    path("history.atom", documents.atom, name="atom"),
    path("components/<slug:code>/history.rss", documents.component_rss, name="component-rss"),
    path("components/<slug:code>/history.atom", documents.component_atom, name="component-atom"),
    path("groups/<slug:code>/history.rss", documents.group_rss, name="group-rss"),
    path("groups/<slug:code>/history.atom", documents.group_atom, name="group-atom"),
    path("feed.json", documents.json_feed, name="json-feed"),
    path("maintenance.ics", documents.maintenance_calendar, name="calendar"),
    path("badge.svg", documents.badge_svg, name="badge"),
    path("badge.json", documents.badge_json, name="badge-json"),
    path("badge/<slug:code>.svg", documents.component_badge_svg, name="component-badge"),
    path("badge/<slug:code>.json", documents.component_badge_json, name="component-badge-json"),
]
urlpatterns: list[URLPattern] = [
    *in_every_language,
    *(path(f"api/v2/{name}.json", documents.v2_document(name), name=f"v2-{name}") for name in api.DOCUMENTS),
    path("api/v2/subscribers.json", subscribers_json, name="v2-subscribers"),
    re_path(r"^api/v2/(?P<path>.*)$", documents.unknown_document),
    path("history.json", documents.history_json, name="history-json"),
    path("incidents/<slug:code>.json", documents.incident_json, name="incident-json"),
    path("se-v2.js", documents.statuspage_helper, name="statuspage-helper"),
]
