"""The edition: every public document, rendered once per change and then answered from this process's memory.

A public document is a function from the page's snapshot (public/snapshot.py) and the address's own parts to a
`Rendered`. It never sees the request, so nothing in it can depend on the visitor:

    @published
    def incident(snapshot: Data, code: str) -> Rendered:
        return Rendered(render_to_string("public/incident.html", {...}))

    @published(cors=True)                      # other origins' scripts may read it
    def summary(snapshot: Data) -> Rendered:
        return Rendered(json.dumps(...), content_type="application/json; charset=utf-8")

    @published(params={"page": r"[1-9]\\d{0,3}"})  # /history.json?page=2 calls it with page="2", else with page=None
    def history(snapshot: Data, page: str | None) -> Rendered: ...

    urlpatterns = [path("incidents/<slug:code>", incident, name="incident")]

`published` makes a Django view of it that answers GET and HEAD (OPTIONS too with `cors`; 405 for the rest),
chooses the page by host, ignores every other query parameter, compresses, tags, answers 304, and sets the
headers that let browsers and CDNs keep it. Raise Http404 in a document for what does not exist.

A document is rendered again after the page's generation rose or its snapshot ran out (`changes_at`), by one
thread while the others get the old one. When that fails, the old one is served, and `X-Edition-Age` says for how many
seconds nothing newer could be had.
"""

import gzip
import hashlib
import logging
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from time import monotonic
from typing import Any, overload

import brotli
from csp.utils import build_policy
from django.db import Error as DatabaseError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseNotModified
from django.template.loader import render_to_string
from django.utils import timezone

from pages.models import Page
from public.directory import Directory
from public.negotiation import choose_encoding, has_tag
from public.shelf import Edition, Key, Shelf, Version
from public.snapshot import Data, build

CACHE_CONTROL = "public, max-age=10, s-maxage=15, stale-while-revalidate=60, stale-if-error=86400"
# What scripts fetch again and again. A browser that may keep it, or use it stale while it asks, shows every
# poll the answer before; asking costs a 304.
POLLED = {"Cache-Control": "public, max-age=0, s-maxage=15, stale-if-error=86400"}
SMALLEST_PACKED = 256  # bytes; below it, headers weigh more than compression saves

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rendered:
    """What a document's function returns. `headers` are added to, and win over, the ones the edition sets."""

    body: str | bytes
    content_type: str = "text/html; charset=utf-8"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Served:
    edition: Edition
    age: int | None
    """Seconds for which nothing newer could be had; None when all is well."""


class UnknownHostError(Http404):
    """No page answers on this host name."""


class Editions:
    """Every page's snapshot and finished documents in this process."""

    def __init__(self) -> None:
        self._directory = Directory()
        self._snapshots: dict[int, Data] = {}
        self._shelf = Shelf()
        self._rendering = threading.Lock()
        self._renewing: set[Key] = set()
        self._choosing = threading.Lock()

    def forget(self) -> None:
        """Start empty, as a new process does."""
        self.__init__()  # type: ignore[misc]

    def is_ready(self) -> bool:
        """Whether documents can be served: the database was read, however long ago."""
        try:
            self._directory.listing()
        except DatabaseError:
            return False
        return True

    def is_empty(self) -> bool:
        """Whether there is no page at all yet; False when nobody knows."""
        try:
            return not self._directory.listing().hosts
        except DatabaseError:
            return False

    def load_snapshot(self, host: str) -> Data:
        """The public state of the page on `host`, for views that are not documents, such as a form.

        Raises UnknownHostError; django.db.Error when the database is down and nothing was read before.
        """
        page_id = self._page_for(host)
        if (snapshot := self._current_snapshot(page_id)) is not None:
            return snapshot
        with self._rendering:
            return self._renew_snapshot(page_id)

    def fetch(self, host: str, name: Key, render: Callable[[Data], Rendered]) -> Served:
        """The document called `name` of the page on `host`; `render` makes it when it must be made.

        Raises UnknownHostError, Http404 from `render`, and any other error when there is no older one to serve.
        """
        page_id = self._page_for(host)
        key = (page_id, *name)
        kept = self._shelf.get(key)
        age = self._directory.age()
        if kept is not None and (age is not None or self._is_current(page_id, kept)):
            return Served(kept, age)
        return self._renew(page_id, key, render, kept)

    def _page_for(self, host: str) -> int:
        page_id = self._directory.listing().page_for(host)
        if page_id is None:
            raise UnknownHostError("No status page answers on this host name.")
        return page_id

    def _is_current(self, page_id: int, edition: Edition) -> bool:
        snapshot = self._current_snapshot(page_id)
        return snapshot is not None and edition.version == version_of(snapshot)

    def _current_snapshot(self, page_id: int) -> Data | None:
        """None when it must be built: the generation rose, or time has made it untrue."""
        snapshot = self._snapshots.get(page_id)
        if snapshot is None or self._directory.age() is not None:
            return snapshot
        same = snapshot["page"]["generation"] == self._directory.listing().generations.get(page_id)
        return snapshot if same and timezone.now() < snapshot["changes_at"] else None

    def _renew_snapshot(self, page_id: int) -> Data:
        """Build the snapshot unless another thread just did. The caller holds `_rendering`."""
        if (snapshot := self._current_snapshot(page_id)) is not None:
            return snapshot
        try:
            snapshot = build(Page.objects.get(pk=page_id))
        except Page.DoesNotExist:
            raise UnknownHostError("This status page was removed.") from None
        self._snapshots[page_id] = snapshot
        return snapshot

    def _renew(self, page_id: int, key: Key, render: Callable[[Data], Rendered], kept: Edition | None) -> Served:
        """One thread waits for its turn to render, whatever else is being rendered; the others get the old one."""
        if kept is not None and not self._begin(key):
            return Served(kept, None)
        try:
            with self._rendering:
                return Served(self._render(page_id, key, render), self._directory.age())
        except Http404:
            self._shelf.drop(key)
            raise
        except Exception:
            if kept is None:
                raise
            log.exception("rendering failed, serving the last edition: %s", key)
            return Served(kept, int(monotonic() - kept.made_at))
        finally:
            if kept is not None:
                self._renewing.discard(key)

    def _begin(self, key: Key) -> bool:
        """False when another thread is renewing this document."""
        with self._choosing:
            if key in self._renewing:
                return False
            self._renewing.add(key)
            return True

    def _render(self, page_id: int, key: Key, render: Callable[[Data], Rendered]) -> Edition:
        snapshot = self._renew_snapshot(page_id)
        edition = self._shelf.get(key)
        if edition is not None and edition.version == version_of(snapshot):
            return edition  # another thread made it while this one waited
        edition = finish(render(snapshot), version_of(snapshot))
        self._shelf.put(key, edition)
        return edition


