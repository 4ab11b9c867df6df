"""All incidents, and all maintenance: what is open first, then the newest."""

from __future__ import annotations

from typing import Any

from django.db.models import Case, Prefetch, Q, Value, When
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from components.models import Component
from incidents.models import CLOSED, Incident, Kind, Update
from pages.models import Page
from pages.rights import require_right
from staff.lists import paginate, read_search


@require_right("publish", "administer")
@require_GET
def incidents(request: HttpRequest) -> HttpResponse:
    words = {
        "title": _("Incidents"),
        "begin": _("Post update"),
        "empty": _("Nothing has happened yet. When something breaks, post an update: it opens an incident here."),
    }
    return _show(request, Kind.INCIDENT, words)


@require_right("publish", "administer")
@require_GET
def maintenance(request: HttpRequest) -> HttpResponse:
    words = {
        "title": _("Maintenance"),
        "begin": _("Schedule maintenance"),
        "empty": _("No maintenance was ever planned. Announce it early: it starts and ends by itself."),
    }
    return _show(request, Kind.MAINTENANCE, words)


def _show(request: HttpRequest, kind: Kind, words: dict[str, Any]) -> HttpResponse:
    search = read_search(request)
    state = request.GET.get("state", "")
    rows = find_incidents(kind, search, state)
    context = words | {
        "kind": kind,
        "search": search,
        "state": state,
        "rows": paginate(request, rows),
        "pages": list(Page.objects.all()),
    }
    return render(request, "staff/incidents.html", context)


def find_incidents(kind: Kind, search: str = "", state: str = "") -> Any:
    """`search` in titles and updates; `state` is "open", "closed" or "" for both."""
    rows = Incident.objects.filter(kind=kind).select_related("page")
    if search:
        said = Update.objects.filter(body__icontains=search).values("incident")
        rows = rows.filter(Q(name__icontains=search) | Q(code=search) | Q(pk__in=said))
    if state in ("open", "closed"):
        rows = rows.filter(status__in=CLOSED) if state == "closed" else rows.still_open()
    is_closed = Case(When(status__in=CLOSED, then=Value(1)), default=Value(0))
    return rows.order_by(is_closed, "-started_at", "-pk").prefetch_related(
        Prefetch("components", Component.objects.labelled()),
        Prefetch("updates", Update.objects.order_by("-pk"), to_attr="latest"),
    )
