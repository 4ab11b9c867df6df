"""A pipelined SMTP connection on a non-blocking socket."""

import selectors
import smtplib
import socket
import ssl
import time
from contextlib import suppress

from delivery.mail.smtp.conversation import Conversation, SmtpResult
from delivery.mail.smtp.outgoing_mail import OutgoingMail
from delivery.mail.smtp.replies import NotSmtpError, ReplyReader

READ_BYTES = 65_536
LOST = "the connection was lost before the SMTP server answered"
READ_AND_WRITE = selectors.EVENT_READ | selectors.EVENT_WRITE
NOTHING = memoryview(b"")
NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class PipelinedConnection:
    """Sends one message after another: call `begin()` when it is free, and `progress()` when its socket is ready."""

    def __init__(self, smtp: smtplib.SMTP, timeout: float) -> None:
        """`timeout`: seconds within which the server must reply to a write."""
        assert smtp.sock  # noqa: S101 (it has just answered EHLO; for the type checker)
        self.socket = smtp.sock
        self.socket.settimeout(0)
        # Without this the last part of a mail would wait until the part before it is acknowledged.
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
        """The events that the pool's selector waits for."""

    @property
    def is_open(self) -> bool:
        return not self._conversation.over

    @property
    def is_free(self) -> bool:
        """Whether nothing is left to write and no reply is expected."""
        conversation = self._conversation
        return not (self._output or conversation.is_waiting or conversation.over)

    @property
    def is_fit(self) -> bool:
        """Whether no part of an unexpected reply has arrived; after one, later replies would be matched wrongly."""
        return self._reader.is_empty

    @property
    def owes_body(self) -> bool:
        return self._conversation.owes_body

    @property
    def events(self) -> int:
        return READ_AND_WRITE if self._output else selectors.EVENT_READ

    def begin(self, following: OutgoingMail | None) -> list[SmtpResult]:
        """Write the body that is owed and the envelope of the following message. Only while `is_free` and `is_fit`."""
        self._written = 0
        self._output = memoryview(self._conversation.write(following))
        self.deadline = time.monotonic() + self._timeout
        return self._write()

    def progress(self) -> list[SmtpResult]:
        """Read and write as far as possible without blocking."""
        results = self._write() if self._output else []
        return results + self._read() if self.is_open else results

    def end(self, reason: str) -> list[SmtpResult]:
        """Close the connection; returns the results of the messages that had none."""
        results = list(self._conversation.end(reason, self._written))
        self._output = NOTHING
        self._smtp.close()
        return results

    def is_stale(self) -> bool:
        """Whether data waits on an idle connection: the server is closing it, as servers do after a while."""
        try:
            self.socket.recv(READ_BYTES)
        except NOT_NOW:
            return False
        except OSError:
            return True
        return True

    def close(self) -> None:
        """Send QUIT without waiting for the answer, and close."""
        if self.is_free and not self.owes_body:
            with suppress(OSError):
                self.socket.send(b"QUIT\r\n")
        self._conversation.over = self._conversation.over or "closed"
        self._smtp.close()

    def _write(self) -> list[SmtpResult]:
        try:
            while self._output:
                count = self.socket.send(self._output)
                self._written += count
                self._output = self._output[count:]
        except NOT_NOW:
            return []
        except OSError:
            # A reply that the server sent before it closed the connection may still be readable.
            results = self._read()
            return results + self.end(LOST) if self.is_open else results
        return []

    def _read(self) -> list[SmtpResult]:
        results: list[SmtpResult] = []
        try:
            while data := self.socket.recv(READ_BYTES):
                results += self._take(data)
                # A TLS socket may have buffered more data, of which the selector knows nothing.
                if not self.is_open or (len(data) < READ_BYTES and not self._is_encrypted):
                    return results
        except NOT_NOW:
            return results
        except OSError:
            pass
        return results + self.end(LOST)

    def _take(self, data: bytes) -> list[SmtpResult]:
        if self._reader.is_empty and (usual := self._conversation.take_all(data)):
            return [usual]
        results: list[SmtpResult] = []
        try:
            for reply in self._reader.feed(data):
                if result := self._conversation.take(reply):
                    results.append(result)
                if not self.is_open:
                    return results + self.end("")
        except NotSmtpError as error:
            return results + self.end(str(error))
        return results
