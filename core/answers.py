"""An answer of another host, and how its bytes become one."""

from collections.abc import Mapping
from dataclasses import dataclass

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from core.outbound_errors import TooLargeError

# Far more than any server sends before its body.
HEAD_LIMIT_BYTES = 64 * 1024


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes

    @property
    def is_good(self) -> bool:
        return 200 <= self.status < 300

    @property
    def words(self) -> str:
        """The beginning of the body as one line, to show to staff."""
        return one_line(self.body[:400].decode("utf-8", "replace"))


def one_line(text: str) -> str:
    """Short and printable: the other side's words go to logs, screens and a database that takes no NUL."""
    words = " ".join(text.split())
    return "".join(character for character in words if character.isprintable())[:120]


class BrokenAnswerError(Exception):
    """What came is no answer, or not the whole of one. The words follow “did not answer: ”."""


class AnswerParser:
    """Fed with bytes as they come, until `is_done`. Without `whole_body`, whatever becomes of the body is good enough."""

    def __init__(self, limit_bytes: int, *, whole_body: bool) -> None:
        self._parser = HttpResponseParser(self)
        # A server that is careless about line ends has taken the request all the same.
        self._parser.set_dangerous_leniencies(
            lenient_headers=True, lenient_optional_cr_before_lf=True, lenient_data_after_close=True
        )
        self._limit = self._room = limit_bytes
        self._whole = whole_body
        self._head_bytes = 0
        self._status = 0
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._is_compressed = False
        self.has_head = self.is_done = False
        self.can_be_followed = False
        """By another request on the same connection."""

    def feed(self, data: bytes) -> None:
        """Raises BrokenAnswerError, TooLargeError."""
        if not self.has_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self._break("it speaks no HTTP any more")
        except HttpParserError as error:
            self._break(one_line(str(error)))
        if self._is_compressed and self._whole:
            raise BrokenAnswerError("it is compressed, though that was not asked for")
        if self._head_bytes > HEAD_LIMIT_BYTES and not self.has_head:
            raise BrokenAnswerError(f"its head has more than {HEAD_LIMIT_BYTES} bytes")
        if self._room < 0 and self._whole:
            raise TooLargeError(f"the answer has more than {self._limit} bytes")
        if self._room <= 0 and self.has_head and not self._whole:
            self.is_done = True

    def end(self) -> None:
        """The other side has closed. Raises BrokenAnswerError."""
        if not self.is_done and (not self.has_head or self._says_its_length):
            self._break("it broke off before its end")
        self.is_done = True
        self.can_be_followed = False

    def answer(self) -> Answer:
        body = b"" if self._is_compressed else b"".join(self._body)[: self._limit]
        return Answer(self._status, self._headers, body)

    @property
    def has_enough(self) -> bool:
        """Also when nothing more comes."""
        return self.is_done or (self.has_head and not self._whole)

    @property
    def _says_its_length(self) -> bool:
        return "content-length" in self._headers or "transfer-encoding" in self._headers

    def _break(self, words: str) -> None:
        """Only what is no answer yet is broken, where the status is enough."""
        if not self.has_enough:
            raise BrokenAnswerError(words)
        self.is_done = True
        self.can_be_followed = False

    # What the parser calls

    def on_message_begin(self) -> None:
        self.can_be_followed = False  # after an answer: one that nobody asked for

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.has_head:
            known, text = name.decode("latin-1").lower(), value.decode("latin-1")
            self._headers[known] = f"{self._headers[known]}, {text}" if known in self._headers else text

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self.has_head:
            return
        if status < 200:  # the answer itself is yet to come
            self._headers.clear()
            return
        self._status, self.has_head = status, True
        if self._headers.get("content-encoding", "identity").lower() != "identity":
            self._is_compressed = True

    def on_body(self, data: bytes) -> None:
        if self._room > 0:
            self._body.append(data)
        self._room -= len(data)

    def on_message_complete(self) -> None:
        if self.has_head and not self.is_done:
            self.is_done = True
            self.can_be_followed = self._parser.should_keep_alive()
