"""One deed for many rows of a list: for those that were ticked, or for all that its search matches.

What is ticked is done at once, for it can be undone. What cannot be seen whole is first said in words, with its number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from django.contrib import messages
from django.db.models import Max, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise

from staff.posting import read_number

SHOWN = 10


class BulkDeed(NamedTuple):
    """What can be done to many rows. `ticked` and `matching` are the words of its two buttons, `question` asks before
    it is done to all that match (with %d for how many), `none` is said where there was nothing to do."""

    name: str
    ticked: str | Promise
    matching: str | Promise
    question: Callable[[int], str]
    none: str | Promise


def do_to_many(
    request: HttpRequest,
    deed: BulkDeed,
    rows: QuerySet[Any],
    back: str,
    do: Callable[[QuerySet[Any]], int],
) -> HttpResponse:
    """`rows` are those that the list's address asks for; `do` does it, says so, offers undo and returns to how many."""
    is_all = "all" in request.POST
    chosen = (
        rows.filter(pk__lte=read_number(request.POST.get("until")))
        if is_all
        else rows.filter(pk__in=read_ticked(request))
    )
    if is_all and "until" not in request.POST:
        return _ask(request, deed, rows, back)
    if not do(chosen):
        messages.error(request, str(deed.none))
    return redirect(back)


def _ask(request: HttpRequest, deed: BulkDeed, rows: QuerySet[Any], back: str) -> HttpResponse:
    """Rows that come after the question are not meant: the answer names the last one that was counted."""
    count = rows.order_by().count()
    if not count:
        messages.error(request, str(deed.none))
        return redirect(back)
    context = {
        "title": deed.question(count),
        "shown": list(rows[:SHOWN]),
        "more": count - min(count, SHOWN),
        "until": rows.order_by().aggregate(last=Max("pk"))["last"],
        "deed": deed,
        "back": back,
    }
    return render(request, "staff/confirm.html", context)


def read_ticked(request: HttpRequest) -> list[int]:
    return [number for each in request.POST.getlist("row") if (number := read_number(each))]
