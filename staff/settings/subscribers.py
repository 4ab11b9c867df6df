"""Settings: who asked to be told. Addresses are shown to who administers, links to nobody."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db import transaction
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_POST

from pages.models import record_audit
from pages.rights import require_right
from staff.chosen_page import get_page
from staff.lists import paginate, read_search, state_tabs
from staff.posting import read_number
from staff.undo import offer_undo, undoes
from subscribers.models import Subscriber

NOBODY_YET = gettext_lazy(
    "Nobody has subscribed yet. Visitors do it themselves with “Get updates” on the page; send them its address."
)


@require_right("administer")
@require_GET
def show_subscribers(request: HttpRequest) -> HttpResponse:
    page = get_page(request)
    search, state = read_search(request), request.GET.get("state", "")
    everybody = Subscriber.objects.filter(page=page)
    rows = everybody.matching(search).order_by("-pk").annotate(chosen=Count("choices"))
    if state in Subscriber.State.values:
        rows = rows.filter(state=state)
    counts = dict(everybody.order_by().values_list("state").annotate(count=Count("pk")))
    context = {
        "title": _("Subscribers"),
        "page": page,
        "search": search,
        "state": state,
        "tabs": state_tabs(state, [(*choice, counts.get(choice[0], 0)) for choice in Subscriber.State.choices]),
        "is_search": bool(search or state),
        "empty": _("Nobody is like that.") if search or state else str(NOBODY_YET),
        "form_url": f"{page.url}/subscribe",
        "rows": paginate(request, rows),
    }
    return render(request, "staff/settings/subscribers.html", context)


@require_right("administer")
@require_POST
def unsubscribe(request: HttpRequest) -> HttpResponse:
    """Those that were ticked; undone within a moment, as after that they must ask again themselves."""
    page, now = get_page(request), timezone.now()
    with transaction.atomic():
        ticked = Subscriber.objects.filter(page=page, pk__in=read_ticked(request))
        left = [subscriber for subscriber in ticked if subscriber.unsubscribe(now)]
        for subscriber in left:
            record_audit(page, request.user.get_username(), "subscriber.unsubscribe", subscriber.code)
    if not left:
        messages.error(request, _("Tick who should be unsubscribed. Nobody was."))
        return redirect("subscribers")
    count = len(left)
    words = ngettext("%d subscriber was unsubscribed.", "%d subscribers were unsubscribed.", count) % count
    offer_undo(request, words, "subscribers", codes=[subscriber.code for subscriber in left])
    return redirect("subscribers")


@undoes("subscribers")
def bring_back_subscribers(request: HttpRequest, data: dict[str, Any]) -> str:
    found = Subscriber.objects.filter(code__in=data["codes"]).select_related("page")
    with transaction.atomic():
        back = [subscriber for subscriber in found if subscriber.undo_unsubscribe(timezone.now())]
        for subscriber in back:
            record_audit(subscriber.page, request.user.get_username(), "subscriber.renew", subscriber.code)
    if not back:
        raise LookupError(data["codes"])
    return "subscribers"


def read_ticked(request: HttpRequest) -> list[int]:
    return [number for each in request.POST.getlist("row") if (number := read_number(each))]
