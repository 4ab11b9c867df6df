"""The way out: every HTTP request of ours to another host. Bounded in size and time, and sure of whom it talks to.

An operator's word may name a private host. A stranger's may not: the name is resolved once, every address it has must
be public, and the connection goes to an address that was checked, while TLS still asks for the name. Redirects are
followed only where that is asked for, each under the same rules. No proxy and no environment is asked.
"""

import contextlib
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from enum import Enum
from http.client import HTTPException
from time import monotonic
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from core.public_addresses import is_public

LIMIT_BYTES = 1024 * 1024
USER_AGENT = "statuspage/1"
# How many requests of this process may be under way to one host.
AT_ONCE = 8
PORTS = {"http": 80, "https": 443}
# urllib3 refuses other characters too, but repeats the address, which may hold a secret, as it does so.
TARGET = re.compile(r"[\x21-\x7e]+")
REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Trust(Enum):
    """Who named the address."""

    OPERATOR = "operator"
    STRANGER = "stranger"


class NotReachedError(Exception):
    """There was no connection: nothing was sent. The text holds no part of the address but the host."""


class RefusedAddressError(NotReachedError):
    """A stranger's address that leads, or may lead, into a private network."""


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
        return one_line(self.body[:400].decode("utf-8", "replace"))


class _Place(NamedTuple):
    """An address taken apart."""

    scheme: str
    host: str
    port: int
    target: str

    @property
    def host_header(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == PORTS[self.scheme] else f"{name}:{self.port}"


def request(
    method: str,
    url: str,
    *,
    trust: Trust,
    seconds: float,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    limit_bytes: int = LIMIT_BYTES,
    redirects: int = 0,
) -> Answer:
    """The answer, whatever its status. `seconds` for all of it: name, connection, redirects, the last byte.

    Raises NotReachedError, NoAnswerError; ValueError for what is no http or https address. A redirect beyond
    `redirects` is the answer; one from https to http is a NoAnswerError.
    """
    deadline = monotonic() + seconds
    for left in range(redirects, -1, -1):
        place = _take_apart(url)
        with _turn(f"{place.host}:{place.port}", deadline):
            answer = _ask(method, place, trust, deadline, body, headers or {}, limit_bytes)
        if answer.status not in REDIRECTS or not left or "location" not in answer.headers:
            return answer
        url = _follow(url, answer.headers["location"])
    raise AssertionError("the last round returns")


def _take_apart(url: str) -> _Place:
    parts = urlsplit(url)
    if not url.isprintable():  # urlsplit drops what it should refuse
        raise ValueError("This address holds characters that none has.")
    if parts.scheme not in PORTS or not parts.hostname or parts.username is not None:
        raise ValueError("This is no http or https address.")
    target = f"{parts.path or '/'}?{parts.query}".rstrip("?")
    if not TARGET.fullmatch(target):
        raise ValueError("This address holds characters that none has.")
    return _Place(parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme], target)


def _follow(url: str, location: str) -> str:
    onward = urljoin(url, location)
    before, after = urlsplit(url), urlsplit(onward)
    if after.scheme not in ("https", before.scheme):
        raise NoAnswerError(f"{before.hostname} redirects to {after.scheme or 'nowhere'}, which is not followed")
    return onward


