"""One connection of an event loop, plain or TLS, on a socket that never blocks."""

import asyncio
import contextlib
import select
import socket
import ssl
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
READ_BYTES = 64 * 1024


class AsyncConnection:
    """The loop watches its socket from the first `receive` until it is closed or says what nobody waits for: to begin
    and end watching for each answer costs as much as reading it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._is_watched = False
        self._receiving: asyncio.Future[bytes] | None = None

    @classmethod
    async def open(cls, address: str, port: int) -> "AsyncConnection":
        sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.settimeout(0)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().sock_connect(sock, (address, port))
        except BaseException:
            sock.close()
            raise
        return cls(sock)

    async def secure(self, context: ssl.SSLContext, host: str) -> None:
        """Begins TLS. Raises OSError, of which ssl.SSLError is one; ValueError for a name that none can have."""
        secured = context.wrap_socket(self._sock, server_hostname=host, do_handshake_on_connect=False)
        self._sock = secured
        await self._step(secured.do_handshake, is_reading=True)

    async def send(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[await self._step(lambda: self._sock.send(left), is_reading=False) :]  # noqa: B023 (called at once)

    async def receive(self) -> bytes:
        """What comes next; b"" when the other side has closed. Raises OSError."""
        if isinstance(self._sock, ssl.SSLSocket) and self._sock.pending():  # read from the socket, and not by us
            return await self._step(lambda: self._sock.recv(READ_BYTES), is_reading=True)
        if not self._is_watched:
            self._loop.add_reader(self._sock.fileno(), self._read)
            self._is_watched = True
        self._receiving = self._loop.create_future()
        try:
            return await self._receiving
        finally:
            self._receiving = None

    def receive_now(self) -> bytes | None:
        """What has come; None for nothing. Raises OSError."""
        try:
            return self._sock.recv(READ_BYTES)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return None

    @property
    def is_quiet(self) -> bool:
        """Neither closed by the other side, nor has it said a thing that nobody asked for."""
        watch = select.poll()
        watch.register(self._sock, select.POLLIN)
        if not watch.poll(0):
            return True
        with contextlib.suppress(OSError):
            return self.receive_now() is None  # TLS says things of its own
        return False

    def close(self) -> None:
        self._watch_no_more()
        self._sock.close()

    def _read(self) -> None:
        """The loop's call when something has come."""
        if self._receiving is None or self._receiving.done():
            self._watch_no_more()  # whoever uses the connection next asks what it was
            return
        try:
            data = self.receive_now()
        except OSError as error:
            self._receiving.set_exception(error)
            return
        if data is not None:
            self._receiving.set_result(data)

    def _watch_no_more(self) -> None:
        if self._is_watched:
            self._loop.remove_reader(self._sock.fileno())
            self._is_watched = False

    async def _step(self, attempt: Callable[[], T], *, is_reading: bool) -> T:
        while True:
            try:
                return attempt()
            except ssl.SSLWantReadError:
                await self._ready(is_reading=True)
            except ssl.SSLWantWriteError:
                await self._ready(is_reading=False)
            except BlockingIOError:
                await self._ready(is_reading=is_reading)

    async def _ready(self, *, is_reading: bool) -> None:
        """Until the socket can be read from, or written to."""
        ready = self._loop.create_future()
        number = self._sock.fileno()
        if is_reading:
            self._watch_no_more()
        add, remove = (
            (self._loop.add_reader, self._loop.remove_reader)
            if is_reading
            else (self._loop.add_writer, self._loop.remove_writer)
        )
        add(number, _tell, ready)
        try:
            await ready
        finally:
            remove(number)


def _tell(ready: "asyncio.Future[None]") -> None:
    if not ready.done():
        ready.set_result(None)
