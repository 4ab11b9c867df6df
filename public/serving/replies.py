"""A finished document as HTTP answers: header block and body joined beforehand, for each encoding and for 304."""

from collections.abc import Mapping
from http import HTTPStatus
from time import monotonic

from public.serving.edition_cache import Edition
from public.serving.head import Essence
from public.serving.negotiation import choose_encoding, has_tag
from public.serving.params import Param

Headers = list[tuple[bytes, bytes]]

# What differs from one encoding to the next; the rest is as Django's middleware left it.
BODY_HEADERS = (b"content-type", b"content-length", b"content-encoding")


def status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""  # such as htmx's 286
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


class HttpReply:
    """One answer. `data` is the whole of it, as bytes for the wire, made anew when the Date header changes."""

    __slots__ = ("_block", "answers", "body", "data", "headers", "stamp", "status")

    def __init__(self, answers: "Answers", status: int, headers: Headers, body: bytes) -> None:
        self.answers = answers
        self.status = status
        self.headers = headers
        self.body = body
        self._block = _join(headers)
        self.data = b""
        self.stamp: Headers | None = None

    def refresh(self, server_headers: Headers) -> None:
        """Make `data`. `server_headers` are those that the server puts first in every answer, such as Date."""
        block = self._block + _join(self.answers.age_headers())
        self.data = b"".join((status_line(self.status), _join(server_headers), block, b"\r\n", self.body))
        self.stamp = server_headers
        self.answers.used_at = monotonic()


def _join(headers: Headers) -> bytes:
    return b"".join(name + b": " + value + b"\r\n" for name, value in headers)


class Answers:
    """Every answer that one document can give to GET and HEAD.

    `headers` are those of Django's answer with the plain body. `params`: the query parameters that the document
    knows. `host`: one that it answers on. `old_since`: since when, by the monotonic clock, nothing newer could be
    had; None when all is well.
    """

    def __init__(
        self, edition: Edition, headers: Headers, *, params: Mapping[str, Param], host: str, old_since: float | None
    ) -> None:
        self.edition = edition
        self.headers = headers
        self.params = params
        self.host = host
        self.old_since = old_since
        self.noticed = False
        self.used_at = monotonic()
        self._replies: dict[tuple[str, bool], HttpReply] = {}

    def choose(self, accept_encoding: bytes, if_none_match: bytes) -> HttpReply:
        """The answer to a client that takes these encodings and has what these tags name."""
        encoding = choose_encoding(accept_encoding.decode("latin-1"))
        encoding = encoding if encoding in self.edition.bodies else "identity"
        tags = if_none_match.decode("latin-1")
        known = self.edition.status == 200 and bool(tags) and has_tag(tags, self.edition.etag(encoding))
        reply = self._replies.get((encoding, known))
        if reply is None:
            reply = self._replies[encoding, known] = self._build(encoding, known=known)
        return reply

    def with_notice(self, edition: Edition) -> "Answers":
        """The same with another body, one that says how old it is (public/serving/notice.py)."""
        answers = Answers(edition, self.headers, params=self.params, host=self.host, old_since=self.old_since)
        answers.noticed, answers.used_at = True, self.used_at
        return answers

    def age_headers(self) -> Headers:
        if self.old_since is None:
            return []
        return [(b"x-edition-age", str(int(monotonic() - self.old_since)).encode())]

    def _build(self, encoding: str, *, known: bool) -> HttpReply:
        body = self.edition.bodies[encoding]
        changed = {b"content-length": str(len(body)).encode(), b"etag": self.edition.etag(encoding).encode()}
        headers: Headers = []
        for name, value in self.headers:
            if known and name in BODY_HEADERS:
                continue
            headers.append((name, changed.get(name, value)))
            if name == b"content-length" and encoding != "identity":
                headers.append((b"content-encoding", encoding.encode()))
        return HttpReply(self, 304, headers, b"") if known else HttpReply(self, self.edition.status, headers, body)


def may_be_shared(headers: Headers) -> bool:
    """Whether one answer may be given to everybody: the last guard before it is kept."""
    values = dict(headers)
    return (
        b"set-cookie" not in values
        and values.get(b"vary", b"").lower() == b"accept-encoding"
        and values.get(b"cache-control", b"").startswith(b"public")
    )


class Memory:
    """Requests that were found ordinary, with the answer each gets: whole heads, and what matters of a head
    (public/serving/head.py). Bounded, whatever is sent; forgotten when an answer is replaced."""

    HEADS, ESSENCES = 2_048, 2_048
    LONGEST_HEAD, LONGEST_ESSENCE = 1_000, 500

    def __init__(self) -> None:
        self.heads: dict[bytes, HttpReply] = {}
        self.essences: dict[Essence, HttpReply] = {}

    def keep(self, head: bytes, essence: Essence, reply: HttpReply) -> None:
        if len(head) <= self.LONGEST_HEAD:
            if len(self.heads) >= self.HEADS:
                self.heads.clear()
            self.heads[head] = reply
        if essence not in self.essences and sum(map(len, essence)) <= self.LONGEST_ESSENCE:
            if len(self.essences) >= self.ESSENCES:
                self.essences.clear()
            self.essences[essence] = reply

    def forget(self) -> None:
        self.heads.clear()
        self.essences.clear()
