"""The servers that are measured, each in processes of its own, pinned to given cores, ended by their own ids."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
START_SECONDS = 30


@dataclass
class Server:
    """A running server. `cpu_seconds` counts all its processes, those that have ended too."""

    name: str
    port: int
    process: subprocess.Popen[bytes]

    def pids(self) -> list[int]:
        found, waiting = [], [self.process.pid]
        while waiting:
            pid = waiting.pop()
            found.append(pid)
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    waiting += map(int, children.read_text().split())
        return found

    def cpu_seconds(self) -> float:
        ticks = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                ticks += sum(map(int, fields[11:15]))
        return ticks / TICKS

    def memory_mib(self, *, peak: bool = False) -> float:
        """Resident memory of its largest process: now, or the most it ever had."""
        name = "VmHWM" if peak else "VmRSS"
        sizes = []
        for pid in self.pids():
            with contextlib.suppress(OSError):
                lines = Path(f"/proc/{pid}/status").read_text().splitlines()
                sizes += [int(line.split()[1]) / 1024 for line in lines if line.startswith(name)]
        return max(sizes)

    def fetch(self, path: str, headers: Mapping[str, str]) -> tuple[int, dict[str, str], bytes]:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        with contextlib.closing(connection):
            connection.request("GET", path, headers=dict(headers))
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()


def clean_environment() -> dict[str, str]:
    """As in an empty shell: what would point `up` at something that is there already is unset."""
    unset = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "PUBLIC_URL", "LOG_LEVEL", "WEB_PROCESSES", "STATIC_ROOT")
    return {name: value for name, value in os.environ.items() if name not in unset}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def pinned(cores: str, command: Sequence[str]) -> list[str]:
    """`command` on these cores only, where the machine lets us choose."""
    return ["taskset", "-c", cores, *command] if shutil.which("taskset") else list(command)


@contextlib.contextmanager
def run(name: str, command: Sequence[str], port: int, env: Mapping[str, str], log: Path) -> Iterator[Server]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **env}, stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait_for(port, process, log)
        yield Server(name, port, process)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError(f"a server did not start:\n{log.read_text(errors='replace')[-2000:]}")


def run_ours(
    env: Mapping[str, str], log: Path, *, cores: str = "0", workers: int = 1
) -> contextlib.AbstractContextManager[Server]:
    port = free_port()
    command = [
        *(sys.executable, "-m", "uvicorn", "statuspage.asgi:application", "--host", "127.0.0.1", "--port", str(port)),
        *("--http", "statuspage.protocol:Protocol", "--loop", "uvloop", "--ws", "none", "--workers", str(workers)),
        *("--no-access-log", "--no-proxy-headers", "--no-server-header", "--log-level", "warning"),
    ]
    # One heap for all threads, as `manage.py up` and the image have it.
    return run("statuspage", pinned(cores, command), port, {"MALLOC_ARENA_MAX": "1", **env}, log)


NGINX = """
worker_processes {workers};
daemon off;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log crit;
events {{ worker_connections 8192; }}
http {{
    default_type "text/html; charset=utf-8";
    types {{ application/json json; application/rss+xml rss; application/atom+xml atom; }}
    access_log off;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_timeout 75;
    keepalive_requests 1000000000;
    gzip_static on;
    gzip_vary on;
    open_file_cache max=1000 inactive=600s;
    open_file_cache_valid 600s;
    open_file_cache_errors on;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
{headers}
{sites}
}}
"""
SITE = """
    server {{
        listen 127.0.0.1:{port}{options};
        server_name {host};
        root {directory}/sites/{host};
    }}
"""


def run_nginx(
    directory: Path, headers: Mapping[str, str], *, cores: str = "0", workers: int = 1
) -> contextlib.AbstractContextManager[Server]:
    """`directory` holds sites/<host>/ with the files. `headers` are added to each answer, as ours carries them."""
    port = free_port()
    lines = "\n".join(f'    add_header {name} "{value}" always;' for name, value in headers.items())
    hosts = sorted(site.name for site in (directory / "sites").iterdir())
    options = [" reuseport backlog=4096", *([""] * (len(hosts) - 1))]
    sites = "".join(
        SITE.format(port=port, options=option, host=host, directory=directory)
        for host, option in zip(hosts, options, strict=True)
    )
    config = directory / "nginx.conf"
    config.write_text(NGINX.format(workers=workers, directory=directory, headers=lines, sites=sites))
    command = [shutil.which("nginx") or "nginx", "-c", str(config), "-p", str(directory)]
    return run("nginx", pinned(cores, command), port, {}, directory / "start.log")
