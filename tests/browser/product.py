"""The product as a new user starts it, for the tests that look at it through a browser."""

import email
import email.policy
import fcntl
import os
import re
import secrets
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlencode

from tests.processes import Process, free_port, python, wait_until

START_SECONDS = 90
STAFF, PASSWORD = "olga@example.com", "correct-horse-battery"


@contextmanager
def collected_static_files() -> Iterator[Path]:
    """Where the first product of a run stores its static files and the others find them: packing takes as long as the
    rest of a start. One at a time, in whichever worker of pytest-xdist."""
    run = Path(os.environ["DATA_DIR"])
    with (run / "packing").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield run / "packed"


class Product:
    """`manage.py up` on a port and a data directory of its own, with the demo page unless `options` say otherwise.

    `url`: where a proxy will serve it.
    """

    def __init__(self, data: Path, *options: str, url: str = "") -> None:
        self.data, self.port = data, free_port()
        self.url = url or f"http://localhost:{self.port}"
        # What the tests of other folders set must not reach it: it starts as from an empty shell.
        unset = dict.fromkeys(("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "LOG_LEVEL"), "") | {"PUBLIC_URL": url}
        given = {"ADMIN_EMAIL": STAFF, "ADMIN_PASSWORD": PASSWORD, "PORT": str(self.port), "DATA_DIR": str(data)}
        with collected_static_files() as static:
            given |= {"STATIC_ROOT": str(static), "WEB_PROCESSES": "1"}
            self.process = Process(python("manage.py", "up", *options), env=unset | given, log=data.with_suffix(".log"))
            wait_until(lambda: self._has_collected(static), within=START_SECONDS, what="the static files")

    def _has_collected(self, static: Path) -> bool:
        assert self.process.running(), self.process.output
        return (static / ".sources").exists()

    def wait(self) -> None:
        wait_until(self._is_ready, within=START_SECONDS, what="the page")

    def _is_ready(self) -> bool:
        assert self.process.running(), self.process.output
        return "Ready. Ctrl-C stops everything." in self.process.output

    def stop(self) -> None:
        self.process.stop(within=60)

    def get(self, path: str) -> str:
        with urllib.request.urlopen(self.url + path, timeout=10) as answer:
            return answer.read().decode()

    def post(self, path: str, *fields: tuple[str, str]) -> str:
        body = urlencode(fields).encode()
        with urllib.request.urlopen(self.url + path, body, timeout=10) as answer:
            return answer.read().decode()

    # Mail: .eml files in the data directory, until a server is configured

    def mails(self, to: str) -> list[EmailMessage]:
        """Oldest first."""
        paths = sorted((self.data / "mail").glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
        found = [email.message_from_bytes(path.read_bytes(), policy=email.policy.default) for path in paths]
        return [mail for mail in found if mail["To"] and to in str(mail["To"])]  # type: ignore[misc]

    def wait_for_mail(self, to: str, subject: str, *, within: float = 10) -> EmailMessage:
        def newest() -> EmailMessage | None:
            return next((mail for mail in reversed(self.mails(to)) if subject in str(mail["Subject"])), None)

        return wait_until(newest, within=within, what=f"a mail “{subject}” to {to}")

    def subscribe(self, address: str) -> None:
        """Ask, and confirm by the link in the mail, without a browser."""
        self.post("/subscribe", ("email", address), ("scope", "everything"))
        self.post(path_in(self.wait_for_mail(address, "Confirm"), "/subscribe/confirm/"))


def new_address() -> str:
    """One that nobody has used yet, so that no limit on mails is in the way."""
    return f"reader{secrets.token_hex(4)}@reader.example"


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part
    return part.get_content()


def html_of(mail: EmailMessage) -> str:
    part = mail.get_body(("html",))
    assert part
    return part.get_content()


def path_in(mail: EmailMessage, start: str) -> str:
    """The path of the link in the mail's text that begins with `start`."""
    found = re.search(rf"http://localhost:\d+({re.escape(start)}\S+)", text_of(mail))
    assert found, text_of(mail)
    return found[1]
