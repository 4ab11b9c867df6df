"""Finds sentences in code that people read and that are not marked for translation.

What people read is known by where it stands: the label of a field or of a choice, the title that a view hands to its
template, the text of a ValidationError, a flash message. What engineers read (logs, other exceptions, the output of
commands) stands elsewhere and is not looked at. What is stored when it happens, for all who read it later, is English
too: why a delivery failed, what a watcher found, the audit log.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from catalogue.extraction import ROOT, list_sources

SHOWN = frozenset(
    {"label", "help_text", "verbose_name", "verbose_name_plural", "short_description", "empty_label", "aria-label"}
)
"""Arguments, attributes and items that a screen prints or reads out."""
REFUSALS = frozenset({"ValidationError", "add_error"})
FLASHES = frozenset({"debug", "info", "success", "warning", "error", "add_message"})
"""Functions of `django.contrib.messages`."""
CHOICES = ("TextChoices", "IntegerChoices")
PROGRAMS = ("public/subscribe_api.py",)
"""Answers programs, in English."""


def find_unmarked_code(root: Path = ROOT, left_out: tuple[str, ...] = PROGRAMS) -> Iterator[str]:
    for path in list_sources(root):
        place = str(path.relative_to(root))
        for line, words in [] if place.startswith(left_out) else read_unmarked_code(path.read_text()):
            yield f"{place}:{line}: not marked for translation: “{words}”"


def read_unmarked_code(source: str) -> list[tuple[int, str]]:
    """(line, words) of each sentence that is shown as it stands."""
    nodes = list(ast.walk(ast.parse(source)))
    found = {words for node in nodes for value in _list_said(node) for words in _list_sentences(value, at_least=2)}
    found |= {words for node in nodes for value in _list_shown(node) for words in _list_sentences(value, at_least=1)}
    names = {node.name for node in nodes if isinstance(node, ast.ClassDef) and _is_channel(node)}
    return sorted((line, words) for line, words in found if words not in names)


def _is_channel(node: ast.ClassDef) -> bool:
    """A channel whose label is the name of its class is named after a product, whose name is the same in every language."""
    return any(ast.unparse(base) == "Channel" for base in node.bases)


def _list_said(node: ast.AST) -> Iterator[ast.expr]:
    """Whole sentences, and names of fields beside them."""
    if isinstance(node, ast.Call) and (_is_refusal(node) or _is_flash(node)):
        yield from node.args


def _list_shown(node: ast.AST) -> Iterator[ast.expr]:
    """Words for people, and be it a single one."""
    if isinstance(node, ast.Call):
        yield from (keyword.value for keyword in node.keywords if keyword.arg in SHOWN)
    elif isinstance(node, ast.Assign):
        if {_name(target) for target in node.targets} & SHOWN:
            yield node.value
    elif isinstance(node, ast.Dict):
        keys = (key.value if isinstance(key, ast.Constant) else None for key in node.keys)
        yield from (value for key, value in zip(keys, node.values, strict=True) if key == "title")
    elif isinstance(node, ast.ClassDef) and any(ast.unparse(base).endswith(CHOICES) for base in node.bases):
        members = (statement.value for statement in node.body if isinstance(statement, ast.Assign))
        yield from (each.elts[1] for each in members if isinstance(each, ast.Tuple) and len(each.elts) == 2)


def _name(target: ast.expr) -> str:
    """Of the variable, attribute or item that is assigned to."""
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        return str(target.slice.value)
    return target.id if isinstance(target, ast.Name) else getattr(target, "attr", "")


def _is_refusal(call: ast.Call) -> bool:
    return getattr(call.func, "id", getattr(call.func, "attr", "")) in REFUSALS


def _is_flash(call: ast.Call) -> bool:
    function = call.func
    return (
        isinstance(function, ast.Attribute) and function.attr in FLASHES and ast.unparse(function.value) == "messages"
    )


def _list_sentences(value: ast.expr, *, at_least: int) -> Iterator[tuple[int, str]]:
    """Literal sentences of so many words; those inside another call are that call's matter: `gettext` marks what it is
    given."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        if len(value.value.split()) >= at_least:
            yield value.lineno, value.value
    elif isinstance(value, ast.JoinedStr):
        words = "".join(str(part.value) if isinstance(part, ast.Constant) else "…" for part in value.values)
        if any(character.isalpha() for character in words):
            yield value.lineno, words
    elif isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mod):
        yield from _list_sentences(value.left, at_least=at_least)
    elif isinstance(value, ast.BinOp | ast.IfExp | ast.List | ast.Tuple | ast.Dict):
        for part in ast.iter_child_nodes(value):
            if isinstance(part, ast.expr):
                yield from _list_sentences(part, at_least=at_least)
