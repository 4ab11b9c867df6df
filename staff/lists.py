"""What every list of the staff has: a search in its address, and pages of a bearable length."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext

from core.text import clean_text

PER_PAGE = 50


class Tab(NamedTuple):
    """One view of several of the same thing; `how_many` rows it has, where that is told."""

    label: str | Promise
    url: str
    is_current: bool
    how_many: int | None = None


def state_tabs(chosen: str, states: Iterable[tuple[str, str | Promise, int | None]]) -> list[Tab]:
    """A list's filter: all rows, then those of each state: (value in the address, label, how many)."""
    tabs = [Tab(label, f"?state={value}", value == chosen, count) for value, label, count in states]
    is_any = any(tab.is_current for tab in tabs)
    return [Tab(gettext("All"), "?", not is_any), *tabs]


def read_search(request: HttpRequest) -> str:
    """The words searched for, as they can be compared with what is stored; "" for none."""
    try:
        return clean_text(request.GET.get("q", ""), limit=200, multiline=False)
    except ValidationError:
        return ""


def paginate(request: HttpRequest, rows: QuerySet[Any]) -> "Page[Any]":
    """The page that the address asks for; the nearest one where it asks for what is not there."""
    return Paginator(rows, PER_PAGE).get_page(request.GET.get("at"))
