"""Letters to people who are not subscribers. The app that queues a letter registers the function that writes it.

The function is called when the letter is sent, so that links in it are made then and never stored.
"""

from __future__ import annotations

from collections.abc import Callable

from pages.models import Page
from subscribers.letters import Letter

WriteLetter = Callable[[Page, str], Letter | None]
"""Takes the page and the address; returns the letter, or None when it must not be sent any more."""
_writers: dict[str, WriteLetter] = {}


def writes(kind: str) -> Callable[[WriteLetter], WriteLetter]:
    """Register the decorated function for letters of one kind (`Notice.letter`). Its app imports it in `ready()`."""

    def register(write: WriteLetter) -> WriteLetter:
        _writers[kind] = write
        return write

    return register


def write_letter(kind: str, page: Page, address: str) -> Letter | None:
    """Write a letter; None when it must not be sent, or when no function is registered for its kind."""
    write = _writers.get(kind)
    return write(page, address) if write else None
