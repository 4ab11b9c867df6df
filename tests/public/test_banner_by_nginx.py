"""The example of docs/banner.md for nginx, as it stands there: a server-side include of /embed/fragment."""

from __future__ import annotations

import re
import shutil
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.conf import settings

from tests.http_servers import Reply, Sent, listening
from tests.processes import Process, answers, free_port, wait_until

if TYPE_CHECKING:
    from components.models import Component
    from pages.models import Page
    from tests.public.conftest import Get

DOCS = (settings.BASE_DIR / "docs" / "banner.md").read_text()
TOLD = b'<p class="status-banner major"><strong>Identified</strong></p>'


def test_the_fragment_is_empty_until_there_is_something_to_tell(get: Get, acme: Page, chat: Component) -> None:
    from incidents.models import Incident, Post

    assert get("/embed/fragment").content == b""
    update = Incident.open(acme, "A <b> & C", Post("It **breaks** at times."))
    shown = get("/embed/fragment").content.decode()
    assert shown.startswith('<p class="status-banner ')
    assert f'<a href="{acme.url}/incidents/{update.incident.code}">A &lt;b&gt; &amp; C</a>' in shown
    assert "It breaks at times." in shown


class App:
    """nginx with the configuration of the documentation, on ports of ours, and a status page that is another server."""

    def __init__(self, directory: Path, status_url: str) -> None:
        found = re.search(r"```nginx\n(.*?)```", DOCS, re.DOTALL)
        assert found
        self.port, config = free_port(), found[1]
        changes = {
            "/var/cache/nginx/status": f"{directory}/cache",
            "listen 80;": f"listen 127.0.0.1:{self.port};",
            "/var/www": str(directory),
            "https://status.example.com": status_url,
        }
        for given, ours in changes.items():
            assert given in config
            config = config.replace(given, ours)
        include = re.search(r"<!--# include .*-->", DOCS)
        assert include
        (directory / "index.html").write_text(f"<h1>Shop</h1>{include[0]}<p>Things</p>")
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        temporary = "".join(f"{kind}_temp_path {directory}/{kind}; " for kind in kinds)
        (directory / "nginx.conf").write_text(
            f"daemon off; pid {directory}/pid; error_log {directory}/error.log;\nevents {{}}\n"
            f"http {{ access_log off; types {{ text/html html; }} {temporary}\n{config}\n}}\n"
        )
        directory.chmod(0o755)
        self.process = Process(["nginx", "-p", str(directory), "-c", str(directory / "nginx.conf")])
        wait_until(lambda: answers(self.port), what="nginx")

    def read(self) -> bytes:
        asked = urllib.request.Request(f"http://127.0.0.1:{self.port}/", headers={"Accept-Encoding": "gzip, br"})
        with urllib.request.urlopen(asked, timeout=20) as answer:
            body: bytes = answer.read()
        return body


@pytest.fixture
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that the workers of an nginx that root started can read, too."""
    path = Path(tmp_path_factory.mktemp("nginx"))
    for parent in (path, *path.parents[:2]):
        parent.chmod(parent.stat().st_mode | 0o055)
    return path


@pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed")
def test_nginx_includes_it_keeps_it_and_serves_its_pages_without_it(directory: Path) -> None:
    bodies = [Reply(body=TOLD, headers={"Content-Type": "text/html"})]

    def answer(sent: Sent) -> Reply:
        assert sent.path == "/embed/fragment"
        return bodies.pop(0) if bodies else Reply(503, b"busy")

    with listening(answer) as status:
        app = App(directory, status.url)
        try:
            assert [app.read() for _ in range(3)] == [b"<h1>Shop</h1>" + TOLD + b"<p>Things</p>"] * 3
            assert len(status.requests) == 1
            shutil.rmtree(directory / "cache")
            app.process.stop()
            app = App(directory, status.url)  # nothing is kept, and the status page is down
            assert app.read() == b"<h1>Shop</h1><p>Things</p>"
        finally:
            app.process.stop()
