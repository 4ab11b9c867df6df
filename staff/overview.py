"""The first screen of the staff side answers what is open, what is scheduled and what was sent."""

from typing import Any

from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET

from components.models import Component
from components.status import Impact
from delivery.overview import delivery_warnings, recent_notices, recent_suppressions, recent_unreadable_reports
from incidents.models import Draft, Incident
from pages.models import Page
from pages.rights import require_right
from staff.chosen_page import chosen_page
from staff.settings.first_run import load_setup

SHOWN = 6


@require_right("publish", "administer")
@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    context = build_overview() | {"title": gettext("Now")}
    if request.user.has_perm("pages.administer"):
        context["setup"] = load_setup(chosen_page(request))
    return render(request, "staff/overview.html", context)


def build_overview() -> dict[str, Any]:
    """Over all pages: open, scheduled (incidents, see `for_lines`), sent, drafts, warnings,
    and how much came back lately."""
    shown = Component.objects.public().filter(page=OuterRef("pk"))
    pages = list(Page.objects.annotate(is_set_up=Exists(shown)))
    rows = Incident.objects.for_lines()
    return {
        "pages": pages,
        "pages_without_components": [page for page in pages if not page.is_set_up],  # type: ignore[attr-defined]  # annotated
        "open": sorted([*rows.unresolved(), *rows.active_maintenance()], key=_worst_first),
        "scheduled": list(rows.upcoming().order_by("scheduled_for")),
        "sent": recent_notices(SHOWN),
        "drafts": list(Draft.objects.select_related("page", "incident", "author")),
        "warnings": delivery_warnings(pages),
        "suppressed": recent_suppressions(),
        "unreadable": recent_unreadable_reports(),
    }


def _worst_first(incident: Incident) -> int:
    return -Impact(incident.impact).rank
