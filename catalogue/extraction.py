"""Finds every sentence that is marked for translation."""

import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS
from babel.messages.extract import extract as extract_messages
from babel.messages.frontend import parse_keywords
from django.utils.translation.template import templatize

ROOT = Path(__file__).resolve().parent.parent
ROOMS = (
    "core", "pages", "components", "subscribers", "delivery", "incidents", "canary", "intake", "api", "staff", "public",
    "statuspage",
)  # fmt: skip
TEMPLATE_KINDS = (".html", ".txt", ".svg")
KEYWORDS = DEFAULT_KEYWORDS | parse_keywords(
    ["gettext_lazy", "gettext_noop", "ngettext_lazy:1,2", "pgettext_lazy:1c,2", "npgettext_lazy:1c,2,3"]
)
NOTE = "Translators:"
INDENT = re.compile(r"^[ \t]+", re.MULTILINE)


def list_templates(root: Path = ROOT) -> list[Path]:
    return sorted(path for path in (root / "templates").rglob("*") if path.suffix in TEMPLATE_KINDS)


def list_sources(root: Path = ROOT) -> list[Path]:
    found = (path for room in ROOMS for path in (root / room).rglob("*.py"))
    return sorted(path for path in found if "migrations" not in path.parts)


def extract(root: Path = ROOT) -> Catalog:
    """All sentences with the files they stand in. No line numbers, which change with every edit."""
    catalog = Catalog(
        project="statuspage", version="", msgid_bugs_address="", last_translator="", language_team="", fuzzy=False
    )
    for path in [*list_templates(root), *list_sources(root)]:
        for message, context, notes in _read(path):
            place = str(path.relative_to(root))
            # One place a file: sentences that stand twice in it are listed once.
            known = catalog.get(message, context)
            if known is None or (place, 0) not in known.locations:
                catalog.add(message, locations=[(place, 0)], auto_comments=notes, context=context)
    return catalog


def _read(path: Path) -> Iterator[tuple[str | tuple[str, ...], str | None, list[str]]]:
    """A sentence (or its forms), the context that tells it from an equal one, notes for translators."""
    text = path.read_text()
    if path.suffix != ".py":
        # What Django makes of a template is Python only in that marked sentences are calls: its indents mean nothing.
        text = INDENT.sub("", templatize(text, origin=str(path)))
    for _, message, notes, context in extract_messages("python", BytesIO(text.encode()), KEYWORDS, [NOTE]):
        yield message, context, notes
