"""A real IMAP server (pymap) on loopback with one mailbox, in a process of its own; it forgets all when it ends."""

from __future__ import annotations

import imaplib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from tests.processes import Process, answers, free_port, wait_until

USER, PASSWORD = "canary@mailbox.example", "pass word/:@%"


class ImapServer:
    def __init__(self, port: int) -> None:
        self.port = port

    def url(self, password: str = PASSWORD, scheme: str = "imap") -> str:
        return f"{scheme}://{quote(USER, safe='')}:{quote(password, safe='')}@127.0.0.1:{self.port}/INBOX"

    def put(self, content: bytes) -> None:
        """Deliver a mail."""
        with self.client() as imap:
            status, answer = imap.append("INBOX", "", "", content)
            assert status == "OK", answer

    def subjects(self) -> list[str]:
        """Of the mails that are there, read or not."""
        with self.client() as imap:
            imap.select("INBOX", readonly=True)
            _, answer = imap.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        return [each[1].decode(errors="replace").strip() for each in answer if isinstance(each, tuple)]

    @contextmanager
    def client(self) -> Iterator[imaplib.IMAP4]:
        with imaplib.IMAP4("127.0.0.1", self.port, timeout=10) as imap:
            imap.authenticate("PLAIN", lambda _: f"\0{USER}\0{PASSWORD}".encode())
            yield imap


@contextmanager
def imap_server() -> Iterator[ImapServer]:
    port = free_port()
    command = ["--host", "127.0.0.1", "--port", str(port), "--no-tls"]
    account = ["dict", "--demo-user", USER, "--demo-password", PASSWORD]
    process = Process([Path(sys.executable).with_name("pymap"), *command, *account])
    try:
        wait_until(lambda: answers(port), within=20, what="the IMAP server")
        yield ImapServer(port)
    finally:
        process.stop()
