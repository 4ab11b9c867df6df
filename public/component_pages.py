"""A component's own page: what it shows now and since when, its uptime, what happened to it, and its feeds.

A hidden or archived component has none. One that the front page shows only while something is wrong has its page all the
time: whoever was led there during an outage wants to read later how it ended, and the API lists the component anyway.
Nothing links to the page while the front page leaves the component out.
"""

from dataclasses import dataclass, replace
from typing import Any

from django.template.loader import render_to_string

from public.documents.page import Agenda, build_agenda
from public.documents.topics import get_component, only_about
from public.serving.edition import POLLED, Rendered, published
from public.shapes import PublicComponent, PublicGroup, PublicIncident, Snapshot
from public.snapshot import build_past, load_page

PAST = 10
"""So many of its incidents are shown; the history has the others."""


@dataclass(frozen=True)
class ComponentPage:
    component: PublicComponent
    group: PublicGroup | None
    agenda: Agenda
    past: list[PublicIncident]
    """Incidents and maintenance that are over, the latest begun first."""


@published
def component(snapshot: Snapshot, code: str) -> Rendered:
    return _render("public/component.html", snapshot, code)


@published
def component_fragment(snapshot: Snapshot, code: str) -> Rendered:
    return replace(_render("public/_component_page.html", snapshot, code), headers=POLLED)


def _render(template: str, snapshot: Snapshot, code: str) -> Rendered:
    context: dict[str, Any] = {"page": snapshot.page, "snapshot": snapshot, "about": describe(snapshot, code)}
    return Rendered(render_to_string(template, context))


def describe(snapshot: Snapshot, code: str) -> ComponentPage:
    """Raises Http404."""
    found = get_component(snapshot, code)
    return ComponentPage(
        component=found,
        group=next((group for group in snapshot.groups if group.code == found.group_code), None),
        agenda=build_agenda(only_about(snapshot, {code})),
        past=build_past(load_page(snapshot), code, PAST),
    )
