"""SMTP servers on loopback: a real one (aiosmtpd) that keeps what it gets, and one that misbehaves by script."""

from __future__ import annotations

import socket
import ssl
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from types import ModuleType
from typing import Any

from tests.certificates import certificate_for


@contextmanager
def _its_own_public() -> Iterator[None]:
    """Aiosmtpd imports `public` from the package atpublic, whose name our app of that name hides."""
    ours = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] == "public"}
    theirs = ModuleType("public")
    theirs.public = lambda each: each  # type: ignore[attr-defined]
    sys.modules["public"] = theirs
    try:
        yield
    finally:
        del sys.modules["public"]
        sys.modules.update(ours)


with _its_own_public():
    from aiosmtpd.controller import Controller
    from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Mailbox:
    """What a server accepted, in order: (recipient, content)."""

    host: str = "127.0.0.1"
    port: int = 0
    received: list[tuple[str, bytes]] = field(default_factory=list)

    @property
    def recipients(self) -> list[str]:
        return [address for address, _ in self.received]

    @property
    def messages(self) -> list[EmailMessage]:
        return [message_from_bytes(content, policy=policy.default) for _, content in self.received]  # type: ignore[misc]


class _Handler:
    def __init__(self, mailbox: Mailbox, refused: dict[str, str]) -> None:
        self.mailbox, self.refused = mailbox, refused

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        self.mailbox.received += [(address, envelope.content) for address in envelope.rcpt_tos]
        return "250 OK"


@contextmanager
def real_server(refused: dict[str, str] | None = None, **options: Any) -> Iterator[Mailbox]:
    """Aiosmtpd on a free port. `refused` gives answers to RCPT by address; the rest goes to Controller."""
    mailbox = Mailbox(port=free_port())
    controller = Controller(_Handler(mailbox, refused or {}), hostname=mailbox.host, port=mailbox.port, **options)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


GOOD = {
    "greeting": "220 ready",
    "EHLO": "250-here\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME",
    "AUTH": "235 welcome",
    "MAIL": "250 OK",
    "RCPT": "250 OK",
    "DATA": "354 go on",
    "dot": "250 taken",
    "RSET": "250 OK",
    "QUIT": "221 bye",
}
SILENT = "silent"
HANG_UP = "hang up"
KEEP_THEN_HANG_UP = "keep, then hang up"
"""Takes the message as delivered, and closes without an answer."""


class BadServer(Mailbox):
    """Answers as scripted: {step: [answer, answer, …]}, each used once, then the good answer.

    An answer is a reply line, or one of SILENT, HANG_UP and KEEP_THEN_HANG_UP. A reply that starts with
    421 closes the connection.
    """

    def __init__(self, script: dict[str, list[str]], *, forever: bool = False) -> None:
        super().__init__()
        self.script = {step: list(answers) for step, answers in script.items()}
        self.forever = forever
        self.connections = 0
        self.on_taken: Callable[[], object] | None = None
        """Called when a message is taken, before the server says so."""
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = socket.create_server((self.host, 0))
        self._server.settimeout(0.05)
        self.port = self._server.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        self._closing.set()
        for thread in self._threads:
            thread.join(5)
        self._server.close()

    def _accept(self) -> None:
        while not self._closing.is_set():
            with suppress(TimeoutError):
                connection, _ = self._server.accept()
                self.connections += 1
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _answer_to(self, step: str) -> str:
        with self._lock:
            answers = self.script.get(step)
            if not answers:
                return GOOD.get(step, "502 what")
            return answers[0] if self.forever else answers.pop(0)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(20)
        with connection, connection.makefile("rb") as lines, suppress(OSError):
            recipient, message, step = "", ("", b""), "greeting"
            while not self._closing.is_set():
                answer = self._answer_to(step)
                if step == "dot":
                    self._take(message, answer)
                if not self._say(connection, answer) or step == "QUIT":
                    return
                if answer.startswith("354"):
                    message, step = (recipient, _read_message(lines)), "dot"
                    continue
                line = lines.readline().decode().strip()
                step = line.split(" ")[0].upper()
                if step == "RCPT":
                    recipient = line.partition("<")[2].rstrip(">")
                if not line:
                    return

    def _take(self, message: tuple[str, bytes], answer: str) -> None:
        if answer == KEEP_THEN_HANG_UP or answer.startswith("250"):
            self.received.append(message)
            if self.on_taken:
                self.on_taken()

    def _say(self, connection: socket.socket, answer: str) -> bool:
        """False when the connection is over."""
        if answer == SILENT:
            self._closing.wait(20)
        if answer in (SILENT, HANG_UP, KEEP_THEN_HANG_UP):
            return False
        connection.sendall(answer.encode() + b"\r\n")
        return not answer.startswith("421")


def _read_message(lines: Any) -> bytes:
    kept = []
    while (line := lines.readline()) not in (b".\r\n", b""):
        kept.append(line[1:] if line.startswith(b".") else line)
    return b"".join(kept)


@contextmanager
def bad_server(script: dict[str, list[str]], *, forever: bool = False) -> Iterator[BadServer]:
    server = BadServer(script, forever=forever)
    try:
        yield server
    finally:
        server.close()


def self_signed_context(directory: Any) -> ssl.SSLContext:
    """A server's TLS context with a certificate that nobody trusts; it is for 127.0.0.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate_for("127.0.0.1", directory))
    return context
