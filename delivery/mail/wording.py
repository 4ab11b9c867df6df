"""The words of a notice in the active language. Text by staff is not translated; our own words are stored in the page's
language and translated here."""

from datetime import datetime
from html import escape

from django.utils import translation
from django.utils.translation import gettext

from core.dates import when_line
from core.languages import own_language
from delivery.models import Notice


def status_words(notice: Notice) -> str:
    """Such as “Identified”. It is stored in English, under which the catalogue has its translation."""
    return gettext(notice.status_label) if notice.status_label else ""


def body_html(notice: Notice) -> str:
    """The body as HTML, with the line about the time of announced maintenance in the active language."""
    start, end = (notice.incident.get(name) for name in ("scheduled_for", "scheduled_until"))
    if not start or not end:
        return notice.body_html
    with translation.override(own_language()):
        stored = _paragraph(start, end, notice)
    if not notice.body_html.startswith(stored):
        return notice.body_html
    return _paragraph(start, end, notice) + notice.body_html.removeprefix(stored)


def _paragraph(start: str | datetime, end: str | datetime, notice: Notice) -> str:
    begin, finish = (each if isinstance(each, datetime) else datetime.fromisoformat(each) for each in (start, end))
    return f"<p>{escape(when_line(begin, finish, notice.page.zone))}</p>"
