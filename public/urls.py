"""Every public address. Documents for programs (JSON, feeds, calendar, badge, banner): document_urls.py."""

from django.urls import include, path, re_path
from django.views.generic import RedirectView

from core.style_sheet import STYLE_PATH
from public import component_pages, health, search, views
from public.documents import link_preview, look

# Served in every language: statuspage/urls.py.
for_people = [
    path("", views.home, name="home"),
    path("fragments/summary", views.summary, name="summary"),
    path("fragments/days", views.incidents_by_day, name="incidents-by-day"),
    path("history", views.history, name="history"),
    path("history/search", search.search, name="history-search"),
    path("history/<int:year>-<int:month>", views.history, name="history-month"),
    path("incidents/<slug:code>", views.incident, name="incident"),
    path("fragments/incidents/<slug:code>", views.incident_fragment, name="incident-fragment"),
    path("components/<slug:code>", component_pages.component, name="component-page"),
    path("fragments/components/<slug:code>", component_pages.component_fragment, name="component-fragment"),
    path(link_preview.PATH.lstrip("/"), look.link_preview, name="link-preview"),
    path("api", views.documents, name="documents"),
]
urlpatterns = [
    *for_people,
    # As people type them; programs get what they asked for, and a redirect keeps one address for each document.
    *(
        path(f"{word}/", RedirectView.as_view(pattern_name=name))
        for word, name in {"api": "documents", "history": "history", "subscribe": "subscribe"}.items()
    ),
    path("robots.txt", views.robots, name="robots"),
    path("sitemap.xml", views.sitemap, name="sitemap"),
    path("favicon.ico", look.favicon, name="favicon"),
    path(STYLE_PATH.lstrip("/"), look.style, name="style"),
    path("pictures/<slug:digest>.png", look.picture, name="picture"),
    path("pictures/<slug:digest>/<slug:state>.png", look.own_icon, name="own-icon"),
    path("livez", health.livez, name="livez"),
    path("readyz", health.readyz, name="readyz"),
    path("healthz", health.healthz, name="healthz"),
    path("", include("public.document_urls")),
    # Some clients ask for //api/v2/…; kept last, so that it costs the others nothing.
    re_path(r"^[/]+(?P<path>.+)$", views.one_slash),
]
