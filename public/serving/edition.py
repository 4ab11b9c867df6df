"""The edition: every public document, rendered once per change and then answered from this process's memory.

A public document is a function from the page's snapshot (public/snapshot.py) and the address's own parts to a
`Rendered`. It never sees the request, so nothing in it can depend on the visitor:

    @published
    def incident(snapshot: Snapshot, code: str) -> Rendered:
        return Rendered(render_to_string("public/incident.html", {...}))

    @published(cors=True)                      # other origins' scripts may read it
    def summary(snapshot: Snapshot) -> Rendered:
        return Rendered(json.dumps(...), content_type="application/json; charset=utf-8")

    @published(params={"page": r"[1-9]\\d{0,3}"})  # /history.json?page=2 calls it with page="2", else with page=None
    def history(snapshot: Snapshot, page: str | None) -> Rendered: ...

    urlpatterns = [path("incidents/<slug:code>", incident, name="incident")]

`published` makes a Django view of it that answers GET and HEAD (OPTIONS too with `cors`; 405 for the rest),
chooses the page by host, ignores every other query parameter, compresses, tags, answers 304, and sets the
headers that let browsers and CDNs keep it. Raise Http404 in a document for what does not exist.

public/serving/render_cache.py renders and keeps editions. When no newer one can be made, the old one is served, and
`X-Edition-Age` says for how many seconds that has been so. In front of these views public/serving/fast_path.py answers
finished documents without Django.
"""

import logging
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, overload

from csp.utils import build_policy
from django.core.exceptions import BadRequest
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.template.loader import render_to_string

from public.serving.document_addresses import name_document
from public.serving.document_bytes import POLLED, Edition, Key, Rendered
from public.serving.errors import json_error, wants_json
from public.serving.params import Param, read_params
from public.serving.render_cache import Editions, UnknownHostError, editions

__all__ = [
    "POLLED",
    "Document",
    "Editions",
    "Param",
    "Rendered",
    "UnknownHostError",
    "View",
    "editions",
    "published",
    "unavailable",
]

log = logging.getLogger(__name__)


Document = Callable[..., Rendered]
View = Callable[..., HttpResponse]


class DocumentResponse(HttpResponse):
    """An answer made of a finished document. The fast path reads `key` and `edition`."""

    def __init__(self, request: HttpRequest, key: Key, edition: Edition) -> None:
        self.key, self.edition = key, edition
        asked = request.headers
        encoding, is_known = edition.choose(asked.get("Accept-Encoding", ""), asked.get("If-None-Match", ""))
        super().__init__(
            b"" if is_known or request.method == "HEAD" else edition.bodies[encoding],
            status=304 if is_known else edition.status,
            headers=edition.compose_headers(encoding, is_known=is_known),
        )
        if is_known:
            del self["Content-Type"]  # Django's own
        if edition.age is not None:
            self["X-Edition-Age"] = str(edition.age)


@overload
def published(document: Document, /) -> View: ...
@overload
def published(
    *, cors: bool = False, framed: bool = False, params: Mapping[str, Param] | None = None
) -> Callable[[Document], View]: ...
def published(
    document: Document | None = None,
    /,
    *,
    cors: bool = False,
    framed: bool = False,
    params: Mapping[str, Param] | None = None,
) -> View | Callable[[Document], View]:
    """Make a view of a document (see the top of this file).

    `cors`: scripts of any other site may read it, without credentials. `framed`: any site may show it in a frame.
    `params`: query parameters it knows.
    """

    def decorate(document: Document) -> View:
        @wraps(document)
        def view(request: HttpRequest, **parts: Any) -> HttpResponse:
            if request.method not in ("GET", "HEAD"):
                return _answer_other_method(request, cors=cors)
            try:
                parts |= read_params(request.GET, params or {})
            except BadRequest as error:
                return _refuse(str(error), cors=cors)
            name = name_document(request.resolver_match.route if request.resolver_match else request.path_info, parts)
            try:
                key, edition = editions.fetch(request.get_host(), name, lambda snapshot: document(snapshot, **parts))
            except DatabaseError as error:
                log.error("the database does not answer and no edition is in memory: %s %s", request.path_info, error)
                return unavailable(request)
            return _allow(DocumentResponse(request, key, edition), cors=cors, framed=framed)

        # For public/serving/fast_path.py and the export; `params` marks it as published, too.
        view.params, view.document = dict(params or {}), document  # type: ignore[attr-defined]
        view.csrf_exempt = True  # type: ignore[attr-defined]  # nothing is changed here: another method gets its 405
        return view

    return decorate if document is None else decorate(document)


def _refuse(message: str, *, cors: bool) -> HttpResponse:
    response = json_error(400, message)
    response["Cache-Control"] = "public, max-age=10"
    return _allow(response, cors=cors, framed=False)


def _answer_other_method(request: HttpRequest, *, cors: bool) -> HttpResponse:
    if request.method != "OPTIONS" or not cors:
        response: HttpResponse = HttpResponseNotAllowed(["GET", "HEAD"])
        if wants_json(request):
            response = json_error(405, f"This can be read with GET, not {request.method}.")
            response["Allow"] = "GET, HEAD"
        return _allow(response, cors=cors, framed=False)
    response = HttpResponse(status=204)
    response["Access-Control-Allow-Methods"] = "GET, HEAD, OPTIONS"
    response["Access-Control-Allow-Headers"] = "*"
    response["Access-Control-Max-Age"] = "86400"
    return _allow(response, cors=True, framed=False)


def _allow(response: HttpResponse, *, cors: bool, framed: bool) -> HttpResponse:
    if cors:
        response["Access-Control-Allow-Origin"] = "*"
        response["Access-Control-Expose-Headers"] = "ETag, X-Edition-Age"
    if cors or framed:
        response["Cross-Origin-Resource-Policy"] = "cross-origin"
    if framed:
        response["Content-Security-Policy"] = build_policy(replace={"frame-ancestors": ["*"]})
        response.xframe_options_exempt = True  # an attribute that Django reads
    return response


def unavailable(request: HttpRequest) -> HttpResponse:
    """503 for a process that has no edition because the database is down, with the time after which to ask again."""
    response = (
        json_error(503, "The database does not answer. Please ask again in a few seconds.")
        if wants_json(request)
        else HttpResponse(render_to_string("503.html"), status=503)
    )
    response["Retry-After"] = "5"
    response["Cache-Control"] = "no-store"
    return response
