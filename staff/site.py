"""The admin site. Its front page answers what is open, what is scheduled and what was sent."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.views.main import ERROR_FLAG
from django.db import DataError, transaction
from django.db.models import Exists, OuterRef, Prefetch
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from components.models import Component
from components.status import Impact
from delivery.overview import delivery_warnings, recently_told, suppressed_lately, unreadable_lately
from incidents.models import Draft, Incident
from incidents.updates import Update
from pages.models import Page, record_audit
from pages.rights import refuse

SHOWN = 6


def ignore_odd_filters(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A list whose address asks for what no database can compare, such as the year 99999999999, is shown without
    its filters. Django does the same for filters that it cannot read; these fail only when the rows are fetched."""

    @wraps(view)
    def shown(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            with transaction.atomic():
                return view(request, *args, **kwargs)
        except (OverflowError, ValueError, DataError):
            if request.method != "GET" or not request.GET.keys() - {ERROR_FLAG}:
                raise
            return HttpResponseRedirect(f"{request.path}?{ERROR_FLAG}=1")

    return shown


class StaffSite(AdminSite):
    site_header = "Status"
    site_title = "Status staff"
    index_title = "Now"
    index_template = "admin/index.html"
    enable_nav_sidebar = False

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:  # noqa: FBT001, FBT002  # Django's
        is_list = getattr(view, "__name__", "") == "changelist_view"
        return super().admin_view(ignore_odd_filters(view) if is_list else view, cacheable)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        return super().each_context(request) | {"may_publish": request.user.has_perm("pages.publish")}

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        if not request.user.has_perm("pages.publish") and not request.user.has_perm("pages.administer"):
            return refuse(request, "publish")
        return super().index(request, build_overview() | (extra_context or {}))

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """One's own; an administrator's change of somebody's: staff/admin/people.py."""
        with transaction.atomic():
            response = super().password_change(request, extra_context)
            if request.method == "POST" and response.status_code == 302:
                name = request.user.get_username()
                record_audit(None, name, "user.password", name)
        return response


def build_overview() -> dict[str, Any]:
    """Over all pages: open, scheduled (incidents; `latest` holds their updates, newest first), sent, drafts, warnings,
    and how much came back lately."""
    shown = Component.objects.public().filter(page=OuterRef("pk"))
    pages = list(Page.objects.annotate(is_set_up=Exists(shown)))
    rows = Incident.objects.select_related("page").prefetch_related(
        Prefetch("components", Component.objects.labelled()),
        Prefetch("updates", Update.objects.order_by("-pk"), to_attr="latest"),
    )
    return {
        "pages": pages,
        "pages_without_components": [page for page in pages if not page.is_set_up],  # type: ignore[attr-defined]  # annotated
        "open": sorted([*rows.unresolved(), *rows.active_maintenance()], key=_worst_first),
        "scheduled": list(rows.upcoming().order_by("scheduled_for")),
        "sent": recently_told(SHOWN),
        "drafts": list(Draft.objects.select_related("page", "incident", "author")),
        "warnings": delivery_warnings(pages),
        "suppressed": suppressed_lately(),
        "unreadable": unreadable_lately(),
    }


def _worst_first(incident: Incident) -> int:
    return -Impact(incident.impact).rank
