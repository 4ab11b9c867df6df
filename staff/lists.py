"""What every list of the staff has: a search in its address, and pages of a bearable length."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

from core.text import clean_text

PER_PAGE = 50


def read_search(request: HttpRequest) -> str:
    """The words searched for, as they can be compared with what is stored; "" for none."""
    try:
        return clean_text(request.GET.get("q", ""), limit=200, multiline=False)
    except ValidationError:
        return ""


def paginate(request: HttpRequest, rows: QuerySet[Any]) -> "Page[Any]":
    """The page that the address asks for; the nearest one where it asks for what is not there."""
    return Paginator(rows, PER_PAGE).get_page(request.GET.get("at"))
