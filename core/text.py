"""Cleans text before it is stored, and two model fields that do so.

A control character in a title breaks the RSS feed for every reader, and a surrogate or a NUL breaks the write to the
database. So forms and commands call `clean_text()`, and the model fields call it again before they write.
"""

import secrets
import string
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext

CODE_ALPHABET = string.ascii_lowercase + string.digits
CODE_LENGTH = 12
TITLE_LIMIT = 255
BODY_LIMIT = 25_000
# Combining marks in a row: no language has more (UAX #15), and putting them in order takes time that grows with their
# square: a megabyte of them would hold a process for hours.
MOST_MARKS = 30

# Bidirectional controls change the order of the text around them, on pages and in mail subjects.
BIDI_CONTROLS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u061c")
LINE_SEPARATORS = ("\r\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\u2029")


def new_code() -> str:
    """A public id: 12 characters of [a-z0-9], drawn from the system's random source."""
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))


def clean_text(value: str, *, limit: int = BODY_LIMIT, multiline: bool = True) -> str:
    """`value` in NFC, stripped, without control characters, surrogates, non-characters and bidirectional controls; "" if
    nothing visible remains.

    Line ends become "\\n"; with `multiline=False` every run of white space becomes one space.
    Raises ValidationError when the result is longer than `limit` characters.
    """
    for separator in LINE_SEPARATORS:
        value = value.replace(separator, "\n")
    value = "".join(_without_long_runs_of_marks(filter(_is_allowed, value)))
    value = unicodedata.normalize("NFC", value)
    value = value.strip() if multiline else " ".join(value.split())
    if all(unicodedata.category(character)[0] in "CZ" for character in value):
        return ""  # a title of zero-width characters would be invisible
    if len(value) > limit:
        raise ValidationError(
            gettext("Shorten this to %(limit)s characters (it has %(length)s).")
            % {"limit": limit, "length": len(value)},
            code="too_long",
        )
    return value


def _without_long_runs_of_marks(characters: Iterable[str]) -> Iterator[str]:
    """Counted as they are when taken apart, so that putting them together again leaves no more."""
    marks = 0
    for character in characters:
        parts = len(unicodedata.normalize("NFD", character))
        is_mark = unicodedata.combining(character) > 0
        marks = marks + parts if is_mark else parts - 1
        if marks <= MOST_MARKS or not is_mark:
            yield character


def _is_allowed(character: str) -> bool:
    if character in "\n\t":
        return True
    if character in BIDI_CONTROLS or ord(character) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(character) <= 0xFDEF:
        return False
    return unicodedata.category(character) not in ("Cc", "Cs")


class TitleField(models.CharField):  # type: ignore[type-arg]
    """One line of clean text, at most 255 characters unless `max_length` says otherwise."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", TITLE_LIMIT)
        super().__init__(*args, **kwargs)

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        if isinstance(value, str):
            return clean_text(value, limit=self.max_length or TITLE_LIMIT, multiline=False)
        return value

    def get_prep_value(self, value: Any) -> Any:
        return super().get_prep_value(self.to_python(value))


class BodyField(models.TextField):  # type: ignore[type-arg]
    """Many lines of clean text, at most 25,000 characters."""

    def to_python(self, value: Any) -> Any:
        value = super().to_python(value)
        return clean_text(value) if isinstance(value, str) else value

    def get_prep_value(self, value: Any) -> Any:
        return super().get_prep_value(self.to_python(value))
