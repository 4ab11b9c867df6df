"""One word has one meaning: STYLE's rules that a machine can keep."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = (
    "api", "canary", "components", "core", "delivery", "incidents", "intake", "pages", "public", "staff", "statuspage",
    "subscribers",
)  # fmt: skip
# What people read says the left one as the right one.
PLAIN = {
    r"planned (work|maintenance)": "maintenance",
    r"\blanes?\b": "queue",
}
# Django finds these by their names.
GIVEN_NAMES = {"Command", "Meta", "Options"}


def sources() -> list[Path]:
    return [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py")) if "migrations" not in path.parts]


def texts() -> list[Path]:
    found = [path for kind in ("*.html", "*.txt") for path in sorted((ROOT / "templates").rglob(kind))]
    return [*found, *sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]


@pytest.mark.parametrize(("word", "instead"), PLAIN.items())
def test_no_other_word_for_the_same_thing(word: str, instead: str) -> None:
    known = re.compile(word, re.IGNORECASE)
    found = [path.relative_to(ROOT) for path in [*sources(), *texts()] if known.search(path.read_text())]
    assert not found, f"say “{instead}”"


def test_no_class_name_stands_for_two_things() -> None:
    where: dict[str, list[str]] = defaultdict(list)
    for path in sources():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef) and node.name not in GIVEN_NAMES:
                where[node.name].append(str(path.relative_to(ROOT)))
    assert {name: paths for name, paths in where.items() if len(paths) > 1} == {}
