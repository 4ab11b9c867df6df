"""What a notice says in the active language. What staff wrote stays as they wrote it; a notice stores our own words in
the page's language."""

from datetime import datetime
from html import escape

from django.utils import translation
from django.utils.translation import gettext

from core.dates import when_line
from core.languages import own_language
from delivery.models import Notice


def status_words(notice: Notice) -> str:
    """Such as “Identified”: stored in English, which is what translations are looked up by."""
    return gettext(notice.status_label) if notice.status_label else ""


def body_html(notice: Notice) -> str:
    """The body; the line that says when announced maintenance will be is in the active language."""
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
