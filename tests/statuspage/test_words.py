"""One word has one meaning: STYLE's rules that a machine can keep."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
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
    # Pictures of a thing, which say less than its name in the field.
    r"\b(door)?bells?\b": "wake a worker",
    r"\bpatien(ce|tly)\b": "timeout, grace period, or retry",
    r"\b(shelf|shelves|keeper|inventory)\b": "cache, or the name of what is kept",
    r"\b(unheard|un-?told)\b": "not expanded, or not sent",
    r"\bhangs? up\b": "close the connection",
    r"\bcalled off\b": "cancelled",
    r"\bherds?\b": "many at once",
}
IS_TYPE = re.compile(r"[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*")
# Django finds these by their names.
GIVEN_NAMES = {"Command", "Meta", "Options"}
# A class inside a model names the choices of its column; it is read as Delivery.State or Subscriber.State.
CHOICES = {"State", "Outcome"}
# The same in every app: a Django view.
SHARED_ALIASES = {"View"}


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


def names_of_types(tree: ast.Module) -> Iterator[str]:
    """Classes, also inside classes, and aliases of types such as `Key = tuple[str, int]`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            yield node.name
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, (ast.Subscript, ast.BinOp)):
            yield from (each.id for each in node.targets if isinstance(each, ast.Name) and IS_TYPE.fullmatch(each.id))


def test_no_name_of_a_type_stands_for_two_things() -> None:
    where: dict[str, list[str]] = defaultdict(list)
    for path in sources():
        for name in names_of_types(ast.parse(path.read_text())):
            if name not in GIVEN_NAMES | CHOICES | SHARED_ALIASES:
                where[name].append(str(path.relative_to(ROOT)))
    assert {name: paths for name, paths in where.items() if len(paths) > 1} == {}


# Each of them has one subject that several apps or rooms have a part of, such as the models of an app.
SHARED_MODULES = {
    "__init__", "admin", "apps", "checks", "models", "tasks", "urls", "views",  # Django's
    "canary", "components", "page", "people", "subscribers", "look",  # staff's screens of them, and the documents
    "demo", "export", "reconcile", "up",  # commands and what they call
    "effects", "forgetting", "health", "letters", "metrics", "notices", "overview", "pauses", "posting", "receipts",
}  # fmt: skip


def test_no_module_name_stands_for_two_subjects() -> None:
    where: dict[str, list[str]] = defaultdict(list)
    for path in sources():
        where[path.stem].append(str(path.relative_to(ROOT)))
    shared = {name for name, paths in where.items() if len(paths) > 1}
    assert shared <= SHARED_MODULES, "give the new module a name that says its own subject"
