"""Finds the document at an address, and the query parameters that it reads."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlencode

from django.core.exceptions import BadRequest
from django.http import QueryDict
from django.urls import Resolver404, resolve

from public.serving.document_bytes import Key
from public.serving.params import Param, read_params


class Target(NamedTuple):
    """The request that renders a document, and the document's key in the cache."""

    key: Key
    secure: bool
    """Whether the request came by https."""
    path: str
    query: str
    """Only parameters that the document reads, sorted; "" for most documents."""

    @property
    def page_id(self) -> int:
        page_id: int = self.key[0]
        return page_id

    @property
    def varies(self) -> bool:
        """Whether the address has a part or a parameter that a visitor can choose."""
        return any(value is not None for _name, value in self.key[2:])


class Published(NamedTuple):
    """A document's address without the query."""

    route: str
    parts: Mapping[str, Any]
    params: Mapping[str, Param]


def name_document(route: str, parts: Mapping[str, Any]) -> Key:
    """The key of a document without the page; the same for all spellings of an address: /history/2026-11 and
    /history/02026-011 are one document."""
    return (route, *sorted(parts.items(), key=str))


@lru_cache(maxsize=1024)
def find_published(path: str) -> Published | None:
    """None when no document is published at `path`."""
    try:
        match = resolve(path)
    except Resolver404:
        return None
    params: Mapping[str, Param] | None = getattr(match.func, "params", None)
    return None if params is None else Published(match.route, match.kwargs, params)


@lru_cache(maxsize=1024)
def find_document(path: str, query: str) -> tuple[Key, str] | None:
    """The name of the document at this address, without the page, and its query with only the parameters that it reads, so
    that invented parameters make no new document. None if there is no document, or for a wrong parameter."""
    published = find_published(path)
    if published is None:
        return None
    try:
        known = read_params(QueryDict(query), published.params)
    except BadRequest:
        return None
    spelled = urlencode([(name, value) for name, value in sorted(known.items()) if value is not None])
    return name_document(published.route, {**published.parts, **known}), spelled
