"""Public documents: ours against nginx with the same bytes as static files, in alternating rounds.

The server has one core and the load generator another. What is compared is requests per second of the server's CPU
time, so that other work on the machine moves the figures less.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from gzip import compress
from pathlib import Path

from bench.load import Load, Request, run_wrk
from bench.processes import ROOT, Server, run_nginx, run_ours

HOSTS = ("status.localhost", "eu.status.localhost", "us.status.localhost")
HTML = ("/", "/history", "/fragments/summary")
SIZE = {"components": 12, "groups": 3, "incidents": 20}
LEAST_ROUNDS = 5

BROWSERS = (
    {
        "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
        "Accept-Language": "de,en-US;q=0.7,en;q=0.3",
        "Accept-Encoding": "gzip, deflate",
        "DNT": "1",
        "Connection": "keep-alive",
        "Upgrade-Insecure-Requests": "1",
        "Sec-Fetch-Dest": "document",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Site": "none",
        "Sec-Fetch-User": "?1",
    },
    {
        "Connection": "keep-alive",
        "sec-ch-ua": '"Chromium";v="130", "Not?A_Brand";v="99"',
        "sec-ch-ua-mobile": "?1",
        "sec-ch-ua-platform": '"Android"',
        "Upgrade-Insecure-Requests": "1",
        "User-Agent": "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/130.0.0.0 Mobile Safari/537.36",
        "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
        "Referer": "https://app.example.com/",
        "Accept-Encoding": "gzip, deflate",
        "Accept-Language": "pt-BR,pt;q=0.9,en;q=0.8",
    },
    {
        "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "Upgrade-Insecure-Requests": "1",
        "User-Agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 "
        "(KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
        "Accept-Language": "ja",
        "Accept-Encoding": "gzip, deflate",
        "Connection": "keep-alive",
    },
)


@dataclass(frozen=True)
class Case:
    """`requests` makes the list for one server, because tags and ports differ between servers."""

    name: str
    requests: Callable[[Server], Sequence[Request]]
    least: float
    varied: bool = False


def _each(paths: Sequence[str], *, encoding: str = "") -> Callable[[Server], list[Request]]:
    extra = {"Accept-Encoding": encoding} if encoding else {}
    return lambda _server: [Request(path, {"Host": host} | extra) for host in HOSTS for path in paths]


def _browsers(_server: Server) -> list[Request]:
    return [Request(path, {"Host": host} | browser) for host in HOSTS for path in HTML for browser in BROWSERS]


def _revalidations(server: Server) -> list[Request]:
    requests = []
    for host in HOSTS:
        for path in HTML:
            asked = {"Host": host, "Accept-Encoding": "gzip"}
            _, headers, _ = server.fetch(path, asked)
            requests.append(Request(path, asked | {"If-None-Match": headers["etag"]}))
    return requests


CASES = (
    Case("identity", _each(HTML), 0.85),
    Case("gzip", _each(HTML, encoding="gzip"), 1.0),
    Case("304", _revalidations, 0.9),
    Case("browser", _browsers, 0.8),
    Case("browser_each_different", _browsers, 0.8, varied=True),
    Case("json", _each(("/api/v2/summary.json", "/api/v2/status.json"), encoding="gzip"), 0.85),
    Case("feed", _each(("/history.rss", "/history.atom"), encoding="gzip"), 0.85),
    Case("banner", _each(("/api/banner.json",), encoding="gzip"), 0.85),
)


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=LEAST_ROUNDS, help="rounds of each case, at least 5")
    parser.add_argument("--seconds", type=int, default=2, help="length of a round")
    parser.add_argument("--only", help="cases, separated by commas")


def main(options: Namespace) -> None:
    if not shutil.which("wrk"):
        sys.exit("bench serve needs the load generator wrk (apt-get install wrk).")
    with tempfile.TemporaryDirectory(prefix="bench-") as name, ExitStack() as stack:
        directory = Path(name)
        directory.chmod(0o755)  # nginx's workers run as another user
        env = prepare(directory / "data", SIZE)
        ours = stack.enter_context(run_ours(env, directory / "ours.log"))
        nginx = None
        if shutil.which("nginx"):
            headers = copy_site(ours, directory / "sites")
            nginx = stack.enter_context(run_nginx(directory, headers))
        else:
            say("serve.nginx", "not installed, so no ratios")
        for case in CASES:
            if not options.only or case.name in options.only.split(","):
                compare(case, ours, nginx, directory, options)
        say("serve.memory_mib", f"{ours.memory_mib():.1f}")


def prepare(directory: Path, size: Mapping[str, int]) -> dict[str, str]:
    """A database of its own in `directory`; returns the environment of a server that serves it."""
    directory.mkdir(parents=True)
    env = {"DATA_DIR": str(directory), "ALLOWED_HOSTS": ".localhost,127.0.0.1", "LOG_LEVEL": "WARNING"}
    env["DJANGO_SETTINGS_MODULE"] = "statuspage.settings"
    sizes = ", ".join(f"{name}={value}" for name, value in size.items())
    program = (
        "import django; django.setup()\n"
        "from django.core.management import call_command\n"
        "call_command('migrate', verbosity=0)\n"
        "from bench.data import Size, fill\n"
        f"fill({[f'http://{host}' for host in HOSTS]!r}, Size({sizes}))\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env={**os.environ, **env}, check=True, timeout=300)
    return env


def copy_site(ours: Server, sites: Path) -> dict[str, str]:
    """Store what ours serves as files for nginx, packed ones beside them; returns the headers to add to each."""
    paths = {path for case in CASES if case.name != "304" for request in case.requests(ours) for path in [request.path]}
    kept: dict[str, str] = {}
    for host in HOSTS:
        for path in paths:
            status, headers, body = ours.fetch(path, {"Host": host})
            assert status == 200, (host, path, status)
            name = "index.html" if path == "/" else path.lstrip("/")
            file = sites / host / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
            file.with_name(f"{file.name}.gz").write_bytes(compress(body, mtime=0))
            if path == "/":
                own = ("content-type", "content-length", "date", "etag", "vary", "connection")
                kept = {name: value for name, value in headers.items() if name not in own}
    return kept


def compare(case: Case, ours: Server, nginx: Server | None, directory: Path, options: Namespace) -> None:
    rounds: list[tuple[Load, Load | None]] = []
    for _ in range(max(options.rounds, LEAST_ROUNDS)):
        loads = [
            run_wrk(server, case.requests(server), directory, seconds=options.seconds, varied=case.varied)
            for server in (ours, nginx)
            if server
        ]
        rounds.append((loads[0], loads[1] if nginx else None))
    own = [mine for mine, _ in rounds]
    say(f"serve.{case.name}.requests_per_cpu_second", f"{median(own, 'per_cpu_second'):.0f}")
    say(f"serve.{case.name}.p50_ms", f"{median(own, 'p50'):.2f}")
    say(f"serve.{case.name}.p99_ms", f"{median(own, 'p99'):.2f}")
    say(f"serve.{case.name}.errors", sum(each.errors for each in own))
    theirs = [peer for _, peer in rounds if peer]
    if theirs:
        ratios = [mine.per_cpu_second / peer.per_cpu_second for mine, peer in rounds if peer]
        say(f"serve.{case.name}.nginx_requests_per_cpu_second", f"{median(theirs, 'per_cpu_second'):.0f}")
        say(f"serve.{case.name}.nginx_p99_ms", f"{median(theirs, 'p99'):.2f}")
        say(f"serve.{case.name}.ratio", f"{statistics.median(ratios):.2f}")
        say(f"serve.{case.name}.ratio_spread", f"{min(ratios):.2f}-{max(ratios):.2f}")
        say(f"serve.{case.name}.ratio_wanted", f"{case.least:.2f}")


def median(loads: Sequence[Load], name: str) -> float:
    return statistics.median(getattr(load, name) for load in loads)


def say(name: str, value: object) -> None:
    print(f"{name}: {value}", flush=True)
