"""Settings: who asked to be told. Addresses are shown to who administers, links to nobody."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_POST

from pages.models import Page, record_audits
from pages.rights import require_right
from staff.bulk import BulkDeed, do_to_many
from staff.chosen_page import get_page
from staff.lists import paginate, read_search, state_tabs
from staff.undo import offer_undo, undoes
from subscribers.models import Subscriber, SubscriberQuerySet

NOBODY_YET = gettext_lazy(
    "Nobody has subscribed yet. Visitors do it themselves with “Get updates” on the page; send them its address."
)
UNSUBSCRIBE = BulkDeed(
    "unsubscribe",
    ticked=gettext_lazy("Unsubscribe the ticked"),
    matching=gettext_lazy("Unsubscribe all that match"),
    question=lambda count: ngettext("Unsubscribe %d subscriber?", "Unsubscribe %d subscribers?", count) % count,
    none=gettext_lazy("Tick who should be unsubscribed. Nobody was."),
)


@require_right("administer")
@require_GET
def show_subscribers(request: HttpRequest) -> HttpResponse:
    page = get_page(request)
    search, state = read_search(request), request.GET.get("state", "")
    counts = dict(page.subscribers.order_by().values_list("state").annotate(count=Count("pk")))
    rows = paginate(request, _matching(request, page).annotate(chosen=Count("choices")))
    context = {
        "title": _("Subscribers"),
        "page": page,
        "search": search,
        "state": state,
        "tabs": state_tabs(state, [(*choice, counts.get(choice[0], 0)) for choice in Subscriber.State.choices]),
        "is_search": bool(search or state),
        "empty": _("Nobody is like that.") if search or state else NOBODY_YET,
        "form_url": f"{page.url}/subscribe",
        "rows": rows,
        "deeds": [] if state == Subscriber.State.UNSUBSCRIBED else [UNSUBSCRIBE],
    }
    return render(request, "staff/settings/subscribers.html", context)


def _matching(request: HttpRequest, page: Page) -> SubscriberQuerySet:
    """Those that the list's address asks for, the newest first."""
    rows = Subscriber.objects.filter(page=page).matching(read_search(request)).order_by("-pk")
    state = request.GET.get("state", "")
    return rows.filter(state=state) if state in Subscriber.State.values else rows


@require_right("administer")
@require_POST
def unsubscribe(request: HttpRequest) -> HttpResponse:
    """Undone within a moment; after that they must ask again themselves."""
    page = get_page(request)

    def do(rows: QuerySet[Any]) -> int:
        now, actor = timezone.now(), request.user.get_username()
        with transaction.atomic():
            left = Subscriber.objects.filter(pk__in=rows.values("pk")).unsubscribe(page, now)
            record_audits(page, actor, "subscriber.unsubscribe", left)
        if count := len(left):
            words = ngettext("%d subscriber was unsubscribed.", "%d subscribers were unsubscribed.", count) % count
            offer_undo(request, words, "subscribers", page=page.code, left_at=now.isoformat())
        return count

    rows = _matching(request, page).exclude(state=Subscriber.State.UNSUBSCRIBED)
    return do_to_many(request, UNSUBSCRIBE, rows, "subscribers", do)


@undoes("subscribers")
def bring_back_subscribers(request: HttpRequest, data: dict[str, Any]) -> str:
    page, left_at = Page.objects.filter(code=data["page"]).first(), parse_datetime(data["left_at"])
    if page is None or left_at is None:
        raise LookupError(data)
    with transaction.atomic():
        back = Subscriber.objects.undo_unsubscribe(page, left_at)
        record_audits(page, request.user.get_username(), "subscriber.renew", back)
    if not back:
        raise LookupError(data)
    return "subscribers"
