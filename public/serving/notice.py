"""The line that a page shows when its own server could not refresh it for a while."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256

from public.serving.edition_cache import Edition, compress

NOTICE_AFTER_SECONDS = 60
MARK = b'<main id="content">'
TEXT = (
    '<p class="stale" role="status" data-as-of="{iso}">This page could not be refreshed since '
    '<time datetime="{iso}">{words}</time>. What it shows may be out of date.</p>'
)


@lru_cache(maxsize=64)
def add_notice(edition: Edition, as_of: datetime) -> Edition:
    """`edition` saying that nothing newer than `as_of` (aware UTC) is known; itself when it is no whole page."""
    body = edition.bodies["identity"]
    if MARK not in body:
        return edition
    notice = TEXT.format(iso=f"{as_of:%Y-%m-%dT%H:%M:%SZ}", words=f"{as_of:%-d %B %Y, %H:%M} UTC")
    body = body.replace(MARK, MARK + notice.encode(), 1)
    return replace(edition, bodies=compress(body), tag=sha256(body).hexdigest()[:20])


def minute_before(age_seconds: int) -> datetime:
    """When something that is `age_seconds` old was true, cut to the minute."""
    return (datetime.now(UTC) - timedelta(seconds=age_seconds)).replace(second=0, microsecond=0)
