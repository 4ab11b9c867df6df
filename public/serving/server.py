"""uvicorn's HTTP protocol with a shortcut: `uvicorn --http public.serving.server:Protocol statuspage.asgi:application`.

A plain GET for a finished document is answered from the bytes that public/serving/fast_path.py keeps, without uvicorn's
parser, an ASGI scope or a task. The shortcut is taken only when the received bytes are exactly one ordinary request
(public/serving/head.py) and the connection is between requests; everything else goes to uvicorn unchanged.

This relies on internals of uvicorn (`cycle`, `scope`, `pipeline`, `flow`): its version is pinned, and
tests/public/test_server.py compares the two ways byte for byte.
"""

import asyncio
import weakref
from typing import Any, NoReturn

from uvicorn._types import HTTPScope
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from public.serving.fast_path import FastPath
from public.serving.head import find_deciding_lines, read_head
from public.serving.http_replies import HttpReply

# A browser sends some 20 headers and 2 kB; cookies and a proxy's own headers make it 10 kB at worst.
HEAD_BYTES = 32 * 1024
HEADERS = 200
TOO_LARGE = f"The request's address and headers may have {HEAD_BYTES} bytes and {HEADERS} headers."
NO_HOST = "An HTTP/1.1 request needs a Host header."


class Protocol(HttpToolsProtocol):
    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # uvicorn checks whether the access log has handlers, and Django's logging has added some by now.
        self.access_log = config.access_log and self.access_log
        # With another ASGI layer, an access log or a limit of connections, each request must pass through uvicorn.
        plain = not self.access_log and self.limit_concurrency is None and not self.root_path
        self.fast_path = self.app if isinstance(self.app, FastPath) and plain else None
        self.over_tls = False
        self.answered = 0
        """Requests answered by the shortcut; the sweep sees by it whether anything happens here."""
        self.swept: tuple[int, int, int] | None = None
        self._heads: dict[bytes, HttpReply] = {}
        self._head_bytes: int | None = None
        """Bytes received of an incomplete head; None between heads."""
        self._header_bytes = 0
        """Bytes of the names and values of its headers."""
        self._refusal = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.over_tls = self.scheme == "https"
        if self.fast_path is not None:
            self._heads = self.fast_path.request_caches[self.over_tls].by_head
        _start_sweep(self)

    def data_received(self, data: bytes) -> None:
        reply = self._heads.get(data) or self._find(data)
        if reply is None or self.flow.write_paused or not self._is_between_requests():
            self._pass_to_uvicorn(data)
            return
        headers = self.server_state.default_headers
        if reply.stamp is not headers:  # uvicorn makes a new list each second, for the Date in it
            reply.refresh(headers)
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        self.answered += 1
        self.transport.write(reply.data)

    def _pass_to_uvicorn(self, data: bytes) -> None:
        self._head_bytes = None if self._head_bytes is None else self._head_bytes + len(data)
        super().data_received(data)
        if self._head_bytes is not None and self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
            self._refusal = TOO_LARGE
            self.send_400_response(TOO_LARGE)

    # Callbacks of uvicorn's parser. Whatever one raises ends in send_400_response().

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._header_bytes = 0
        self._head_bytes = 0  # what belongs to it of the piece that is being read is bounded by on_header()

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._header_bytes += len(name) + len(value)
        if len(self.headers) > HEADERS or self._header_bytes > HEAD_BYTES:
            self._refuse(TOO_LARGE)

    def on_headers_complete(self) -> None:
        self._head_bytes = None
        if len(self.url) > HEAD_BYTES:
            self._refuse(TOO_LARGE)
        if self.parser.get_http_version() == "1.1" and all(name != b"host" for name, _ in self.headers):
            self._refuse(NO_HOST)
        super().on_headers_complete()

    def _refuse(self, reason: str) -> NoReturn:
        self._refusal = reason
        raise ValueError(reason)

    def send_400_response(self, msg: str) -> None:
        if self._refusal != TOO_LARGE:
            super().send_400_response(self._refusal or msg)
            return
        dates = b"".join(b"%b: %b\r\n" % header for header in self.server_state.default_headers)
        self.transport.write(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\n%bcontent-type: text/plain; charset=utf-8\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (dates, len(TOO_LARGE), TOO_LARGE.encode())
        )
        self.transport.close()

    def _find(self, data: bytes) -> HttpReply | None:
        """The answer to a head that is not in the cache; None unless it is an ordinary request for a finished document."""
        lines = find_deciding_lines(data)
        if lines is None or self.fast_path is None:
            return None
        cache = self.fast_path.request_caches[self.over_tls]
        reply = cache.by_lines.get(lines) or self._read(data)
        if reply is not None:
            cache.keep(data, lines, reply)
        return reply

    def _read(self, data: bytes) -> HttpReply | None:
        head = read_head(data)
        if head is None or self.fast_path is None:
            return None
        secure = self.fast_path.is_secure(head.forwarded_proto, over_tls=self.over_tls)
        answers = self.fast_path.find(head.host, head.path, head.query, secure=secure)
        return None if answers is None else answers.choose(head.accept_encoding, head.if_none_match)

    def _is_between_requests(self) -> bool:
        """Whether uvicorn's parser has only seen complete requests, and all of them are answered."""
        scope: HTTPScope | None = self.scope
        if scope is None:
            return True  # it has seen nothing yet
        cycle: RequestResponseCycle | None = self.cycle
        return (
            cycle is not None
            and cycle.response_complete
            and not cycle.more_body
            and cycle.scope is scope  # a new one is made at the first byte of the next request
            and cycle.keep_alive
            and not self.pipeline
            and not self.transport.is_closing()
        )


# Idle connections. uvicorn times one out only after it has answered a request there itself.

_states_with_sweep: "weakref.WeakSet[ServerState]" = weakref.WeakSet()


def _start_sweep(protocol: Protocol) -> None:
    state = protocol.server_state
    if state not in _states_with_sweep:
        _states_with_sweep.add(state)
        protocol.loop.call_later(protocol.timeout_keep_alive, _sweep, protocol.loop, state, protocol.timeout_keep_alive)


def _sweep(loop: asyncio.AbstractEventLoop, state: ServerState, seconds: float) -> None:
    """Close connections without a request since the last sweep, and abort those that have read nothing of their answer."""
    for connection in list(state.connections):
        if isinstance(connection, Protocol):
            _close_if_idle(connection)
    if state.connections:
        loop.call_later(seconds, _sweep, loop, state, seconds)
    else:
        _states_with_sweep.discard(state)


def _close_if_idle(connection: Protocol) -> None:
    cycle: RequestResponseCycle | None = connection.cycle
    if cycle is not None and not cycle.response_complete:
        connection.swept = None  # the application is at work, or the request's body is coming
        return
    unsent = connection.transport.get_write_buffer_size()
    seen = (connection.answered, id(cycle), unsent)
    if seen == connection.swept:
        if unsent:
            connection.transport.abort()
        else:
            connection.transport.close()
    connection.swept = seen
