"""Django's admin: the records behind the staff's screens, for looking and repair."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.views.main import ERROR_FLAG
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.db import DataError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse

from pages.models import record_audit
from pages.rights import refuse


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
    index_title = "Records"
    index_template = "admin/index.html"
    enable_nav_sidebar = False

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:  # noqa: FBT001, FBT002  # Django's
        is_list = getattr(view, "__name__", "") == "changelist_view"
        return super().admin_view(ignore_odd_filters(view) if is_list else view, cacheable)

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Who was on no way to another screen comes to the overview."""
        if request.method == "GET" and self.has_permission(request):
            return redirect("overview")
        asked = request.GET.get(REDIRECT_FIELD_NAME) or request.POST.get(REDIRECT_FIELD_NAME)
        to = {} if asked else {REDIRECT_FIELD_NAME: reverse("overview")}
        return super().login(request, to | (extra_context or {}))

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        if not request.user.has_perm("pages.publish") and not request.user.has_perm("pages.administer"):
            return refuse(request, "publish")
        return super().index(request, extra_context)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """One's own; an administrator's change of somebody's: staff/admin/people.py."""
        with transaction.atomic():
            response = super().password_change(request, extra_context)
            if request.method == "POST" and response.status_code == 302:
                name = request.user.get_username()
                record_audit(None, name, "user.password", name)
        return response
