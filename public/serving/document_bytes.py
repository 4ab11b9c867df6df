"""A public document as bytes: what its function returns (`Rendered`), and the `Edition` made from it."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import brotli

from public.serving.negotiation import choose_encoding, has_tag

CACHE_CONTROL = "public, max-age=10, s-maxage=15, stale-while-revalidate=60, stale-if-error=86400"
# For documents that scripts poll. If a browser could keep one, or use it while it revalidates, each poll would get the
# previous answer. A poll costs a 304.
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
    """How many documents of this route and page stay in memory, the last ones used; None for no limit of their own. For
    documents with text of a stranger in their address."""


@dataclass(frozen=True, eq=False)
class Edition:
    """One finished document, compared by identity.

    `headers` are the same for every encoding, `bodies` are by encoding, and `version` is that of the rendered snapshot.
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
    """Seconds for which no newer edition could be made; None when this one is current."""

    def choose(self, accept_encoding: str, if_none_match: str) -> tuple[str, bool]:
        """The encoding for a client with these headers, and whether it has the bytes already."""
        encoding = choose_encoding(accept_encoding)
        encoding = encoding if encoding in self.bodies else "identity"
        return encoding, self.status == 200 and bool(if_none_match) and has_tag(if_none_match, self.etag(encoding))

    def compose_headers(self, encoding: str, *, is_known: bool) -> dict[str, str]:
        """The headers of the answer in `encoding`, or of the 304 to a client that has it."""
        rest = dict(self.headers)
        composed = {"Content-Type": rest.pop("Content-Type"), "Content-Length": str(len(self.bodies[encoding]))}
        if encoding != "identity":
            composed["Content-Encoding"] = encoding
        return ({} if is_known else composed) | rest | {"ETag": self.etag(encoding)}

    def etag(self, encoding: str) -> str:
        """A strong ETag, which differs between encodings because their bytes do."""
        return f'"{self.tag}"' if encoding == "identity" else f'"{self.tag}-{encoding}"'

    @property
    def size(self) -> int:
        """Bytes of all its bodies."""
        return sum(map(len, self.bodies.values()))


def finish(rendered: Rendered, version: Version) -> Edition:
    """Make an edition: encode, compress and tag."""
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
    """`body` by encoding; only uncompressed where compression would gain nothing."""
    if len(body) < SMALLEST_COMPRESSED:
        return {"identity": body}
    return {"identity": body, "gzip": gzip.compress(body, mtime=0), "br": brotli.compress(body, quality=9)}
