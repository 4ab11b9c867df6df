"""What a requested address means: which document, and which of its parameters count."""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from django.core.exceptions import BadRequest
from django.http import QueryDict
from django.urls import Resolver404, resolve

from public.serving.params import Param, read_params


class Target(NamedTuple):
    """What chooses a document: the page, whether it came by https, and the address in its one spelling."""

    page_id: int
    secure: bool
    path: str
    query: str
    """Only parameters that the document knows, in order: "" for most."""


@lru_cache(maxsize=1024)
def find_params(path: str) -> Mapping[str, Param] | None:
    """The query parameters of the document published at `path`; None when none is."""
    try:
        view = resolve(path).func
    except Resolver404:
        return None
    params: Mapping[str, Param] | None = getattr(view, "params", None)
    return params


@lru_cache(maxsize=1024)
def canonical_query(query: str, params: tuple[tuple[str, Param], ...]) -> str | None:
    """`query` with nothing but what counts, so that made-up parameters make no new document; None for a wrong one."""
    try:
        known = read_params(QueryDict(query), dict(params))
    except BadRequest:
        return None
    return "&".join(f"{name}={value}" for name, value in sorted(known.items()) if value is not None)
