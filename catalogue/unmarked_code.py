"""Finds sentences in code that people read and that are not marked for translation.

What people read is known by where it stands: the label of a field, the text of a ValidationError, a flash message. What
engineers read (logs, other exceptions, the output of commands) stands elsewhere and is not looked at.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from catalogue.extraction import ROOT, list_sources

SHOWN = frozenset({"label", "help_text", "verbose_name", "verbose_name_plural", "short_description", "empty_label"})
"""Arguments and attributes that a screen prints."""
REFUSALS = frozenset({"ValidationError", "add_error"})
FLASHES = frozenset({"debug", "info", "success", "warning", "error", "add_message"})
"""Functions of `django.contrib.messages`."""

NOT_YET = (
    "canary/", "components/", "core/local_time.py", "core/text.py", "delivery/", "incidents/models.py", "incidents/phases.py",
    "incidents/templates_and_drafts.py", "incidents/updates.py", "intake/", "pages/", "subscribers/",
)  # fmt: skip
"""What is not marked yet, as beginnings of paths."""
PROGRAMS = ("public/subscribe_api.py",)
"""Answers programs, in English."""


def find_unmarked_code(root: Path = ROOT, left_out: tuple[str, ...] = NOT_YET + PROGRAMS) -> Iterator[str]:
    for path in list_sources(root):
        place = str(path.relative_to(root))
        for line, words in [] if place.startswith(left_out) else read_unmarked_code(path.read_text()):
            yield f"{place}:{line}: not marked for translation: “{words}”"


def read_unmarked_code(source: str) -> list[tuple[int, str]]:
    """(line, words) of each sentence that is shown as it stands."""
    shown = (value for node in ast.walk(ast.parse(source)) for value in _list_shown(node))
    return sorted({found for value in shown for found in _list_sentences(value)})


def _list_shown(node: ast.AST) -> Iterator[ast.expr]:
    if isinstance(node, ast.Call):
        yield from (keyword.value for keyword in node.keywords if keyword.arg in SHOWN)
        if _is_refusal(node) or _is_flash(node):
            yield from node.args
    elif isinstance(node, ast.Assign):
        names = {target.id if isinstance(target, ast.Name) else getattr(target, "attr", "") for target in node.targets}
        if names & SHOWN:
            yield node.value


def _is_refusal(call: ast.Call) -> bool:
    return getattr(call.func, "id", getattr(call.func, "attr", "")) in REFUSALS


def _is_flash(call: ast.Call) -> bool:
    function = call.func
    return (
        isinstance(function, ast.Attribute) and function.attr in FLASHES and ast.unparse(function.value) == "messages"
    )


def _list_sentences(value: ast.expr) -> Iterator[tuple[int, str]]:
    """Literal sentences; those inside another call are that call's matter: `gettext` marks what it is given."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str) and " " in value.value:
        yield value.lineno, value.value
    elif isinstance(value, ast.JoinedStr):
        words = "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in value.values)
        if any(character.isalpha() for character in words):
            yield value.lineno, words
    elif isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mod):
        yield from _list_sentences(value.left)
    elif isinstance(value, ast.BinOp | ast.IfExp | ast.List | ast.Tuple | ast.Dict):
        for part in ast.iter_child_nodes(value):
            if isinstance(part, ast.expr):
                yield from _list_sentences(part)
