"""Settings: the same done to many components of the tree, those that were ticked or all that a search matches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from components.models import Component
from pages.models import Page, record_audit
from pages.rights import require_right
from staff.bulk import BulkDeed, do_to_many
from staff.chosen_page import get_page
from staff.lists import read_search
from staff.undo import offer_undo, undoes

NONE_TICKED = gettext_lazy("Tick the components it is about. None was changed.")
ARCHIVE = BulkDeed(
    "archive",
    ticked=gettext_lazy("Archive the ticked"),
    matching=gettext_lazy("Archive all that match"),
    question=lambda count: ngettext("Archive %d component?", "Archive %d components?", count) % count,
    none=NONE_TICKED,
)
HIDE = BulkDeed(
    "hide",
    ticked=gettext_lazy("Hide the ticked"),
    matching=gettext_lazy("Hide all that match"),
    question=lambda count: ngettext("Hide %d component?", "Hide %d components?", count) % count,
    none=NONE_TICKED,
)
SHOW = BulkDeed(
    "show",
    ticked=gettext_lazy("Show the ticked"),
    matching=gettext_lazy("Show all that match"),
    question=lambda count: ngettext("Show %d component?", "Show %d components?", count) % count,
    none=NONE_TICKED,
)
DEEDS = {deed.name: deed for deed in (ARCHIVE, HIDE, SHOW)}


def matching_components(page: Page, search: str) -> QuerySet[Component]:
    """Those with these words in their name or their group's; all that are not archived for ""."""
    rows = page.components.current().select_related("group", "page").order_by("name", "pk")
    return rows.filter(Q(name__icontains=search) | Q(group__name__icontains=search)) if search else rows


@require_right("administer")
@require_POST
def change_many(request: HttpRequest) -> HttpResponse:
    page = get_page(request)
    deed = DEEDS.get(request.POST.get("all") or request.POST.get("deed", ""))
    if deed is None:
        raise Http404("There is no such deed.")
    rows = matching_components(page, read_search(request))
    if deed is ARCHIVE:
        return do_to_many(request, deed, rows, "components", lambda chosen: _archive(request, page, chosen))
    is_hidden = deed is HIDE
    rows = rows.exclude(hidden=is_hidden)
    return do_to_many(request, deed, rows, "components", lambda chosen: _hide(request, page, chosen, is_hidden))


def _archive(request: HttpRequest, page: Page, rows: QuerySet[Component]) -> int:
    """Returns how many there were, also those that an open incident keeps: it says so of them."""
    refused: list[str] = []

    def archive(component: Component) -> bool:
        try:
            component.archive()
        except ValidationError as error:
            refused.extend(error.messages)
            return False
        return True

    codes = _do_each(request, page, rows, "component.archive", archive)
    for words in refused:
        messages.error(request, words)
    if count := len(codes):
        words = ngettext("%d component was archived.", "%d components were archived.", count) % count
        offer_undo(request, words, "components", page=page.code, codes=codes)
    return count + len(refused)


def _hide(request: HttpRequest, page: Page, rows: QuerySet[Component], is_hidden: bool) -> int:  # noqa: FBT001
    codes = _do_each(request, page, rows, "component.change", lambda component: _set_hidden(component, is_hidden))
    if count := len(codes):
        if is_hidden:
            words = ngettext("%d component is hidden now.", "%d components are hidden now.", count) % count
        else:
            words = ngettext("%d component is shown now.", "%d components are shown now.", count) % count
        offer_undo(request, words, "hidden components", page=page.code, codes=codes, is_hidden=is_hidden)
    return len(codes)


def _set_hidden(component: Component, is_hidden: bool) -> bool:  # noqa: FBT001
    changed = Component.objects.filter(pk=component.pk).exclude(hidden=is_hidden).update(hidden=is_hidden)
    return bool(changed)


def _do_each(
    request: HttpRequest, page: Page, rows: QuerySet[Component], action: str, do: Callable[[Component], bool]
) -> list[str]:
    """Under the page's lock, an entry in the audit log for each that `do` changed; their codes."""
    actor, codes = request.user.get_username(), []
    with transaction.atomic():
        page.raise_generation()
        for component in rows:
            if do(component):
                record_audit(page, actor, action, component.full_name, code=component.code)
                codes.append(component.code)
    return codes


@undoes("components")
def bring_back_components(request: HttpRequest, data: dict[str, Any]) -> str:
    def restore(component: Component) -> bool:
        component.restore()
        return True

    return _undo(request, data, Component.objects.archived(), "component.restore", restore)


@undoes("hidden components")
def take_hiding_back(request: HttpRequest, data: dict[str, Any]) -> str:
    before = not data["is_hidden"]
    rows = Component.objects.filter(hidden=data["is_hidden"])
    return _undo(request, data, rows, "component.change", lambda component: _set_hidden(component, before))


def _undo(
    request: HttpRequest,
    data: dict[str, Any],
    rows: QuerySet[Component],
    action: str,
    do: Callable[[Component], bool],
) -> str:
    page = Page.objects.filter(code=data["page"]).first()
    if page is None:
        raise LookupError(data)
    rows = rows.filter(page=page, code__in=data["codes"]).select_related("group")
    if not _do_each(request, page, rows, action, do):
        raise LookupError(data)
    return "components"