editions = Editions()


def version_of(snapshot: Data) -> Version:
    return snapshot["page"]["generation"], snapshot["built_at"].isoformat()


def finish(rendered: Rendered, version: Version) -> Edition:
    """Encode, compress, tag."""
    body = rendered.body.encode() if isinstance(rendered.body, str) else rendered.body
    packed = _pack(body) if len(body) >= SMALLEST_PACKED else {}
    headers = {"Content-Type": rendered.content_type, "Cache-Control": CACHE_CONTROL, "Vary": "Accept-Encoding"}
    return Edition(
        version=version,
        status=rendered.status,
        headers=headers | dict(rendered.headers),
        bodies={"identity": body} | packed,
        tag=hashlib.sha256(body).hexdigest()[:20],
        made_at=monotonic(),
    )


def _pack(body: bytes) -> dict[str, bytes]:
    return {"gzip": gzip.compress(body, mtime=0), "br": brotli.compress(body, quality=9)}


Document = Callable[..., Rendered]
View = Callable[..., HttpResponse]


@overload
def published(document: Document, /) -> View: ...
@overload
def published(
    *, cors: bool = False, framed: bool = False, params: Mapping[str, str] | None = None
) -> Callable[[Document], View]: ...
def published(
    document: Document | None = None,
    /,
    *,
    cors: bool = False,
    framed: bool = False,
    params: Mapping[str, str] | None = None,
) -> View | Callable[[Document], View]:
    """Make a view of a document (see the top of this file).

    `cors`: scripts of any other site may read it, without credentials. `framed`: any site may show it in a frame.
    `params`: query parameters it knows, each with the pattern that a value must match to count.
    """

    def decorate(document: Document) -> View:
        @wraps(document)
        def view(request: HttpRequest, **parts: Any) -> HttpResponse:
            if request.method not in ("GET", "HEAD"):
                return _answer_other_method(request, cors=cors)
            parts |= _read_params(request, params or {})
            name = _name(request, parts)
            try:
                served = editions.fetch(request.get_host(), name, lambda snapshot: document(snapshot, **parts))
            except DatabaseError as error:
                log.error("database down and nothing to serve: %s %s", request.path_info, error)
                return unavailable()
            return _allow(_answer(request, served), cors=cors, framed=framed)

        return view

    return decorate if document is None else decorate(document)


def _name(request: HttpRequest, parts: Mapping[str, Any]) -> Key:
    """One for all spellings of an address: /history/2026-11 and /history/02026-011 are one document."""
    match = request.resolver_match
    return (match.route if match else request.path_info, *sorted(parts.items(), key=str))


def _read_params(request: HttpRequest, patterns: Mapping[str, str]) -> dict[str, str | None]:
    given = {name: request.GET.get(name, "") for name in patterns}
    return {name: value if re.fullmatch(patterns[name], value) else None for name, value in given.items()}


def _answer(request: HttpRequest, served: Served) -> HttpResponse:
    edition = served.edition
    encoding = choose_encoding(request.headers.get("Accept-Encoding", ""))
    encoding = encoding if encoding in edition.bodies else "identity"
    body = edition.bodies[encoding]
    response: HttpResponse
    if edition.status == 200 and has_tag(request.headers.get("If-None-Match", ""), edition.etag(encoding)):
        response = HttpResponseNotModified()
    else:
        response = HttpResponse(b"" if request.method == "HEAD" else body, status=edition.status)
        response["Content-Length"] = str(len(body))
        if encoding != "identity":
            response["Content-Encoding"] = encoding
    for name, value in edition.headers.items():
        if response.status_code != 304 or name != "Content-Type":
            response[name] = value
    response["ETag"] = edition.etag(encoding)
    if served.age is not None:
        response["X-Edition-Age"] = str(served.age)
    return response


def _answer_other_method(request: HttpRequest, *, cors: bool) -> HttpResponse:
    if request.method != "OPTIONS" or not cors:
        return _allow(HttpResponseNotAllowed(["GET", "HEAD"]), cors=cors, framed=False)
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
        response.xframe_options_exempt = True  # Django's own mark
    return response


def unavailable() -> HttpResponse:
    """The database is down and this process has never read it: say so, and ask to come back."""
    response = HttpResponse(render_to_string("503.html"), status=503)
    response["Retry-After"] = "5"
    response["Cache-Control"] = "no-store"
    return response
