"""The line at the top of a page whose server could not renew it for a minute or longer."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256

from django.utils import translation
from django.utils.html import escape, format_html
from django.utils.safestring import mark_safe
from django.utils.translation import gettext

from core.dates import clock_text, day_and_time, day_text
from core.languages import own_language
from public.serving.document_bytes import Edition, compress

STALE_LINE_AFTER_SECONDS = 60
MARK = b'<main id="content">'
LANGUAGE = re.compile(rb'<html lang="([a-zA-Z-]+)"')
TEXT = '<p class="stale" role="status" data-as-of="{}">{}</p>'
TIME = '<time datetime="{}">{}</time>'


@lru_cache(maxsize=64)
def add_stale_line(edition: Edition, as_of: datetime) -> Edition:
    """`edition` with a line that says that it may be out of date since `as_of` (aware UTC); unchanged if it is not a whole
    page."""
    body = edition.bodies["identity"]
    if MARK not in body:
        return edition
    language = LANGUAGE.search(body)
    with translation.override(language[1].decode() if language else own_language()):
        notice = describe_age(as_of)
    body = body.replace(MARK, MARK + notice.encode(), 1)
    return replace(edition, bodies=compress(body), tag=sha256(body).hexdigest()[:20])


def describe_age(as_of: datetime) -> str:
    """The line in the active language, as HTML."""
    iso = f"{as_of:%Y-%m-%dT%H:%M:%SZ}"
    words = day_and_time(day_text(as_of.date(), with_year=True), f"{clock_text(as_of)} UTC")
    sentence = gettext("This page could not be refreshed since %(time)s. What it shows may be out of date.")
    return format_html(TEXT, iso, mark_safe(escape(sentence) % {"time": format_html(TIME, iso, words)}))  # noqa: S308  # escaped


def minute_before(age_seconds: int) -> datetime:
    """The time `age_seconds` ago, cut to the minute."""
    return (datetime.now(UTC) - timedelta(seconds=age_seconds)).replace(second=0, microsecond=0)