def _ask(
    method: str,
    place: _Place,
    trust: Trust,
    deadline: float,
    body: bytes,
    headers: Mapping[str, str],
    limit_bytes: int,
) -> Answer:
    connection = _connect(place, trust, deadline)
    assert connection.sock is not None  # noqa: S101 (it is connected)
    end = threading.Timer(max(0.0, deadline - monotonic()), _cut, [connection.sock])
    end.daemon = True
    end.start()
    ours = {"Host": place.host_header, "User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    try:
        connection.request(
            method, place.target, body or None, ours | dict(headers), preload_content=False, decode_content=False
        )
        answer = _read(connection.getresponse(), limit_bytes)
        if monotonic() >= deadline:  # without a length, what was cut short looks whole
            raise TimeoutError
        return answer
    except (OSError, HTTPError, HTTPException, ValueError) as error:
        what = "took too long" if monotonic() >= deadline else f"did not answer: {_name(error)}"
        raise NoAnswerError(f"{place.host} {what}") from error
    finally:
        end.cancel()
        connection.close()


def _connect(place: _Place, trust: Trust, deadline: float) -> HTTPConnection:
    """To the first address that lets itself be reached."""
    failure: Exception | None = None
    for address in resolve(place.host, place.port, trust, deadline):
        left = deadline - monotonic()
        if left <= 0:
            break
        connection = _open(place, address, left)
        try:
            connection.connect()
        except (OSError, HTTPError, HTTPException, ValueError) as error:  # the last: a certificate for another name
            connection.close()
            failure = error
        else:
            return connection
    reason = _name(failure) if failure else "it took too long"
    raise NotReachedError(f"{place.host} cannot be reached: {reason}") from failure


def _open(place: _Place, address: str, seconds: float) -> HTTPConnection:
    if place.scheme == "http":
        return HTTPConnection(address, place.port, timeout=seconds)
    return HTTPSConnection(
        address, place.port, timeout=seconds, server_hostname=place.host, assert_hostname=place.host,
        cert_reqs="CERT_REQUIRED",
    )  # fmt: skip


def resolve(host: str, port: int, trust: Trust, deadline: float) -> list[str]:
    """The addresses of a host, as the resolver has them now; of a stranger's, only if all are public.

    Strings are never judged: "0x7f.1" and "①②⑦.0.0.1" are this machine, too. Raises NotReachedError.
    """
    try:
        found = _RESOLVER.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM).result(
            max(0.0, deadline - monotonic())
        )
    except FutureTimeoutError:
        raise NotReachedError(f"{host} cannot be reached: its name was not resolved in time") from None
    except (OSError, UnicodeError) as error:
        raise NotReachedError(f"{host} cannot be reached: {_name(error)}") from error
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if trust is Trust.STRANGER and not all(map(is_public, addresses)):
        raise RefusedAddressError(f"{host} is no public address")
    return addresses


# A name that hangs must not hold its asker beyond the deadline; the thread ends when the resolver gives up.
_RESOLVER = ThreadPoolExecutor(16, thread_name_prefix="resolver")


def _read(response: BaseHTTPResponse, limit_bytes: int) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPError("it is compressed, though that was not asked for")
    body = response.read(limit_bytes + 1, decode_content=False)
    if len(body) > limit_bytes:
        raise HTTPError(f"more than {limit_bytes} bytes")
    if missing := response.length_remaining:
        raise HTTPError(f"it broke off {missing} bytes before its end")
    return Answer(response.status, headers, body)


_turns: dict[str, list[object]] = {}
_free = threading.Condition()


@contextlib.contextmanager
def _turn(host: str, deadline: float) -> Iterator[None]:
    """At most AT_ONCE requests to one host; whoever comes later waits, within the deadline."""
    mine = object()
    with _free:
        if not _free.wait_for(lambda: len(_turns.get(host, ())) < AT_ONCE, max(0.0, deadline - monotonic())):
            name = host.rpartition(":")[0]
            raise NotReachedError(f"{name} cannot be reached: too many requests are waiting for it")
        _turns.setdefault(host, []).append(mine)
    try:
        yield
    finally:
        with _free:
            _turns[host].remove(mine)
            if not _turns[host]:
                del _turns[host]
            _free.notify_all()


def _cut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def _name(error: Exception) -> str:
    """What went wrong, without the address: urllib3 puts its connection before the words."""
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    words = getattr(cause, "strerror", None) or str(cause).rpartition(">: ")[2] or str(cause)
    return one_line(words) or type(error).__name__


def one_line(text: str) -> str:
    """Short and printable: the other side's words go to logs, screens and a database that takes no NUL."""
    words = " ".join(text.split())
    return "".join(character for character in words if character.isprintable())[:120]
