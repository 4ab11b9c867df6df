"""Who may do what on the staff side: pages.publish (post, see receipts) and pages.administer (change the rest)."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Literal
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.template.response import TemplateResponse
from django.views.decorators.cache import never_cache
from django_htmx.http import HttpResponseClientRedirect

Right = Literal["publish", "administer"]
View = Callable[..., HttpResponse]
WORDS = {"publish": "post updates and see their receipts", "administer": "change pages, components and accounts"}


def require_right(right: Right) -> Callable[[View], View]:
    """For staff views: a visitor is sent to sign in, staff without the right are told whom to ask (403)."""

    def decorate(view: View) -> View:
        @wraps(view)
        @never_cache
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not admin.site.has_permission(request):
                return _to_sign_in(request)
            if not request.user.has_perm(f"pages.{right}"):
                return refuse(request, right)
            return view(request, *args, **kwargs)

        return checked

    return decorate


def refuse(request: HttpRequest, right: Right) -> TemplateResponse:
    context = {**admin.site.each_context(request), "title": "Not allowed", "needed": WORDS[right]}
    return TemplateResponse(request, "admin/403.html", context, status=403)


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    """A fragment has no page of its own to come back to: the page around it signs in."""
    is_fragment = bool(request.headers.get("HX-Request"))
    here = request.headers.get("HX-Current-URL", "") if is_fragment else request.get_full_path()
    address = f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': here})}"
    return HttpResponseClientRedirect(address) if is_fragment else redirect(address)
