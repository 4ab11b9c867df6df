"""Importing over HTTP, from a server here that answers well and badly."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from core.fetch import FetchError, fetch
from incidents.models import Incident
from pages.models import Page

FIXTURES = Path(__file__).parent / "fixtures"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        answer = getattr(
            self, "answer_" + self.path.strip("/").replace("/", "_").replace(".", "_").replace("-", "_"), None
        )
        if answer is None:
            self.send_error(404)
        else:
            answer()

    def send(self, body: bytes, *, length: int | None = None) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def redirect(self, target: str) -> None:
        self.send_response(302)
        self.send_header("Location", target)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer_api_v2_summary_json(self) -> None:
        self.send((FIXTURES / "summary.json").read_bytes())

    def answer_api_v2_incidents_json(self) -> None:
        self.send(b'{"page": ' + self.page() + b', "incidents": []}')

    def answer_api_v2_scheduled_maintenances_json(self) -> None:
        self.send(b'{"page": ' + self.page() + b', "scheduled_maintenances": []}')

    def page(self) -> bytes:
        import json

        return json.dumps(json.loads((FIXTURES / "summary.json").read_bytes())["page"]).encode()

    def answer_history_atom(self) -> None:
        self.send((FIXTURES / "history.atom").read_bytes())

    def answer_moved(self) -> None:
        self.redirect("/api/v2/summary.json")

    def answer_to_a_file(self) -> None:
        self.redirect("file:///etc/passwd")

    def answer_to_ftp(self) -> None:
        self.redirect("ftp://127.0.0.1/x")

    def answer_in_circles(self) -> None:
        self.redirect("/in/circles")

    def answer_large(self) -> None:
        self.send(b"x" * 5000)

    def answer_cut(self) -> None:
        self.send(b"x" * 10, length=500)

    def answer_drip(self) -> None:
        self.send(b"", length=500)
        try:
            for _ in range(100):
                self.wfile.write(b"x")
                time.sleep(0.05)
        except OSError:
            pass  # the other side has had enough, which is what the test waits for

    def log_message(self, *args: Any) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(5)
    server.server_close()


@pytest.mark.django_db
def test_a_pages_address_stands_for_all_its_documents(address: str) -> None:
    output, errors = StringIO(), StringIO()
    call_command("import_statuspage", f"{address}/", stdout=output, stderr=errors)
    assert "[4/4]" in errors.getvalue()
    assert Page.objects.get().url == "https://status.acme.example"
    assert Incident.objects.count() == 3


@pytest.mark.django_db
def test_a_document_that_is_not_there_is_told_and_nothing_is_stored(address: str) -> None:
    with pytest.raises(CommandError, match="answered 404"):
        call_command("import_statuspage", f"{address}/absent.json", stdout=StringIO(), stderr=StringIO())
    assert not Page.objects.exists()


def test_a_redirect_on_the_web_is_followed(address: str) -> None:
    assert b"acme00page01" in fetch(f"{address}/moved", limit_bytes=100_000, timeout=5)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/to/a/file", "not followed"),
        ("/to/ftp", "not followed"),
        ("/in/circles", "more than 5 times"),
        ("/large", "more than 1000 bytes"),
        ("/cut", "broke off"),
        ("/absent", "404"),
    ],
)
def test_what_cannot_be_read_is_told(address: str, path: str, words: str) -> None:
    with pytest.raises(FetchError, match=words):
        fetch(address + path, limit_bytes=1000, timeout=5)


def test_a_server_that_drips_does_not_hold_us(address: str) -> None:
    began = time.monotonic()
    with pytest.raises(FetchError, match="too long"):
        fetch(f"{address}/drip", limit_bytes=1000, timeout=0.5)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/", "gopher://x", "/etc/passwd", "http://"])
def test_only_web_addresses_are_read(url: str) -> None:
    with pytest.raises(FetchError):
        fetch(url, limit_bytes=1000, timeout=1)


def test_a_closed_port_is_told() -> None:
    from tests.processes import free_port

    with pytest.raises(FetchError, match="could not be read"):
        fetch(f"http://127.0.0.1:{free_port()}/", limit_bytes=1000, timeout=2)
