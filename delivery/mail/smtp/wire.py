"""A pipelined connection on a socket that never blocks."""

import selectors
import smtplib
import socket
import ssl
import time
from contextlib import suppress

from delivery.mail.smtp.conversation import Conversation, Result
from delivery.mail.smtp.message import Message
from delivery.mail.smtp.replies import NotSmtpError, ReplyReader

CHUNK = 65_536
LOST = "the connection was lost before the SMTP server answered"
READ_AND_WRITE = selectors.EVENT_READ | selectors.EVENT_WRITE
NOTHING = memoryview(b"")
NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Wire:
    """Takes one message after another: `begin()` when it is free, `progress()` when its socket is ready."""

    def __init__(self, smtp: smtplib.SMTP, timeout: float) -> None:
        """`timeout`: seconds that the server has for the replies to one write."""
        assert smtp.sock  # noqa: S101 (it has just answered EHLO; for the type checker)
        self.socket = smtp.sock
        self.socket.settimeout(0)
        # The last part of a mail must not wait for the acknowledgement of the part before it.
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.deadline = float("inf")
        self._smtp = smtp
        self._timeout = timeout
        self._conversation = Conversation()
        self._reader = ReplyReader()
        self._output = NOTHING
        self._written = 0
        self._is_encrypted = isinstance(self.socket, ssl.SSLSocket)
        self.watched = self.events
        """What the pool's selector looks out for."""

    @property
    def is_open(self) -> bool:
        return not self._conversation.over

    @property
    def is_free(self) -> bool:
        """Nothing is to be written, and no reply is to come."""
        conversation = self._conversation
        return not (self._output or conversation.is_waiting or conversation.over)

    @property
    def is_fit(self) -> bool:
        """Not half-way through a reply that nobody asked for: the next ones would be misread."""
        return self._reader.is_empty

    @property
    def owes_body(self) -> bool:
        return self._conversation.owes_body

    @property
    def events(self) -> int:
        return READ_AND_WRITE if self._output else selectors.EVENT_READ

    def begin(self, following: Message | None) -> list[Result]:
        """Write the body that is owed and the envelope of the message that follows. Only while `is_free` and `is_fit`."""
        self._written = 0
        self._output = memoryview(self._conversation.write(following))
        self.deadline = time.monotonic() + self._timeout
        return self._write()

    def progress(self) -> list[Result]:
        """Read and write what can be."""
        results = self._write() if self._output else []
        return results + self._read() if self.is_open else results

    def end(self, reason: str) -> list[Result]:
        """Hang up: what becomes of the messages that were on this connection."""
        results = list(self._conversation.end(reason, self._written))
        self._output = NOTHING
        self._smtp.close()
        return results

    def is_stale(self) -> bool:
        """Whether a connection that nobody used has something to say: it is closing, as servers do after a while."""
        try:
            self.socket.recv(CHUNK)
        except NOT_NOW:
            return False
        except OSError:
            return True
        return True

    def close(self) -> None:
        """Take leave, without waiting for the answer."""
        if self.is_free and not self.owes_body:
            with suppress(OSError):
                self.socket.send(b"QUIT\r\n")
        self._conversation.over = self._conversation.over or "closed"
        self._smtp.close()

    def _write(self) -> list[Result]:
        try:
            while self._output:
                count = self.socket.send(self._output)
                self._written += count
                self._output = self._output[count:]
        except NOT_NOW:
            return []
        except OSError:
            # What it said before it hung up may still be there to read.
            results = self._read()
            return results + self.end(LOST) if self.is_open else results
        return []

    def _read(self) -> list[Result]:
        results: list[Result] = []
        try:
            while data := self.socket.recv(CHUNK):
                results += self._take(data)
                # A TLS socket may hold more than the selector knows of.
                if not self.is_open or (len(data) < CHUNK and not self._is_encrypted):
                    return results
        except NOT_NOW:
            return results
        except OSError:
            pass
        return results + self.end(LOST)

    def _take(self, data: bytes) -> list[Result]:
        if self._reader.is_empty and (usual := self._conversation.take_all(data)):
            return [usual]
        results: list[Result] = []
        try:
            for reply in self._reader.feed(data):
                if result := self._conversation.take(reply):
                    results.append(result)
                if not self.is_open:
                    return results + self.end("")
        except NotSmtpError as error:
            return results + self.end(str(error))
        return results
