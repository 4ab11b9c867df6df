"""One request to an address that an operator named, over a connection of its own: bounded in size and in time.

Redirects are not followed and no proxy is asked: what is named is what is talked to. The operator may name a
private host; so this is not for addresses that visitors or subscribers give. A document that may have moved is read
by http.py, which follows redirects.
"""

import contextlib
import re
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from urllib.parse import urlsplit

LIMIT_BYTES = 1024 * 1024
USER_AGENT = "statuspage/1"
# http.client refuses other characters too, but repeats the address, which may hold a secret, as it does so.
TARGET = re.compile(r"[\x21-\x7e]+")


class NotReachedError(Exception):
    """There was no connection: nothing was sent. The text holds no part of the address but the host."""


class NoAnswerError(Exception):
    """The request left, and no whole answer came: it may have been acted upon."""


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
        return _one_line(self.body[:400].decode("utf-8", "replace"))


def exchange(
    method: str,
    url: str,
    *,
    seconds: float,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    limit_bytes: int = LIMIT_BYTES,
) -> Answer:
    """The answer, whatever its status. `seconds` to connect, and as many for the whole answer, however slowly it drips.

    Raises NotReachedError, NoAnswerError; ValueError for what is no http or https address.
    """
    connection, path = _open(url, seconds)
    try:
        connection.connect()
    except (OSError, HTTPException) as error:
        connection.close()
        raise NotReachedError(f"{connection.host} cannot be reached: {_name(error)}") from error
    assert connection.sock is not None  # noqa: S101 (it is connected)
    end = threading.Timer(seconds, _cut, [connection.sock])
    end.daemon = True
    end.start()
    try:
        connection.request(method, path, body or None, {"User-Agent": USER_AGENT, **(headers or {})})
        return _read(connection.getresponse(), limit_bytes)
    except (OSError, HTTPException, ValueError) as error:
        raise NoAnswerError(f"{connection.host} did not answer: {_name(error)}") from error
    finally:
        end.cancel()
        connection.close()


def _open(url: str, seconds: float) -> tuple[HTTPConnection, str]:
    parts = urlsplit(url)
    kinds = {"http": HTTPConnection, "https": HTTPSConnection}
    if parts.scheme not in kinds or not parts.hostname:
        raise ValueError("This is no http or https address.")
    path = f"{parts.path or '/'}?{parts.query}".rstrip("?")
    if not TARGET.fullmatch(path):
        raise ValueError("This address holds characters that none has.")
    return kinds[parts.scheme](parts.hostname, parts.port, timeout=seconds), path


def _read(response: HTTPResponse, limit_bytes: int) -> Answer:
    body = response.read(limit_bytes + 1)
    if len(body) > limit_bytes:
        raise HTTPException(f"more than {limit_bytes} bytes")
    if response.length:
        raise HTTPException(f"it broke off {response.length} bytes before its end")
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)


def _cut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _name(error: Exception) -> str:
    return _one_line(getattr(error, "strerror", None) or str(error)) or type(error).__name__


def _one_line(text: str) -> str:
    """Short and printable: the other side's words go to logs, screens and a database that takes no NUL."""
    words = " ".join(text.split())
    return "".join(character for character in words if character.isprintable())[:120]
