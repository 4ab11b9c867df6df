"""The query parameters of a public document: which are read, ignored or refused."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from django.core.exceptions import BadRequest
from django.http import QueryDict


class Param(NamedTuple):
    """A parameter that a document reads, and the pattern that its value must match."""

    pattern: str
    wanted: str = ""
    """What the value must be, such as "a whole number", for the error about another value; "" ignores other values."""


def read_params(given: QueryDict, params: Mapping[str, Param]) -> dict[str, str | None]:
    """The query parameters that a document reads; None for one that is absent or ignored.

    Raises BadRequest, which says what would be right, for a wrong value that is not ignored.
    """
    values: dict[str, str | None] = {}
    for name, param in params.items():
        value = given.get(name, "")
        values[name] = value if re.fullmatch(param.pattern, value) else None
        if value and values[name] is None and param.wanted:
            raise BadRequest(f"“{name}” must be {param.wanted}.")
    return values
