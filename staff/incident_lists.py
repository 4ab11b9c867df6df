"""All incidents, and all maintenance: what is open first, then the newest."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from incidents.models import Incident, Kind
from pages.models import Page
from pages.rights import require_right
from staff.lists import paginate, read_search, state_tabs


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
    rows = Incident.objects.filter(kind=kind).matching(search)
    if state in ("open", "closed"):
        rows = rows.closed() if state == "closed" else rows.still_open()
    rows = rows.open_first().for_lines()
    empty = _("Nothing is like that.") if search or state else words["empty"]
    context = words | {
        "empty": empty,
        "kind": kind,
        "search": search,
        "state": state,
        "is_search": bool(search or state),
        "tabs": state_tabs(state, [("open", _("Open"), None), ("closed", _("Closed"), None)]),
        "rows": paginate(request, rows),
        "pages": list(Page.objects.all()),
    }
    return render(request, "staff/incidents.html", context)
