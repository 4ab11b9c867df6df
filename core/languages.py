"""The languages of the public pages, and their prefixes in addresses: /de/history is in German, /history in the page's own
language. With one language only, no address has a prefix.
"""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.translation import get_language_from_request

from core.sub_path import sub_path

STAFF_PATHS = ("/staff/", "/admin/")


def own_language() -> str:
    """The language of pages whose address has no prefix."""
    return settings.LANGUAGE_CODE


def prefixed_languages() -> list[str]:
    """The languages that have a prefix: all but the page's own."""
    return [code for code, _ in settings.LANGUAGES if code != own_language()]


def language_of(path: str) -> str:
    """The language of the prefix in an address's path."""
    first = path.lstrip("/").partition("/")[0]
    return first if first in prefixed_languages() else own_language()


def prefix_of(language: str) -> str:
    """ "/de", or "" for the page's own language."""
    return "" if language == own_language() else f"/{language}"


def active_language() -> str:
    """The language of translations now; the page's own where translation is switched off, as in commands."""
    return translation.get_language() or own_language()


def other_language() -> str:
    """The active language in the form in which it is stored: "" for the page's own, which staff may change later."""
    language = active_language()
    return "" if language == own_language() else language


def served_language(stored: str) -> str:
    """A stored language; the page's own for "" and for a language that is no longer served."""
    return stored if stored in prefixed_languages() else own_language()


def local(path: str) -> str:
    """The path with the prefix of the active language: "/history" is "/de/history" on German pages."""
    return prefix_of(active_language()) + path


def href(path: str) -> str:
    """The same for a link or a redirect, which begins with the deployment's sub-path."""
    return sub_path() + local(path)


def use_language_of_address(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware. The address decides the language, not the visitor, so that caches may keep the answer.

    Staff screens are never cached and use the browser's language.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        is_for_staff = request.path_info.startswith(STAFF_PATHS)
        language = get_language_from_request(request) if is_for_staff else language_of(request.path_info)
        with translation.override(language):
            return get_response(request)

    return answer
