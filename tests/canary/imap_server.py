"""A real IMAP server (pymap) on loopback with one mailbox, in a process of its own; it forgets all when it ends.

And somebody on the way to it who reads along and changes what it says.
"""

from __future__ import annotations

import imaplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from tests.processes import Process, answers, free_port, python, wait_until

USER, PASSWORD = "canary@mailbox.example", "pass word/:@%"
# pymap makes each sign-in slow on purpose, with half a million rounds of hashing.
PYMAP = """
from pysasl.hashing import BuiltinHash
BuiltinHash.__init__.__kwdefaults__["rounds"] = 1
from pymap.main import main
main()
"""
# pymap itself knows STARTTLS only.
IMPLICIT_TLS = """
import asyncio, functools, ssl, sys
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(sys.argv.pop(1))
asyncio.start_server = functools.partial(asyncio.start_server, ssl=context)
"""


class ImapServer:
    def __init__(self, port: int, tls: str = "") -> None:
        """`tls`: the scheme that it takes passwords by, "imaps" or "imap+tls"; "" for none."""
        self.port, self.tls = port, tls

    def url(self, password: str = PASSWORD, scheme: str = "imap") -> str:
        return f"{scheme}://{quote(USER, safe='')}:{quote(password, safe='')}@127.0.0.1:{self.port}/INBOX"

    def put(self, content: bytes) -> None:
        """Deliver a mail."""
        with self.client() as imap:
            status, answer = imap.append("INBOX", "", "", content)
            assert status == "OK", answer

    def empty(self) -> None:
        """Delete all mails."""
        with self.client() as imap:
            imap.select("INBOX")
            imap.store("1:*", "+FLAGS", r"(\Deleted)")
            imap.expunge()

    def subjects(self) -> list[str]:
        """Of the mails that are there, read or not."""
        with self.client() as imap:
            imap.select("INBOX", readonly=True)
            _, answer = imap.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        return [each[1].decode(errors="replace").strip() for each in answer if isinstance(each, tuple)]

    @contextmanager
    def client(self) -> Iterator[imaplib.IMAP4]:
        with self._connect() as imap:
            imap.authenticate("PLAIN", lambda _: f"\0{USER}\0{PASSWORD}".encode())
            yield imap

    def _connect(self) -> imaplib.IMAP4:
        anybody = ssl._create_unverified_context()
        if self.tls == "imaps":
            return imaplib.IMAP4_SSL("127.0.0.1", self.port, timeout=10, ssl_context=anybody)
        imap = imaplib.IMAP4("127.0.0.1", self.port, timeout=10)
        if self.tls:
            imap.starttls(anybody)
        return imap


@contextmanager
def imap_server(tls: str = "", certificate: Path | None = None) -> Iterator[ImapServer]:
    """`tls` as ImapServer has it; `certificate`: chain and key in one file."""
    port = free_port()
    pymap = python("-c", PYMAP)
    options = ["--host", "127.0.0.1", "--host", "127.0.0.2", "--port", str(port)]
    if tls == "imaps":
        pymap = python("-c", IMPLICIT_TLS + PYMAP, str(certificate))
    options += ["--cert", str(certificate), "--key", str(certificate)] if tls == "imap+tls" else ["--no-tls"]
    process = Process([*pymap, *options, "dict", "--demo-user", USER, "--demo-password", PASSWORD])
    try:
        wait_until(lambda: answers(port), within=20, what="the IMAP server")
        yield ImapServer(port, tls)
    finally:
        process.stop()


class ReadsAlong:
    """Between a client and the server: keeps all that the client says, and changes what the server answers.

    `change` hangs up on the client by raising OSError.
    """

    def __init__(self, server: ImapServer, change: Callable[[bytes], bytes]) -> None:
        self.overheard = bytearray()
        self._server, self._change = server, change
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """Once the client has hung up."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                thread = threading.Thread(target=self._serve, args=(client,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._server.port), 10) as server:
            back = threading.Thread(target=self._answer, args=(server, client), daemon=True)
            back.start()
            with suppress(OSError):
                while said := client.recv(65536):
                    self.overheard += said
                    server.sendall(said)
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            back.join(5)

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while said := server.recv(65536):
                client.sendall(self._change(said))
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


@contextmanager
def reading_along(server: ImapServer, change: Callable[[bytes], bytes] = bytes) -> Iterator[ReadsAlong]:
    between = ReadsAlong(server, change)
    try:
        yield between
    finally:
        between.close()
