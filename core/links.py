"""Checks addresses that public pages link to."""

from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

LONGEST_LINK = 500


def validate_link(url: str) -> None:
    """Raises ValidationError unless it is http(s) with a host or mailto with an address, so that no browser runs it."""
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
        is_mail = parts.scheme == "mailto" and "@" in parts.path
    except ValueError:
        is_web = is_mail = False
    if not (is_web or is_mail) or not url.isprintable() or " " in url or "\\" in url or len(url) > LONGEST_LINK:
        raise ValidationError(
            _("Write an address that begins with https://, http:// or mailto:, such as https://example.com/help."),
            code="link",
        )
