"""Lists the public addresses of a page: for the copy on disk those that the front page links to, for the export all."""

from collections.abc import Iterator
from datetime import date

from django.db import connection
from django.urls import URLPattern, URLResolver, get_resolver
from django.urls.resolvers import RoutePattern

from components.models import Component, Group
from core.banner_script import kept_versions
from core.languages import prefix_of, prefixed_languages
from incidents.models import Incident
from pages.models import Page
from public.documents.icon import list_marked_icons
from public.serving.render_cache import Editions
from public.snapshot import find_first_month

INCIDENT_PATHS = ("/incidents/{}", "/incidents/{}.json", "/fragments/incidents/{}")
LOCAL_INCIDENT_PATHS = ("/incidents/{}", "/fragments/incidents/{}")
TOPIC_FEEDS = ("/history.rss", "/history.atom")
COMPONENT_PATHS = (
    "/badge/{}.svg",
    "/badge/{}.json",
    *(f"/components/{{}}{feed}" for feed in TOPIC_FEEDS),
    "/components/{}",
    "/fragments/components/{}",
)
GROUP_PATHS = tuple(f"/groups/{{}}{feed}" for feed in TOPIC_FEEDS)


def list_fixed() -> list[str]:
    """Addresses without a part that varies, from the URL configuration itself: none can be forgotten."""
    return [f"/{route}" for route in _walk(get_resolver().url_patterns, "")]


def _walk(patterns: list[URLPattern | URLResolver], prefix: str) -> Iterator[str]:
    for pattern in patterns:
        if not isinstance(pattern.pattern, RoutePattern) or "<" in str(pattern.pattern):
            continue
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from _walk(pattern.url_patterns, route)
        elif getattr(pattern.callback, "params", None) is not None:
            yield route


def _prefixes() -> list[str]:
    """The prefixes of all languages, the page's own first."""
    return ["", *map(prefix_of, prefixed_languages())]


def list_current(editions: Editions, page_id: int) -> list[str]:
    """The addresses that the front page links to, the front page first."""
    try:
        snapshot = editions.load_snapshot_of(page_id)
    finally:
        connection.close()  # called in threads that come and go
    look = snapshot.page.look
    codes = [incident.code for incident in (*snapshot.incidents, *snapshot.maintenances)]
    paths = [f"/incidents/{code}" for code in codes]
    paths += [component.path for component in snapshot.components if component.is_listed]
    return (
        list_fixed()
        + look.picture_paths
        + list_marked_icons(look)
        + [prefix + path for prefix in _prefixes() for path in paths]
    )


def list_all(page: Page, today: date) -> Iterator[str]:
    """Every address of the page, each once; a document stands after those that it links to.

    `today`: in the page's time zone.
    """
    yield from (*page.look.picture_paths, *list_marked_icons(page.look))
    for code in Incident.objects.filter(page=page).order_by("pk").values_list("code", flat=True):
        yield from (path.format(code) for path in INCIDENT_PATHS)
        yield from (prefix + path.format(code) for prefix in _prefixes()[1:] for path in LOCAL_INCIDENT_PATHS)
    components = Component.objects.public().filter(page=page)
    for code in Group.objects.filter(components__in=components).distinct().values_list("code", flat=True):
        yield from (prefix + path.format(code) for prefix in _prefixes() for path in GROUP_PATHS)
    yield from (f"{prefix}/embed.{version}.js" for prefix in _prefixes() for version in kept_versions())
    months = list(list_months(find_first_month(page) or today, today))
    yield from (prefix + path for prefix in _prefixes() for path in months)
    for code in components.values_list("code", flat=True):
        yield from (prefix + path.format(code) for prefix in _prefixes() for path in COMPONENT_PATHS)
    yield from (path for path in list_fixed() if path != "/")
    yield "/"


def list_months(first: date, last: date) -> Iterator[str]:
    """The paths of the months of history, the oldest first."""
    month = first.replace(day=1)
    while month <= last:
        yield f"/history/{month:%Y-%m}"
        month = date(month.year + month.month // 12, month.month % 12 + 1, 1)
