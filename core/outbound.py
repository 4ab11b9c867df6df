"""The way out: every HTTP request of ours to another host. Bounded in size and time, and sure of whom it talks to.

An operator's word may name a private host. A stranger's may not: the name is resolved once, every address it has must
be public, and the connection goes to an address that was checked, while TLS still asks for the name. Redirects are
followed only where that is asked for, each under the same rules; one of a public host may not lead to a private one,
whoever named the first. No proxy and no environment is asked.
"""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path
from time import monotonic
from typing import ParamSpec, TypeVar

from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError
from urllib3.response import BaseHTTPResponse

from core import host_turns
from core.answers import Answer, one_line
from core.outbound_errors import (
    NoAnswerError,
    NoAnswerInTimeError,
    NotReachedError,
    NotReachedInTimeError,
    TooLargeError,
    UntrustedCertificateError,
)
from core.public_addresses import is_public
from core.resolver import Trust, resolve
from core.web_requests import REDIRECTS, Place, Request, take_apart

P = ParamSpec("P")
T = TypeVar("T")
LIMIT_BYTES = 1024 * 1024
# What a connection can raise while it is set up and used.
FAILURES = (OSError, HTTPError, HTTPException, ValueError)


@dataclass(frozen=True)
class Limits:
    """What bounds one request: `deadline` is one of `monotonic`."""

    deadline: float
    bytes: int
    whole_body: bool

    @property
    def left(self) -> float:
        """Seconds; 0 when there are none."""
        return max(0.0, self.deadline - monotonic())


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
    whole_body: bool = True,
) -> Answer:
    """The answer, whatever its status. `seconds` for all of it: name, connection, redirects, the last byte.

    Without `whole_body` the status is an answer, and the body is as much as came of it: nothing if it is compressed.
    Raises OutboundError; its types say what went wrong. A redirect beyond `redirects` is the answer.
    """
    limits = Limits(monotonic() + seconds, limit_bytes, whole_body)
    asked = Request(method, url, body, headers or {})
    for left in range(redirects, -1, -1):
        place = take_apart(asked.url)
        with host_turns.turn(f"{place.host}:{place.port}", limits.left) as is_mine:
            if not is_mine:
                raise NotReachedInTimeError(f"{place.host} cannot be reached: too many requests are waiting for it")
            answer, address = _ask(asked, place, trust, limits)
        if answer.status not in REDIRECTS or not left or "location" not in answer.headers:
            return answer
        asked = asked.redirected(answer.status, answer.headers["location"])
        if is_public(address):  # where it leads us is not the operator's word
            trust = Trust.STRANGER
    raise AssertionError("the last round returns")


def _ask(asked: Request, place: Place, trust: Trust, limits: Limits) -> tuple[Answer, str]:
    """The answer, and the network address that gave it."""
    headers = asked.all_headers(place)
    with _connected(place, trust, limits) as sock:
        address: str = sock.getpeername()[0]
        connection = HTTPConnection(place.host, place.port, timeout=limits.left or 0.001)
        connection.sock = sock
        try:
            connection.request(
                asked.method, place.target, asked.body or None, headers, preload_content=False, decode_content=False
            )
            with contextlib.closing(connection.getresponse()) as response:
                if not limits.left:  # a head that was cut short looks whole
                    raise TimeoutError
                read = _read_whole if limits.whole_body else _read_some
                return read(response, limits), address
        except FAILURES as error:
            raise did_not_answer(place, error, is_late=not limits.left) from error
        finally:
            connection.close()


@contextlib.contextmanager
def _connected(place: Place, trust: Trust, limits: Limits) -> Iterator[socket.socket]:
    """A connection that is closed at the end, and useless from the deadline on."""
    context = tls_context() if place.scheme == "https" else None
    sock = _reach(place, trust, limits)
    handle = sock.dup()
    try:
        if context:
            # Before the timer starts: a socket that is cut at this moment would be left open.
            sock = _try(
                place, limits, context.wrap_socket, sock, server_hostname=place.host, do_handshake_on_connect=False
            )
        with _cut_at_deadline(handle, place, limits):
            if isinstance(sock, ssl.SSLSocket):
                _try(place, limits, sock.do_handshake)
            yield sock
    finally:
        sock.close()
        handle.close()


