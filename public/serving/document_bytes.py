"""A public document as bytes: what its function returns, and the edition that is made of it once."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import brotli

from public.serving.negotiation import choose_encoding, has_tag

CACHE_CONTROL = "public, max-age=10, s-maxage=15, stale-while-revalidate=60, stale-if-error=86400"
# For documents that scripts poll. A browser that may keep one, or use it stale while it asks, gives each poll the answer of
# the one before; asking costs a 304.
POLLED = {"Cache-Control": "public, max-age=0, s-maxage=15, stale-if-error=86400"}
ALREADY_COMPRESSED = ("image/png",)
SMALLEST_COMPRESSED = 256  # bytes; a smaller body gains less than the headers cost

Key = tuple[Any, ...]
"""The name of a document: the page's id, then what its address says."""
Version = tuple[int, str]
"""Generation of the page, and when the snapshot was built."""


@dataclass(frozen=True)
class Rendered:
    """What a document's function returns. `headers` are added to, and win over, the ones the edition sets."""

    body: str | bytes
    content_type: str = "text/html; charset=utf-8"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    most_kept: int | None = None
    """So many documents of this route and page stay in memory, the last ones used; None for as many as there is room for.
    For documents whose address holds what a stranger typed."""


@dataclass(frozen=True, eq=False)
class Edition:
    """One finished document, compared by identity.

    `headers` are the same whatever is asked for; `bodies` by encoding; `version` is that of the snapshot it was rendered
    from.
    """

    version: Version
    status: int
    headers: Mapping[str, str]
    bodies: Mapping[str, bytes]
    tag: str
    made_at: float
    most_kept: int | None = None
    """As in Rendered."""
    age: int | None = None
    """Seconds for which nothing newer could be had; None when all is well."""

    def choose(self, accept_encoding: str, if_none_match: str) -> tuple[str, bool]:
        """The encoding for a client that takes these, and whether it has these bytes already."""
        encoding = choose_encoding(accept_encoding)
        encoding = encoding if encoding in self.bodies else "identity"
        return encoding, self.status == 200 and bool(if_none_match) and has_tag(if_none_match, self.etag(encoding))

    def compose_headers(self, encoding: str, *, is_known: bool) -> dict[str, str]:
        """Of the answer with the body in `encoding`, or of the 304 to a client that has it."""
        rest = dict(self.headers)
        composed = {"Content-Type": rest.pop("Content-Type"), "Content-Length": str(len(self.bodies[encoding]))}
        if encoding != "identity":
            composed["Content-Encoding"] = encoding
        return ({} if is_known else composed) | rest | {"ETag": self.etag(encoding)}

    def etag(self, encoding: str) -> str:
        """Strong, and different for each encoding, because the bytes are."""
        return f'"{self.tag}"' if encoding == "identity" else f'"{self.tag}-{encoding}"'

    @property
    def size(self) -> int:
        """Bytes of all its bodies."""
        return sum(map(len, self.bodies.values()))


def finish(rendered: Rendered, version: Version) -> Edition:
    """Encode, compress, tag."""
    body = rendered.body.encode() if isinstance(rendered.body, str) else rendered.body
    headers = {
        "Content-Type": rendered.content_type,
        "Cache-Control": CACHE_CONTROL,
        "Vary": "Accept-Encoding",
        # The canary reads it from outside, to see whether a document shows the page's present state (docs/canary.md).
        "X-Edition-Generation": str(version[0]),
    }
    return Edition(
        version=version,
        status=rendered.status,
        headers=headers | dict(rendered.headers),
        bodies={"identity": body} if rendered.content_type in ALREADY_COMPRESSED else compress(body),
        tag=hashlib.sha256(body).hexdigest()[:20],
        made_at=monotonic(),
        most_kept=rendered.most_kept,
    )


def compress(body: bytes) -> dict[str, bytes]:
    """`body` by encoding; only as it is, where compression would gain nothing."""
    if len(body) < SMALLEST_COMPRESSED:
        return {"identity": body}
    return {"identity": body, "gzip": gzip.compress(body, mtime=0), "br": brotli.compress(body, quality=9)}
