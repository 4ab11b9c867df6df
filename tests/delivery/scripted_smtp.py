"""An SMTP server on loopback that answers as its script says, at every step, and keeps what it took.

It reads commands one after another, pipelined or not, as real servers do. Where the script has no answer
it behaves: a recipient that was refused leaves the message without recipients, DATA then gets 554.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from tests.processes import wait_until

GOOD = {
    "greet": b"220 scripted ESMTP\r\n",
    "mail": b"250 2.1.0 Ok\r\n",
    "rcpt": b"250 2.1.5 Ok\r\n",
    "data": b"354 End with a dot\r\n",
    "body": b"250 2.0.0 Ok: queued\r\n",
    "rset": b"250 2.0.0 Ok\r\n",
    "auth": b"235 2.7.0 Ok\r\n",
    "starttls": b"220 2.0.0 Go\r\n",
}


class CloseError(Exception):
    """Raised by a script: close the connection without a word."""

    last_words = b""


class CloseInsideReplyError(CloseError):
    """Raised by a script: close the connection in the middle of a reply."""

    last_words = b"25"


class TakeAndCloseError(CloseError):
    """Raised by a script for a body: keep the message, and close without saying so."""


class SilenceError(Exception):
    """Raised by a script: say nothing more, keep the connection."""


@dataclass(frozen=True)
class Moment:
    """Where a script is asked."""

    step: str
    """greet, ehlo, auth, starttls, mail, rcpt, data, body, rset, quit"""
    address: str
    """The recipient of this message; "" before RCPT."""
    nth: int
    """How many times this step (with this address) has come, over all connections, from 1."""
    connection: int
    """From 1."""


Script = Callable[[Moment], "bytes | None"]


@dataclass
class Taken:
    sender: str
    address: str
    data: bytes
    """As it came, with dots unstuffed."""
    connection: int


@dataclass
class ScriptedServer:
    script: Script = lambda moment: None
    extensions: tuple[str, ...] = ("PIPELINING", "8BITMIME")
    tls: ssl.SSLContext | None = None
    """For STARTTLS."""
    taken: list[Taken] = field(default_factory=list)
    connections: int = 0
    at_once: int = 0
    most_at_once: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: Counter[tuple[str, str]] = Counter()
        self._stop = threading.Event()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept)

    def __enter__(self) -> Self:
        self._acceptor.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for each in self._sockets:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        self._acceptor.join(5)
        for thread in self._threads:
            thread.join(5)
            assert not thread.is_alive()

    def hang_up(self, *, until_all_are_gone: bool = True) -> None:
        """Close every connection that is open now."""
        with self._lock:
            for each in self._sockets:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
        if until_all_are_gone:
            wait_until(lambda: self.at_once == 0, what="the end of all connections")

    @property
    def received(self) -> list[tuple[str, bytes]]:
        """Recipient and content of what was taken, in order."""
        return [(each.address, each.data) for each in list(self.taken)]

    def times(self, address: str) -> int:
        """How many messages to this address were taken."""
        return sum(each.address == address for each in self.taken)

    def _accept(self) -> None:
        while not self._stop.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self.at_once += 1
                self.most_at_once = max(self.most_at_once, self.at_once)
                number = self.connections
                self._sockets.add(client)
            thread = threading.Thread(target=self._serve, args=(client, number))
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket, number: int) -> None:
        session = _Session(self, client, number)
        try:
            session.run()
        except SilenceError:
            self._stop.wait(30)
        except CloseError as end:
            with contextlib.suppress(OSError):
                session.client.sendall(end.last_words)
        except OSError:
            pass
        finally:
            with self._lock:
                self.at_once -= 1
                self._sockets -= {client, session.client}
            session.client.close()
            client.close()

    def keep(self, client: socket.socket) -> None:
        """A connection under another object: TLS takes the place of the plain one."""
        with self._lock:
            self._sockets.add(client)

    def answer(self, step: str, address: str, connection: int, good: bytes) -> bytes:
        with self._lock:
            self._seen[step, address] += 1
            nth = self._seen[step, address]
        scripted = self.script(Moment(step, address, nth, connection))
        return good if scripted is None else scripted


class _Session:
    def __init__(self, server: ScriptedServer, client: socket.socket, number: int) -> None:
        self.server, self.client, self.number = server, client, number
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = client.makefile("rb")
        self.sender = self.address = ""

    def run(self) -> None:
        self.say("greet")
        while line := self.file.readline():
            verb = line.split()[0].upper().decode() if line.split() else ""
            if verb == "QUIT":
                self.say("quit", b"221 Bye\r\n")
                return
            self.command(verb, line.decode())

    def command(self, verb: str, line: str) -> None:
        if verb in ("EHLO", "HELO"):
            words = ["scripted", *self.server.extensions]
            lines = [f"250{'-' if n < len(words) - 1 else ' '}{word}\r\n" for n, word in enumerate(words)]
            self.say("ehlo", "".join(lines).encode())
        elif verb == "AUTH":
            self.say("auth")
        elif verb == "STARTTLS":
            self.say("starttls")
            assert self.server.tls
            self.client = self.server.tls.wrap_socket(self.client, server_side=True)
            self.server.keep(self.client)
            self.file = self.client.makefile("rb")
        elif verb == "RSET":
            self.sender = self.address = ""
            self.say("rset")
        elif verb == "MAIL":
            self.mail(self.inside(line))
        elif verb == "RCPT":
            self.rcpt(self.inside(line))
        elif verb == "DATA":
            self.data()
        else:
            self.client.sendall(b"500 What?\r\n")

    @staticmethod
    def inside(line: str) -> str:
        found = re.search("<(.*)>", line)
        assert found, line
        return found[1]

    def mail(self, sender: str) -> None:
        if self.sender:
            self.client.sendall(b"503 5.5.1 Nested MAIL\r\n")
        elif self.say("mail").startswith(b"2"):
            self.sender = sender

    def rcpt(self, address: str) -> None:
        if not self.sender:
            self.client.sendall(b"503 5.5.1 MAIL first\r\n")
        elif self.say("rcpt", address=address).startswith(b"2"):
            self.address = address

    def data(self) -> None:
        if not self.address:
            good = b"554 5.5.1 No valid recipients\r\n" if self.sender else b"503 5.5.1 MAIL first\r\n"
            if not self.say("data", good).startswith(b"354"):
                return
        elif not self.say("data", address=self.address).startswith(b"354"):
            return
        lines = []
        while (line := self.file.readline()) != b".\r\n":
            if not line:
                raise CloseError
            lines.append(line[1:] if line.startswith(b".") else line)
        sender, address, self.sender, self.address = self.sender, self.address, "", ""
        if not address:
            self.client.sendall(b"554 5.5.1 No valid recipients\r\n")
            return
        taken = Taken(sender, address, b"".join(lines), self.number)
        try:
            reply = self.server.answer("body", address, self.number, GOOD["body"])
        except TakeAndCloseError:
            self.server.taken.append(taken)
            raise
        if reply.startswith(b"2"):
            self.server.taken.append(taken)
        self.client.sendall(reply)

    def say(self, step: str, good: bytes = b"", address: str = "") -> bytes:
        reply = self.server.answer(step, address, self.number, good or GOOD.get(step, b"250 Ok\r\n"))
        self.client.sendall(reply)
        return reply