def _try(place: Place, limits: Limits, step: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """A step on the way to a connection. Raises NotReachedError."""
    try:
        return step(*args, **kwargs)
    except FAILURES as error:
        raise not_reached(place, error, is_late=not limits.left) from error


def _reach(place: Place, trust: Trust, limits: Limits) -> socket.socket:
    """A connection to the first address that lets itself be reached; each has its share of the time that is left."""
    failure: Exception | None = None
    addresses = resolve(place.lookup, trust, limits.deadline)
    for tried, address in enumerate(addresses):
        if not limits.left:
            break
        try:
            sock = _dial(address, place.port, limits.left / (len(addresses) - tried))
            sock.settimeout(limits.left or 0.001)
        except FAILURES as error:
            failure = error
        else:
            return sock
    raise not_reached(place, failure, is_late=not limits.left) from failure


def _dial(address: str, port: int, seconds: float) -> socket.socket:
    return socket.create_connection((address, port), timeout=seconds)


@contextlib.contextmanager
def _cut_at_deadline(handle: socket.socket, place: Place, limits: Limits) -> Iterator[None]:
    """Ends the connection when time is up, whatever it is doing then: a time-out of a socket begins anew with each byte.

    `handle` is another one of the same connection: TLS takes the first, and shutting TLS down would wait for its lock.
    """
    timer = threading.Timer(limits.left, _cut, [handle])
    timer.daemon = True
    try:
        timer.start()
    except RuntimeError as error:
        raise NotReachedError(f"{place.host} cannot be reached: this machine starts no more threads") from error
    try:
        yield
    finally:
        timer.cancel()
        timer.join()  # else it might cut a connection that gets the handle's number next


def _cut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)


def tls_context() -> ssl.SSLContext:
    """Trusts what the system trusts, as it stands on disk now."""
    paths = ssl.get_default_verify_paths()
    changed_at = Path(paths.cafile).stat().st_mtime_ns if paths.cafile else 0
    return _tls_context(paths.cafile, paths.capath, changed_at)


@lru_cache(maxsize=2)
def _tls_context(_file: str | None, _directory: str | None, _changed_at: int) -> ssl.SSLContext:
    """Reading the certificates takes longer than most requests."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def not_reached(place: Place, failure: Exception | None, *, is_late: bool = False) -> NotReachedError:
    """What to raise when there was no connection."""
    where = f"{place.host} cannot be reached"
    if isinstance(failure, ssl.SSLCertVerificationError):
        return UntrustedCertificateError(f"{where}: {_name(failure)}")
    if failure is None or is_late or isinstance(failure, TimeoutError):
        return NotReachedInTimeError(f"{where}: it took too long")
    return NotReachedError(f"{where}: {_name(failure)}")


def did_not_answer(place: Place, failure: Exception, *, is_late: bool = False) -> NoAnswerError:
    """What to raise when the request had left."""
    if is_late:
        return NoAnswerInTimeError(f"{place.host} took too long")
    return NoAnswerError(f"{place.host} did not answer: {_name(failure)}")


def _read_whole(response: BaseHTTPResponse, limits: Limits) -> Answer:
    headers = _headers(response)
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise HTTPError("it is compressed, though that was not asked for")
    body = response.read(limits.bytes + 1, decode_content=False)
    if len(body) > limits.bytes:
        raise TooLargeError(f"the answer has more than {limits.bytes} bytes")
    if missing := response.length_remaining:
        raise HTTPError(f"it broke off {missing} bytes before its end")
    if not limits.left:  # without a length, what was cut short looks whole
        raise TimeoutError
    return Answer(response.status, headers, body)


def _read_some(response: BaseHTTPResponse, limits: Limits) -> Answer:
    """Whatever becomes of the body, the other side has said what it thinks of the request."""
    headers, pieces, room = _headers(response), [], limits.bytes
    if headers.get("content-encoding", "identity").lower() == "identity":
        with contextlib.suppress(*FAILURES):
            while room and (piece := response.read1(room, decode_content=False)):
                pieces.append(piece)
                room -= len(piece)
    return Answer(response.status, headers, b"".join(pieces))


def _headers(response: BaseHTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _name(error: Exception) -> str:
    """What went wrong, without the address: urllib3 puts its connection before the words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return one_line(error.verify_message)
    cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
    words = getattr(cause, "strerror", None) or str(cause).rpartition(">: ")[2] or str(cause)
    return one_line(words) or type(error).__name__
