"""The examples in deploy/, with the real programs: the application is killed, and the page stays."""

import http.client
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.core.management import call_command

from incidents.models import Incident
from tests.processes import ROOT, Process, free_port, wait_until
from tests.public.conftest import ACME, acme, chat, outage
from tests.public.servers import run_server

__all__ = ["acme", "chat", "outage"]
pytestmark = [pytest.mark.faults, pytest.mark.once]

Get = Callable[[str], tuple[int, dict[str, str], bytes]]


@pytest.fixture
def started() -> Iterator[list[Process]]:
    processes: list[Process] = []
    yield processes
    for process in processes:
        process.stop()


def getter(port: int) -> Get:
    def get(path: str) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request("GET", path, headers={"Host": ACME, "Cookie": "sessionid=abc"})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    return get


@pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed")
def test_behind_nginx_the_page_outlives_the_application(
    transactional_db: None, outage: Incident, tmp_path: Path, started: list[Process]
) -> None:
    for directory in (tmp_path, *tmp_path.parents[:-2]):
        directory.chmod(0o755)
    port = free_port()
    with run_server() as application:
        config = (ROOT / "deploy/nginx.conf").read_text()
        for given, ours in {
            "127.0.0.1:8000": f"127.0.0.1:{application.port}",
            "listen 443 ssl;": f"listen 127.0.0.1:{port};",
            "    http2 on;\n": "",  # needs nginx 1.25
            "/var/cache/nginx/statuspage": f"{tmp_path}/cache",
        }.items():
            assert given in config
            config = config.replace(given, ours)
        config = "\n".join(line for line in config.splitlines() if "ssl_certificate" not in line)
        (tmp_path / "nginx.conf").write_text(
            f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/error.log;\n"
            f"events {{}}\nhttp {{ access_log off;\n{config}\n}}\n"
        )
        started.append(Process(["nginx", "-c", tmp_path / "nginx.conf", "-p", tmp_path]))
        get = getter(port)
        wait_until(lambda: get("/")[0] == 200, what="nginx")
        before = {path: get(path) for path in ("/", f"/incidents/{outage.code}", "/api/v2/summary.json")}
        assert {status for status, _, _ in before.values()} == {200}
        assert get("/?utm_source=x")[1]["x-cache"] == "HIT"
        assert "x-cache" not in get("/admin/login/")[1]
        for path in (
            "/history/search?q=nothing-like-it",
            "/history.atom?view=browser",
            "/history.atom?dates=statuspage",
        ):
            plain = get(path.partition("?")[0])
            assert get(path)[1:] != plain[1:], path
            assert get(f"{path}&utm_source=x")[1]["x-cache"] == "HIT"
    for path, (_, _, body) in before.items():
        status, _, now = get(path)
        assert (path, status, now) == (path, 200, body)
    assert get("/admin/login/")[0] == 502


@pytest.mark.skipif(not shutil.which("caddy"), reason="Caddy is not installed")
def test_behind_caddy_the_exported_folder_takes_over(
    transactional_db: None, outage: Incident, tmp_path: Path, started: list[Process]
) -> None:
    call_command("export", str(tmp_path / "site"), verbosity=0)
    port = free_port()
    with run_server() as application:
        config = (ROOT / "deploy/Caddyfile").read_text()
        for given, ours in {
            "127.0.0.1:8000": f"127.0.0.1:{application.port}",
            "status.example.com {": f"http://{ACME}:{port} {{\n\tbind 127.0.0.1",
            "/srv/status": str(tmp_path / "site"),
            "{\n\tservers {": "{\n\tadmin off\n\tservers {",
        }.items():
            assert given in config
            config = config.replace(given, ours)
        (tmp_path / "Caddyfile").write_text(config)
        env = {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
        caddy = Process(["caddy", "run", "--config", tmp_path / "Caddyfile", "--adapter", "caddyfile"], env=env)
        started.append(caddy)
        get = getter(port)
        wait_until(lambda: get("/")[0] == 200, what="Caddy")
        assert "x-served-from" not in get("/")[1]
    for path in ("/", f"/incidents/{outage.code}", "/api/v2/summary.json", "/history.atom"):
        status, headers, body = get(path)
        assert (path, status, headers.get("x-served-from")) == (path, 200, "export")
        assert len(body) > 100
