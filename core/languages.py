"""In which languages the public pages are served, and how an address says which: /de/history is in German, /history in
the page's own language. Where there is no second language, no address has a prefix.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation


def own_language() -> str:
    """Of pages without a prefix."""
    return settings.LANGUAGE_CODE


def prefixed_languages() -> list[str]:
    """Those that stand in front of an address: all but the page's own."""
    return [code for code, _ in settings.LANGUAGES if code != own_language()]


def language_of(path: str) -> str:
    """The language of an address's path."""
    first = path.lstrip("/").partition("/")[0]
    return first if first in prefixed_languages() else own_language()


def prefix_of(language: str) -> str:
    """ "/de", or "" for the page's own language."""
    return "" if language == own_language() else f"/{language}"


def active_language() -> str:
    """The one in which sentences are read now; where translating is switched off, as in commands, the page's own."""
    return translation.get_language() or own_language()


def local(path: str) -> str:
    """The address of a public page in the language that is active: "/history" is "/de/history" on German pages."""
    return prefix_of(active_language()) + path


def use_language_of_address(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware. Nothing of the visitor decides on the language, so that any cache may keep the answer."""

    def answer(request: HttpRequest) -> HttpResponse:
        with translation.override(language_of(request.path_info)):
            return get_response(request)

    return answer
