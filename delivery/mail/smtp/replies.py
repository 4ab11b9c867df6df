"""Splits the bytes that an SMTP server sends into replies, and refuses anything else (RFC 5321 §4.2)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

CLOSING = 421
READY_FOR_BODY = 354
# Longer than the lines of any SMTP server; whatever sends longer ones does not speak SMTP.
LINE_LIMIT = 2_000
LINES_LIMIT = 100
TEXT_LIMIT = 150
LINE = re.compile(rb"([2-5]\d\d)([ -]|$)(.*)", re.DOTALL)


class NotSmtpError(Exception):
    """The bytes are not an SMTP reply."""


@dataclass(frozen=True, slots=True)
class Reply:
    code: int
    text: bytes = b""
    """The lines of the reply without their codes, joined by a space."""

    @property
    def is_positive(self) -> bool:
        return 200 <= self.code < 300

    @property
    def is_refusal(self) -> bool:
        """Temporary (4xx) or permanent (5xx)."""
        return self.code >= 400

    @property
    def is_closing(self) -> bool:
        return self.code == CLOSING

    def say(self, address: str = "") -> str:
        """The server's text for staff, without the recipient's address, so that equal reasons are counted together."""
        text = " ".join(self.text.decode("utf-8", "replace").split())
        if address:
            text = re.sub(re.escape(address), "the recipient", text, flags=re.IGNORECASE)
        printable = "".join(character for character in text if character.isprintable())
        return f"{self.code} {printable}"[:TEXT_LIMIT]


class ReplyReader:
    """Collects bytes as they arrive and returns complete replies."""

    def __init__(self) -> None:
        self._rest = b""
        self._lines: list[tuple[int, bytes]] = []

    @property
    def is_empty(self) -> bool:
        """Whether no part of a reply has arrived."""
        return not self._rest and not self._lines

    def feed(self, data: bytes) -> Iterator[Reply]:
        """Yield the replies that are complete now. Raises NotSmtpError at bytes that cannot be a reply."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if reply := self._add(line):
                yield reply
        if len(self._rest) > LINE_LIMIT:
            raise NotSmtpError("the SMTP server sends a line without end")

    def _add(self, line: bytes) -> Reply | None:
        """Add a line; returns the reply if this line ends it."""
        found = LINE.match(line.rstrip(b"\r"))
        if not found or len(line) > LINE_LIMIT or len(self._lines) >= LINES_LIMIT:
            raise NotSmtpError("the SMTP server sends something that is no SMTP reply")
        code, mark, text = int(found[1]), found[2], found[3]
        if self._lines and self._lines[0][0] != code:
            raise NotSmtpError("the SMTP server mixes two replies")
        if mark == b"-":
            self._lines.append((code, text))
            return None
        if self._lines:
            text = b" ".join([*(each for _, each in self._lines), text])
            self._lines = []
        return Reply(code, text)
