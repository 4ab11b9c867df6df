"""Finds what a template says to people without marking it for translation.

A template is read by Django's own lexer. What is marked, and what variables print, counts as said; of the rest, a
parser of HTML finds the words that people see or hear.
"""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

from django.template.base import Lexer, Token, TokenType

from catalogue.extraction import ROOT, list_templates

SPOKEN = frozenset({"title", "aria-label", "alt", "placeholder"})
"""Attributes that are shown or read out."""
SILENT = frozenset({"script", "style"})
PAIRS = {"comment": "endcomment", "blocktranslate": "endblocktranslate", "blocktrans": "endblocktrans"}
NAMES = re.compile(r"\bUTC\b|^S$")
"""The same in every language: a time zone, the letter in the product's mark."""
CLASS_BLOCK = ["block", "bodyclass"]
"""Holds names of CSS classes, not words."""
SAID = "\ue000"
"""Stands where something marked or variable is printed: a character of nobody's language."""
TAG = "span"
"""Stands for a variable that is the name of an element."""


def find_unmarked(root: Path = ROOT) -> Iterator[str]:
    for path in list_templates(root):
        for line, words in read_unmarked(path.read_text(), is_markup=path.suffix != ".txt"):
            yield f"{path.relative_to(root)}:{line}: not marked for translation: “{words}”"


def read_unmarked(source: str, *, is_markup: bool = True) -> list[tuple[int, str]]:
    """(line, words) of each unmarked piece of a template."""
    visible = "".join(_print(Lexer(source).tokenize()))
    if not is_markup:
        return [(number, show(line)) for number, line in enumerate(visible.split("\n"), 1) if has_words(line)]
    reader = _Reader()
    reader.feed(visible)
    reader.close()
    return reader.found


def _print(tokens: list[Token]) -> Iterator[str]:
    """The template with line ends where they were, and nothing of its tags and of what is marked."""
    inside = printed = ""
    for token in tokens:
        kind, text = token.token_type, token.contents
        name = text.split(maxsplit=1)[0] if kind == TokenType.BLOCK and text else ""
        if inside:
            if name == inside:
                inside = ""
            elif kind == TokenType.TEXT:
                yield "\n" * text.count("\n")
        elif kind == TokenType.TEXT:
            printed = text
            yield text
        elif name in PAIRS:
            inside = PAIRS[name]
        elif text.split() == CLASS_BLOCK:
            inside = "endblock"
        elif kind == TokenType.VAR or name in ("translate", "trans"):
            yield TAG if printed.endswith(("<", "</")) else SAID


def has_words(text: str) -> bool:
    """Not an address alone, such as the path that a page's template hands to its base, nor a name."""
    text = NAMES.sub("", text).strip()
    is_address = text.startswith("/") and " " not in text
    return not is_address and any(character.isalpha() for character in text)


def show(words: str) -> str:
    return words.replace(SAID, "…").strip()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[int, str]] = []
        self._silent: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in SILENT:
            self._silent.append(tag)
        spoken = SPOKEN | ({"content"} if ("name", "description") in attrs else set())
        for name, value in attrs:
            if name in spoken:
                self._note(value or "")

    def handle_endtag(self, tag: str) -> None:
        if self._silent and self._silent[-1] == tag:
            self._silent.pop()

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self._note(data)

    def _note(self, text: str) -> None:
        line = self.getpos()[0]
        for offset, words in enumerate(text.split("\n")):
            if has_words(words):
                self.found.append((line + offset, show(words)))
