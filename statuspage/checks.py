"""System checks of settings that contradict each other, each with an id and a hint. `manage.py check` shows them."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register
from django.urls import URLPattern, URLResolver, get_resolver

LEAST_KEY_LENGTH = 50
LEAST_KEY_CHARACTERS = 5
LEAST_TOKEN_LENGTH = 20


@register(Tags.urls)
def check_sub_path(**kwargs: Any) -> list[CheckMessage]:
    """Behind a proxy that takes the sub-path off, /history/history and /history would be one address."""
    if not settings.SUB_PATH or settings.SUB_PATH.split("/")[1] not in list_first_words():
        return []
    return [
        Error(
            f"PUBLIC_URL ends in {settings.SUB_PATH}, and this product has addresses that begin so.",
            "Choose another path, such as https://example.com/status.",
            id="statuspage.E007",
        )
    ]


def list_first_words() -> set[str]:
    """What the addresses of this product begin with: "api", "history", "staff", "de" …"""
    return {str(pattern.pattern).partition("/")[0] for pattern in _walk(get_resolver().url_patterns)} | {"static"}


def _walk(patterns: list[URLPattern | URLResolver]) -> Iterator[URLPattern | URLResolver]:
    """The patterns that stand at the root: one that has no part of its own gives those below it."""
    for pattern in patterns:
        if isinstance(pattern, URLResolver) and not str(pattern.pattern):
            yield from _walk(pattern.url_patterns)
        else:
            yield pattern


@register(Tags.security)
def check_production(**kwargs: Any) -> list[CheckMessage]:
    """Errors in production, of which one is enough to keep every process from starting; empty outside production."""
    if not settings.PRODUCTION:
        return []
    key = settings.SECRET_KEY
    found = {
        "E001": settings.DEBUG,
        "E002": len(key) < LEAST_KEY_LENGTH or len(set(key)) < LEAST_KEY_CHARACTERS,
        "E003": not settings.ALLOWED_HOSTS,
        "E004": any("*" in host for host in settings.ALLOWED_HOSTS),
        "E005": urlsplit(settings.PUBLIC_URL).scheme != "https",
        "E006": 0 < len(settings.METRICS_TOKEN) < LEAST_TOKEN_LENGTH,
    }
    return [Error(*MESSAGES[number], id=f"statuspage.{number}") for number, present in found.items() if present]


MESSAGES = {
    "E001": ("DEBUG is on in production.", "Unset DEBUG: it shows settings and source to visitors."),
    "E002": (
        f"SECRET_KEY is empty or shorter than {LEAST_KEY_LENGTH} characters.",
        "Set SECRET_KEY or SECRET_KEY_FILE to a long random text and keep it.",
    ),
    "E003": ("ALLOWED_HOSTS is empty.", "Set PUBLIC_URL, and ALLOWED_HOSTS where pages have several host names."),
    "E004": ("ALLOWED_HOSTS holds a wildcard.", "Name each host; links and limits depend on it."),
    "E005": ("PUBLIC_URL is not an https address.", "Set PUBLIC_URL such as https://status.example.com."),
    "E006": (
        f"METRICS_TOKEN is shorter than {LEAST_TOKEN_LENGTH} characters.",
        "Set it to a random text of 20 characters or more, or leave it empty: then only staff read metrics.",
    ),
}
