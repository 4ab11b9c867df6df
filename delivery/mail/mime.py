"""A mail as bytes with slots: rendered and encoded once per notice, then joined for each recipient.

Encoding a mail costs 500 µs with Django and 1,800 µs with the standard library; joining bytes costs 2.
Bodies are quoted-printable, so that any language passes any relay, and lines stay below 77 characters.
A slot in a body sits on a line of its own, between two soft line breaks that readers never see.
"""

import binascii
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from functools import lru_cache

from delivery.mail.smtp.outgoing_mail import END

SOFT_BREAK = b"=\r\n"
# A value that can stand in a slot of a body unchanged. It must not begin with a dot, which SMTP requires to be doubled.
SLOT_VALUE = re.compile(rb"[A-Za-z0-9_~-][A-Za-z0-9._~-]{0,69}")
NOT_ALLOWED = "not allowed in a mail header or link"


class SlotNames:
    """Marks for slots in templates. They are random and new for each mail, so that no text can contain one."""

    def __init__(self) -> None:
        self._nonce = secrets.token_hex(8)
        self._pattern = re.compile(f"slot{self._nonce}([a-z]+?)end")

    def mark(self, name: str) -> str:
        return f"slot{self._nonce}{name}end"

    def split(self, text: str) -> list[str]:
        """Text, slot name, text, slot name, …, text."""
        return self._pattern.split(text)


@dataclass(frozen=True, slots=True)
class PrebuiltMail:
    """The fixed headers, and the body in pieces: bytes and names of slots in turn."""

    headers: bytes
    body: tuple[bytes | str, ...]

    def stuffed(self) -> "PrebuiltMail":
        """The same mail in the form that follows DATA (delivery/mail/smtp/outgoing_mail.py). A slot's value never begins
        with a dot, and the piece behind it begins with a line break, so all dots to be doubled are inside pieces."""
        stuffed = (each if isinstance(each, str) else each.replace(b"\r\n.", b"\r\n..") for each in self.body)
        return PrebuiltMail(self.headers, (*stuffed, END))

    def fill(self, headers: Mapping[str, str], slots: Mapping[str, str]) -> bytes:
        """The whole mail, with CRLF line ends.

        Raises ValueError for a value that could start a header or change the body, KeyError for a missing slot.
        """
        own = "".join([f"{name}: {value}\r\n" for name, value in headers.items()]).encode("ascii")
        if not _header_lines(len(headers)).fullmatch(own):
            raise ValueError(NOT_ALLOWED)
        values = {name: _checked(value) for name, value in slots.items()}
        body = [values[each] if isinstance(each, str) else each for each in self.body]
        return b"".join([own, self.headers, *body])


@lru_cache(maxsize=16)
def _header_lines(count: int) -> re.Pattern[bytes]:
    """Matches exactly `count` lines of printable ASCII, so that no value can start another header."""
    return re.compile(rb"(?:[\x20-\x7e]{0,950}\r\n){%d}" % count)


def _checked(value: str) -> bytes:
    encoded = value.encode("ascii")
    if not SLOT_VALUE.fullmatch(encoded):
        raise ValueError(NOT_ALLOWED)
    return encoded


def prebuild(headers: Mapping[str, str], text: str, html: str, names: SlotNames | None = None) -> PrebuiltMail:
    """A multipart/alternative mail, text first. `headers` are the same for every recipient.

    Raises ValueError for a header with a line break.
    """
    boundary = f"=_{secrets.token_hex(16)}"
    pieces: list[bytes | str] = [b""]
    for subtype, content in (("plain", text), ("html", html)):
        _append(pieces, _part_head(boundary, subtype))
        first, *rest = (names or SlotNames()).split(content)
        _append(pieces, _quoted_printable(first))
        for name, following in zip(rest[::2], rest[1::2], strict=True):
            _append(pieces, SOFT_BREAK)
            pieces.append(name)
            pieces.append(SOFT_BREAK + _quoted_printable(following))
        _append(pieces, b"\r\n")
    _append(pieces, f"--{boundary}--\r\n".encode())
    content_type = f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\nMIME-Version: 1.0\r\n\r\n'
    return PrebuiltMail(_fixed_headers(headers) + content_type.encode(), tuple(pieces))


def _append(pieces: list[bytes | str], more: bytes) -> None:
    """Append to the last piece, which is never the name of a slot."""
    last = pieces[-1]
    assert isinstance(last, bytes)  # noqa: S101 (holds by construction; for the type checker)
    pieces[-1] = last + more


def _part_head(boundary: str, subtype: str) -> bytes:
    return (
        f'--{boundary}\r\nContent-Type: text/{subtype}; charset="utf-8"\r\n'
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    ).encode()


def _fixed_headers(headers: Mapping[str, str]) -> bytes:
    """Folded and encoded by the standard library, which refuses line breaks in values."""
    message = EmailMessage(policy=SMTP)
    written = b""
    for name, value in headers.items():
        if "=?" in value:  # the library would take it for an encoded value
            encoded = Header(_one_line(value), "utf-8", header_name=name).encode(linesep="\r\n")
            written += f"{name}: {encoded}\r\n".encode()
        else:
            message[name] = value
    return written + message.as_bytes().rstrip(b"\r\n") + b"\r\n"


def _one_line(value: str) -> str:
    if len(value.splitlines()) > 1:
        raise ValueError("a mail header may not contain linefeed characters")
    return value


def _quoted_printable(text: str) -> bytes:
    lines = text.replace("\r\n", "\n").replace("\n", "\r\n").encode()
    encoded = binascii.b2a_qp(lines, istext=True)
    return re.sub(rb"(?<!\r)\n", b"\r\n", encoded)
