"""A web process whose database goes away: killed, frozen, and gone while the process starts again."""

import contextlib
import http.client
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.processes import ROOT, PostgresServer, Process, free_port, wait_until

pytestmark = [pytest.mark.faults, pytest.mark.once, pytest.mark.timeout(240)]

FILL = """
import django; django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from bench.data import Size, fill
fill(["http://status.localhost"], Size(components=5, groups=2, incidents=4))
"""
POST = """
import django; django.setup()
from components.models import Component
from pages.models import Page
Component.objects.filter(position=0).update(name="{name}")
Page.objects.get().raise_generation()
"""


@dataclass
class Site:
    """A page in a PostgreSQL of its own, and the web process that serves it."""

    database: PostgresServer
    data: Path
    port: int = field(default_factory=free_port)
    web: Process | None = None

    @property
    def env(self) -> dict[str, str]:
        return {
            "DATABASE_URL": self.database.url,
            "DATA_DIR": str(self.data),
            "REDIS_URL": "redis+socket:///nowhere/redis.sock",
            "ALLOWED_HOSTS": ".localhost",
            "PORT": str(self.port),
            "WEB_PROCESSES": "1",
            "DJANGO_SETTINGS_MODULE": "statuspage.settings",
        }

    def run(self, program: str) -> None:
        env = {**os.environ, **self.env}
        subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=env, check=True, timeout=120)

    def start(self) -> None:
        self.web = Process([sys.executable, "-m", "statuspage.web"], env=self.env)
        wait_until(lambda: self.get("/livez")[0] == 200, within=60, what="the web server")

    def stop(self) -> None:
        if self.web:
            self.web.kill()  # without a chance to say good-bye
            self.web = None

    def get(self, path: str) -> tuple[int, dict[str, str], str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Host": "status.localhost"})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read().decode()

    def wait_for_copy(self) -> None:
        """Until the copy on disk is of the page's present generation, and complete."""
        wait_until((self.data / "edition" / "listing.json").exists, within=60, what="the copy on disk")


@pytest.fixture
def site() -> Iterator[Site]:
    database, data = PostgresServer(), Path(tempfile.mkdtemp(prefix="sp-site-"))
    site = Site(database, data)
    try:
        site.run(FILL)
        site.start()
        yield site
    finally:
        site.stop()
        database.close()
        shutil.rmtree(data, ignore_errors=True)


def test_pages_are_served_without_a_database_and_after_a_restart(site: Site) -> None:
    status, headers, front = site.get("/")
    assert (status, "x-edition-age" in headers) == (200, False)
    site.wait_for_copy()
    incident = next(part for part in front.split('"') if part.startswith("/incidents/"))
    before = {
        path: site.get(path)[2] for path in ("/", incident, "/api/v2/summary.json", "/history.atom", "/badge.svg")
    }

    assert site.database.process
    site.database.process.kill()
    wait_until(lambda: "x-edition-age" in site.get("/")[1], what="the age")
    for path, body in before.items():
        status, headers, now = site.get(path)
        assert (path, status, now) == (path, 200, body)
    assert int(headers["x-edition-age"]) < 30
    assert [site.get(path)[0] for path in ("/livez", "/readyz", "/healthz")] == [200, 200, 503]

    site.stop()
    long_ago = time.time() - 300
    os.utime(site.data / "edition" / "listing.json", (long_ago, long_ago))
    site.start()
    for path, body in before.items():
        status, headers, now = site.get(path)
        assert (path, status) == (path, 200)
        assert 300 <= int(headers["x-edition-age"]) < 400
        if headers["content-type"].startswith("text/html"):
            assert "could not be refreshed since" in now
            assert (
                now.replace(
                    now[now.index('<p class="stale" role="status" data-as-of') : now.index("out of date.</p>") + 16],
                    "",
                    1,
                )
                == body
            )
        else:
            assert now == body
    assert site.get("/readyz")[0] == 200


def test_a_database_that_hangs_holds_up_no_reader_and_is_welcomed_back(site: Site) -> None:
    assert site.get("/")[0] == 200
    assert site.database.process
    site.database.process.freeze()
    for child in subprocess.run(
        ["pgrep", "-P", str(site.database.process.pid)], capture_output=True, text=True, check=False
    ).stdout.split():
        os.kill(int(child), 19)
    try:
        slowest, seen_age = 0.0, False
        deadline = time.monotonic() + 8
        while time.monotonic() < deadline:
            began = time.monotonic()
            status, headers, _ = site.get("/")
            slowest = max(slowest, time.monotonic() - began)
            seen_age = seen_age or "x-edition-age" in headers
            assert status == 200
            time.sleep(0.05)
        assert seen_age
        assert slowest < 1.0
    finally:
        for child in subprocess.run(
            ["pgrep", "-P", str(site.database.process.pid)], capture_output=True, text=True, check=False
        ).stdout.split():
            os.kill(int(child), 18)
        site.database.process.thaw()
    wait_until(lambda: "x-edition-age" not in site.get("/")[1], within=20, what="the database's return")
    site.run(POST.format(name="Seen again"))
    wait_until(lambda: "Seen again" in site.get("/")[2], within=2, what="the update")
