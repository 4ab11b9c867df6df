"""Writes the two letters of the subscribe form; delivery sends them.

Templates: templates/subscribers/email/<confirm|manage>.<subject.txt|txt|html>. Context: `page` (Page), `url` (the confirm
or manage link), `hours` (how long a confirm link works). Letters contain no text from the form, so that nobody can send a
text of their own to a stranger.
"""

from dataclasses import dataclass

from django.template.loader import render_to_string
from django.utils import translation

from core.colours import COLOURS
from core.languages import served_language
from core.text import clean_text
from subscribers.models import Subscriber
from subscribers.signing import AGES, Purpose, confirm_url, manage_url


@dataclass(frozen=True)
class Letter:
    """The content of a letter, sent as multipart/alternative with `text` first. `subject` is one line."""

    subject: str
    text: str
    html: str


def build_letter(subscriber: Subscriber) -> Letter:
    """The letter with the link to confirm, or to manage the subscription if it is active already; in the language of the
    subscriber's mails."""
    kind = Purpose.MANAGE if subscriber.is_active else Purpose.CONFIRM
    url = manage_url(subscriber) if subscriber.is_active else confirm_url(subscriber)
    age = AGES[Purpose.CONFIRM]
    hours = int(age.total_seconds() // 3600) if age else None
    context = {"page": subscriber.page, "url": url, "hours": hours, "colours": COLOURS}
    with translation.override(served_language(subscriber.language)):
        subject, text, html = (
            render_to_string(f"subscribers/email/{kind}.{part}", context) for part in ("subject.txt", "txt", "html")
        )
    return Letter(clean_text(subject, multiline=False), text.rstrip() + "\n", html)
