"""Reads the head of an ordinary GET request, and refuses everything else.

What it refuses goes to the server's full parser. So it may accept less than HTTP, never more.

Most lines of a head, such as User-Agent and Cookie, cannot change the answer. `find_deciding_lines` leaves them out, so that
requests with the same answer become equal and only the first of them is parsed.
"""

import re
from itertools import compress
from typing import NamedTuple

# One complete request without a body: lines end in CRLF, none is folded, no control characters, no "//", no "%".
ORDINARY = re.compile(
    rb"GET (/(?:[A-Za-z0-9._~-]++/?+)*+)(?:\?([!\"$-~]*+))?+ HTTP/1\.1\r\n"
    rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]++:[\t\x20-\x7e\x80-\xff]*+\r\n)++\r\n"
)
# The headers that decide the answer, and those that make a request unusual.
DECIDING = re.compile(
    rb"\r\n(host|accept-encoding|if-none-match|x-forwarded-proto|connection"
    rb"|content-length|transfer-encoding|expect|upgrade|http2-settings):[\t ]*+([^\r\n]*)",
    re.IGNORECASE,
)
# One header line that cannot change the answer: well-formed, and none of those above.
IRRELEVANT_LINE = re.compile(
    rb"(?!(?:host|accept-encoding|if-none-match|x-forwarded-proto|connection"
    rb"|content-length|transfer-encoding|expect|upgrade|http2-settings):)"
    rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++:[\t\x20-\x7e\x80-\xff]*+",
    re.IGNORECASE,
)
# Longer heads go to the server's full parser, which has its own limits.
LONGEST_HEAD = 8 * 1024
READ = frozenset((b"host", b"accept-encoding", b"if-none-match", b"x-forwarded-proto", b"connection"))


class Head(NamedTuple):
    path: str
    query: str
    host: str
    accept_encoding: bytes
    if_none_match: bytes
    forwarded_proto: bytes | None


def read_head(data: bytes) -> Head | None:
    """The head; None unless `data` is exactly one ordinary request."""
    line = ORDINARY.fullmatch(data)
    if line is None:
        return None
    found: dict[bytes, bytes] = {}
    for name, value in DECIDING.findall(data):
        key = name.lower()
        if key not in READ or key in found:
            return None
        found[key] = value
    if b"host" not in found or found.get(b"connection", b"keep-alive").lower() != b"keep-alive":
        return None
    path, query = line.groups(b"")
    return Head(
        path.decode("ascii"),
        query.decode("ascii"),
        found[b"host"].decode("latin-1"),
        found.get(b"accept-encoding", b""),
        found.get(b"if-none-match", b""),
        found.get(b"x-forwarded-proto"),
    )


class _Lines(dict[bytes, bool]):
    """By line, whether it may change the answer. A bounded cache."""

    KEPT = 4_096
    LONGEST = 500

    def __missing__(self, line: bytes) -> bool:
        matters = IRRELEVANT_LINE.fullmatch(line) is None
        if len(line) <= self.LONGEST:
            if len(self) >= self.KEPT:
                self.clear()
            self[line] = matters
        return matters


_lines = _Lines()
_matters = _lines.__getitem__

DecidingLines = tuple[bytes, ...]


def find_deciding_lines(data: bytes) -> DecidingLines | None:
    """The lines of a head that may change the answer, in order: two requests with the same ones get the same answer.

    The request line, the two empty parts at the end and every malformed line always count. Checking both ends makes this
    safe: the request line can only be first, and nothing can follow the head.
    """
    if data[:5] != b"GET /" or data[-4:] != b"\r\n\r\n" or len(data) > LONGEST_HEAD:
        return None
    lines = data.split(b"\r\n")
    return tuple(compress(lines, map(_matters, lines)))
