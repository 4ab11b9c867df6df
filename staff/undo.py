"""Undo for what was just removed: offered once, on the next screen, to who removed it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from pages.rights import Right, refuse, require_right

KEY = "staff-undo"
OFFERED_SECONDS = 600

Restore = Callable[[HttpRequest, dict[str, Any]], str]
"""Brings back what `data` describes and returns where to go then. Raises LookupError when it cannot."""
_restores: dict[str, tuple[Right, Restore]] = {}


def undoes(kind: str, right: Right = "administer") -> Callable[[Restore], Restore]:
    """Register how removals of one kind are undone, and the right that it needs: that of the removal."""

    def register(restore: Restore) -> Restore:
        _restores[kind] = right, restore
        return restore

    return register


def offer_undo(request: HttpRequest, words: str, kind: str, **data: Any) -> None:
    """Say what was removed, with a button that brings it back. `data` is JSON and holds no secret."""
    request.session[KEY] = {"kind": kind, "data": data, "words": words, "until": time.time() + OFFERED_SECONDS}


def take_offer(request: HttpRequest) -> str:
    """The words to show on this screen, once; "" where nothing was removed."""
    offer = request.session.get(KEY)
    if not offer or offer.get("shown"):
        return ""
    request.session[KEY] = {**offer, "shown": True}
    return str(offer["words"])


@require_right("publish", "administer")
@require_POST
def undo(request: HttpRequest) -> HttpResponse:
    offer = request.session.pop(KEY, None)
    known = _restores.get(offer["kind"]) if offer and offer["until"] >= time.time() else None
    if known is None:  # too late, or offered by another version
        messages.error(request, _("There is nothing left to undo."))
        return redirect("overview")
    right, restore = known
    if not request.user.has_perm(f"pages.{right}"):
        return refuse(request, right)
    try:
        where = restore(request, offer["data"])
    except LookupError:
        messages.error(request, _("It could not be brought back: what it belonged to is gone."))
        return redirect("overview")
    messages.success(request, _("It is back."))
    return redirect(where)
