"""The sub-path of a deployment: "/status" where PUBLIC_URL is https://example.com/status, "" where it has a host of its own.

A path inside the product ("/history", an incident's `path`, `local(…)`) is written without it. `page.url` ends in it, so
`page.url + path` is an address. What a browser gets without a host, in a link or a redirect, begins with it: `href(…)`.

Some proxies take it off before they pass a request on, others do not; a request is understood either way.
"""

from typing import Any

from django.conf import settings
from django.urls import get_script_prefix, reverse


def sub_path() -> str:
    """ "/status", or "" on a host of its own."""
    return settings.FORCE_SCRIPT_NAME or ""


def remove_sub_path(path: str) -> str:
    """The path inside the product: "/status/history" and "/history" are both "/history", "/status" is "/"."""
    prefix = sub_path()
    if prefix and (path == prefix or path.startswith(f"{prefix}/")):
        return path[len(prefix) :] or "/"
    return path


def add_sub_path(path: str) -> str:
    """What a request's path is for Django, whether a proxy took the sub-path off or not."""
    return sub_path() + remove_sub_path(path)


def path_of(view: str, **parts: Any) -> str:
    """The path of a view inside the product; Django's reverse() begins with the sub-path, but not in every thread."""
    return f"/{reverse(view, kwargs=parts).removeprefix(get_script_prefix())}"
