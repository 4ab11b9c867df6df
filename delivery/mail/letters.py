"""Letters to people who are no subscribers. What one says is decided by the app that sends it, when it is sent.

Their links are made then, too, and stored nowhere.
"""

from __future__ import annotations

from collections.abc import Callable

from pages.models import Page
from subscribers.letters import Letter

WriteLetter = Callable[[Page, str], Letter | None]
"""Given the page and the address, the letter; None when it is not to be sent any more."""
_writers: dict[str, WriteLetter] = {}


def writes(kind: str) -> Callable[[WriteLetter], WriteLetter]:
    """Register who writes the letters of one kind (`Notice.letter`). Call it as the app gets ready."""

    def register(write: WriteLetter) -> WriteLetter:
        _writers[kind] = write
        return write

    return register


def write_letter(kind: str, page: Page, address: str) -> Letter | None:
    """None also for a kind that nobody writes any more."""
    write = _writers.get(kind)
    return write(page, address) if write else None
