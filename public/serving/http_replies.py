"""The HTTP answers of a finished document: headers and body joined in advance, for each encoding and for 304."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from time import monotonic

from public.serving.document_addresses import Target
from public.serving.document_bytes import Edition
from public.serving.head import DecidingLines

Headers = list[tuple[bytes, bytes]]


def status_line(status: int) -> bytes:
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""  # such as htmx's 286
    return f"HTTP/1.1 {status} {phrase}\r\n".encode()


class HttpReply:
    """One answer. `data` is all of its bytes, joined again when the Date header changes."""

    __slots__ = ("_block", "answers", "body", "data", "headers", "stamp", "status")

    def __init__(self, status: int, headers: Headers, body: bytes, answers: "Answers | None" = None) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.answers = answers
        self._block = _join(headers)
        self.data = b""
        self.stamp: Headers | None = None

    def refresh(self, server_headers: Headers) -> None:
        """Make `data`. `server_headers` are those that the server puts first in every answer, such as Date."""
        block = self._block + _join(self.age_headers())
        self.data = b"".join((status_line(self.status), _join(server_headers), block, b"\r\n", self.body))
        self.stamp = server_headers
        if self.answers is not None:
            self.answers.touch()

    def age_headers(self) -> Headers:
        old_since = self.answers.old_since if self.answers is not None else None
        return [] if old_since is None else [(b"x-edition-age", str(int(monotonic() - old_since)).encode())]


def encode_headers(headers: Iterable[tuple[str, str]]) -> Headers:
    return [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in headers]


def _join(headers: Headers) -> bytes:
    return b"".join(name + b": " + value + b"\r\n" for name, value in headers)


class Answers:
    """Every answer that one document can give to GET and HEAD.

    `added_headers`: what Django adds to those of the edition. `target`, `host`: where it was asked for. `old_since`: since
    when, by the monotonic clock, nothing newer could be had; None when all is well. `on_use` is called when one is given.
    """

    def __init__(
        self,
        edition: Edition,
        added_headers: Headers,
        *,
        target: Target,
        host: str,
        old_since: float | None,
        has_stale_line: bool,
        on_use: Callable[[], None],
    ) -> None:
        self.edition = edition
        self.added_headers = added_headers
        self.target = target
        self.host = host
        self.old_since = old_since
        self.has_stale_line = has_stale_line
        self.used_at = monotonic()
        self._on_use = on_use
        self._replies: dict[tuple[str, bool], HttpReply] = {}

    def choose(self, accept_encoding: bytes, if_none_match: bytes) -> HttpReply:
        """The answer to a client with these headers."""
        self.touch()
        form = self.edition.choose(accept_encoding.decode("latin-1"), if_none_match.decode("latin-1"))
        if form not in self._replies:
            self._replies[form] = self._compose(*form)
        return self._replies[form]

    def touch(self) -> None:
        self.used_at = monotonic()
        self._on_use()

    def with_stale_line(self, edition: Edition) -> "Answers":
        """The same answers with another edition, which says how old it is (public/serving/stale_line.py)."""
        answers = Answers(
            edition,
            self.added_headers,
            target=self.target,
            host=self.host,
            old_since=self.old_since,
            has_stale_line=True,
            on_use=self._on_use,
        )
        answers.used_at = self.used_at
        return answers

    def _compose(self, encoding: str, is_known: bool) -> HttpReply:  # noqa: FBT001 - the two that choose() returned
        edition = self.edition
        headers = encode_headers(edition.compose_headers(encoding, is_known=is_known).items()) + self.added_headers
        if is_known:
            return HttpReply(304, headers, b"", self)
        return HttpReply(edition.status, headers, edition.bodies[encoding], self)


def may_be_shared(headers: Headers) -> bool:
    """Whether one answer may be given to all visitors; checked before it is kept."""
    values = dict(headers)
    return (
        b"set-cookie" not in values
        and values.get(b"vary", b"").lower() == b"accept-encoding"
        and values.get(b"cache-control", b"").startswith(b"public")
    )


class RequestCache:
    """The answers to ordinary requests, by the whole head and by its deciding lines (public/serving/head.py). Bounded in
    size; emptied when an answer is replaced."""

    HEADS, LINES = 2_048, 2_048
    LONGEST_HEAD, LONGEST_LINES = 1_000, 500

    def __init__(self) -> None:
        self.by_head: dict[bytes, HttpReply] = {}
        self.by_lines: dict[DecidingLines, HttpReply] = {}

    def keep(self, head: bytes, lines: DecidingLines, reply: HttpReply) -> None:
        if len(head) <= self.LONGEST_HEAD:
            if len(self.by_head) >= self.HEADS:
                self.by_head.clear()
            self.by_head[head] = reply
        if lines not in self.by_lines and sum(map(len, lines)) <= self.LONGEST_LINES:
            if len(self.by_lines) >= self.LINES:
                self.by_lines.clear()
            self.by_lines[lines] = reply

    def forget(self) -> None:
        self.by_head.clear()
        self.by_lines.clear()
