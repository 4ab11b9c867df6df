"""The query parameters of a public document: which count, and which are refused."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from django.core.exceptions import BadRequest
from django.http import QueryDict


class Param(NamedTuple):
    """One that a document knows, and the pattern that a value must match to count."""

    pattern: str
    wanted: str = ""
    """What to say to other values, such as "a whole number"; empty: they are passed over."""


def read_params(given: QueryDict, params: Mapping[str, Param]) -> dict[str, str | None]:
    """The query parameters that a document knows; None for one that is absent or does not count.

    Raises BadRequest, with what would be right, for a value that must not be passed over.
    """
    values: dict[str, str | None] = {}
    for name, param in params.items():
        value = given.get(name, "")
        values[name] = value if re.fullmatch(param.pattern, value) else None
        if value and values[name] is None and param.wanted:
            raise BadRequest(f"“{name}” must be {param.wanted}.")
    return values
