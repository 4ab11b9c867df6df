"""Who may do what on the staff side: pages.publish (post, see receipts) and pages.administer (change the rest).

Programs that monitor may read what publishers see in numbers, with a token.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, Literal
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import admin
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, resolve_url
from django.template.response import TemplateResponse
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.cache import never_cache
from django_htmx.http import HttpResponseClientRedirect

Right = Literal["publish", "administer"]
View = Callable[..., HttpResponse]
NEEDED = {
    "publish": gettext_lazy("To post updates and see their receipts, your account needs another right."),
    "administer": gettext_lazy("To change pages, components and accounts, your account needs another right."),
}


def require_right(*rights: Right) -> Callable[[View], View]:
    """For staff views: a visitor is sent to sign in, staff with none of the rights are told whom to ask (403)."""

    def decorate(view: View) -> View:
        @wraps(view)
        @never_cache
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not admin.site.has_permission(request):
                return _to_sign_in(request)
            if not any(request.user.has_perm(f"pages.{right}") for right in rights):
                return refuse(request, rights[0])
            return view(request, *args, **kwargs)

        return checked

    return decorate


def for_monitoring(view: View) -> View:
    """For what programs read: who sends METRICS_TOKEN as a bearer, or is signed in as staff who may publish.

    Others get 401 or 403 in a sentence, and everybody 503 while the database does not answer.
    """

    @wraps(view)
    @never_cache
    def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            if _has_token(request):
                return view(request, *args, **kwargs)
            if not admin.site.has_permission(request):
                answer = _say(request, 401, "Send METRICS_TOKEN as a bearer token, or sign in as staff.")
                answer["WWW-Authenticate"] = 'Bearer realm="metrics and receipts"'
                return answer
            if not request.user.has_perm("pages.publish"):
                return _say(request, 403, "You may not post updates and see their receipts.")
            return view(request, *args, **kwargs)
        except DatabaseError:
            answer = _say(request, 503, "The database does not answer, so nothing can be counted.")
            answer["Retry-After"] = "5"
            return answer

    return checked


def _has_token(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    given = scheme.lower() == "bearer" and bool(settings.METRICS_TOKEN)
    return given and constant_time_compare(token.strip(), settings.METRICS_TOKEN)


def _say(request: HttpRequest, status: int, sentence: str) -> HttpResponse:
    if request.path.endswith(".json"):
        return JsonResponse({"error": sentence}, status=status)
    return HttpResponse(f"{sentence}\n", status=status, content_type="text/plain; charset=utf-8")


def refuse(request: HttpRequest, right: Right) -> TemplateResponse:
    context = {"title": gettext("Not allowed"), "needed": NEEDED[right]}
    return TemplateResponse(request, "admin/403.html", context, status=403)


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    """A fragment has no page of its own to come back to: the page around it signs in."""
    is_fragment = bool(request.headers.get("HX-Request"))
    here = request.headers.get("HX-Current-URL", "") if is_fragment else request.get_full_path()
    address = f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': here})}"
    return HttpResponseClientRedirect(address) if is_fragment else redirect(address)
