"""The languages of the public pages, and the prefix of an address that names one: /de/history is in German, /history in the
page's own language. Where there is no second language, no address has a prefix.
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
    """The language that an address's path names."""
    first = path.lstrip("/").partition("/")[0]
    return first if first in prefixed_languages() else own_language()


def prefix_of(language: str) -> str:
    """ "/de", or "" for the page's own language."""
    return "" if language == own_language() else f"/{language}"


def active_language() -> str:
    """The language of translations at this moment; the page's own where translation is switched off, as in commands."""
    return translation.get_language() or own_language()


def other_language() -> str:
    """The active language; "" for the page's own, which may be another one some day."""
    language = active_language()
    return "" if language == own_language() else language


def served_language(stored: str) -> str:
    """A language that was stored, or the page's own where it is served no more."""
    return stored if stored in prefixed_languages() else own_language()


def local(path: str) -> str:
    """The path of a public page in the language that is active: "/history" is "/de/history" on German pages."""
    return prefix_of(active_language()) + path


def href(path: str) -> str:
    """The same for a link or a redirect, which begins with the deployment's sub-path."""
    return sub_path() + local(path)


def use_language_of_address(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Middleware. The address alone decides on the language, not the visitor, so any cache may keep the answer.

    Staff's screens, which nothing keeps, follow the browser.
    """

    def answer(request: HttpRequest) -> HttpResponse:
        is_for_staff = request.path_info.startswith(STAFF_PATHS)
        language = get_language_from_request(request) if is_for_staff else language_of(request.path_info)
        with translation.override(language):
            return get_response(request)

    return answer
