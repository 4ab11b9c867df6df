"""Forgotten passwords, and setting the first one by the link of a letter."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import login
from django.contrib.auth.forms import SetPasswordForm
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlsafe_base64_decode
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from pages.models import record_audit
from staff.chosen_page import chosen_page
from staff.letters import find_staff, send_reset

KEY = "set-password-token"
IN_SESSION = "now"  # in the place of the token, so that no address with a token reaches a log or a Referer


@never_cache
@require_http_methods(["GET", "POST"])
def forgotten(request: HttpRequest) -> HttpResponse:
    """Says the same whether somebody has this address or not."""
    context: dict[str, Any] = {"title": _("Forgotten password")}
    if request.method == "POST":
        address = request.POST.get("email", "").strip()
        try:
            validate_email(address)
        except ValidationError:
            context |= {"problem": _("Write the e-mail address of your account."), "typed": address}
            return render(request, "staff/forgotten.html", context, status=422)
        page, user = chosen_page(request), find_staff(address)
        if page and user:
            send_reset(page, user)
        context["asked"] = True
    return render(request, "staff/forgotten.html", context)


@sensitive_post_parameters()
@never_cache
@require_http_methods(["GET", "POST"])
def set_password(request: HttpRequest, uid: str, token: str) -> HttpResponse:
    """The first password of who was invited, or a new one. The token moves into the session at once."""
    user = _find_user(uid)
    given = request.session.get(KEY, "") if token == IN_SESSION else token
    if user is None or not default_token_generator.check_token(user, given):
        context = {"title": _("This link does not work any more")}
        return render(request, "staff/bad_password_link.html", context, status=410)
    if token != IN_SESSION:
        request.session[KEY] = token
        return redirect("set-password", uid=uid, token=IN_SESSION)
    form = SetPasswordForm(user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            form.save(commit=False)
            user.save(update_fields=["password"])  # no more: somebody may have switched the account off meanwhile
            record_audit(None, user.get_username(), "user.password", user.get_username(), by="letter")
        del request.session[KEY]
        login(request, user, backend="django.contrib.auth.backends.ModelBackend")
        return redirect("overview")
    shown = {"title": _("Set your password"), "form": form, "name": user.get_username()}
    return render(request, "staff/set_password.html", shown, status=422 if form.errors else 200)


def _find_user(uid: str) -> User | None:
    try:
        pk = int(urlsafe_base64_decode(uid).decode("ascii"))
        return User.objects.filter(pk=pk, is_active=True, is_staff=True).first()
    except (ValueError, OverflowError):
        return None
