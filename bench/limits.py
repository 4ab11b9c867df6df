"""What bounds the public pages: a cold start, memory, slow staff requests, many connections, two workers."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.load import Load, run_wrk
from bench.processes import ROOT, Server, run_nginx, run_ours
from bench.serve import CASES, HOSTS, copy_site, prepare, say

COLD = {"components": 100, "groups": 20, "incidents": 200}
LARGE = {"components": 500, "groups": 50, "incidents": 5000}
SMALL = {"components": 12, "groups": 3, "incidents": 20}

RENDER = """
import time, django; django.setup()
from django.db import connection
from public.serving.edition import Rendered, editions
from public.serving.render_cache import Editions
from public import views
asked = []
def note(execute, *args):
    asked.append(1)
    return execute(*args)
editions.fetch({host!r}, ("warm",), views.home.document)
times = []
for _ in range({rounds}):
    fresh = Editions()
    fresh.host_index.read()
    asked.clear()
    with connection.execute_wrapper(note):
        began, cpu = time.perf_counter(), time.process_time()
        fresh.fetch({host!r}, ("/",), views.home.document)
        times.append(((time.perf_counter() - began) * 1000, (time.process_time() - cpu) * 1000))
wall, cpu = (sorted(each) for each in zip(*times))
print(wall[len(wall) // 2], wall[0], wall[-1], cpu[len(cpu) // 2], len(asked))
"""


def add_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=5, help="rounds of each, at least 5")
    parser.add_argument("--only", help="parts, separated by commas: " + ", ".join(PARTS))


def main(options: Namespace) -> None:
    for name, part in PARTS.items():
        if options.only and name not in options.only.split(","):
            continue
        with tempfile.TemporaryDirectory(prefix="bench-") as directory:
            Path(directory).chmod(0o755)
            part(Path(directory), max(options.rounds, 5))


def cold(directory: Path, rounds: int) -> None:
    """The first rendering of the front page after a change: database, snapshot, template, compression."""
    for name, size in (("small", SMALL), ("wanted", COLD), ("double", {key: 2 * value for key, value in COLD.items()})):
        env = prepare(directory / name, size)
        program = RENDER.format(host=HOSTS[0], rounds=rounds)
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=ROOT,
            env={**os.environ, **env},
            capture_output=True,
            text=True,
            check=True,
        )
        median, least, most, cpu, queries = done.stdout.split()
        say(f"cold.{name}_ms", f"{float(median):.0f}")
        say(f"cold.{name}_ms_spread", f"{float(least):.0f}-{float(most):.0f}")
        say(f"cold.{name}_cpu_ms", f"{float(cpu):.0f}")  # what other work on the machine changes less
        say(f"cold.{name}_queries", queries)


def memory(directory: Path, rounds: int) -> None:
    """A web process that has served everything on a large page."""
    env = prepare(directory / "data", LARGE)
    with run_ours(env, directory / "log") as ours:
        for path in (
            "/",
            "/history",
            "/api/v2/summary.json",
            "/api/v2/incidents.json",
            "/history.atom",
            "/history.rss",
        ):
            assert ours.fetch(path, {"Host": HOSTS[0]})[0] == 200
        time.sleep(5)
        say("memory.large_page_mib", f"{ours.memory_mib():.1f}")


def staff(directory: Path, rounds: int) -> None:
    """Visitors beside staff requests of ten seconds, one that waits and one that burns CPU."""
    env = prepare(directory / "data", SMALL) | {"DJANGO_SETTINGS_MODULE": "bench.settings"}
    requests = next(case for case in CASES if case.name == "gzip").requests
    with run_ours(env, directory / "log") as ours:
        for name, kinds in (("alone", ()), ("waiting", ("wait",)), ("burning", ("burn",)), ("both", ("wait", "burn"))):
            loads = []
            for _ in range(rounds):
                with _reports(ours, kinds):
                    loads.append(run_wrk(ours, requests(ours), directory, seconds=2, connections=16))
            _say_latency(f"staff.{name}", loads)


@contextmanager
def _reports(ours: Server, kinds: tuple[str, ...]) -> Iterator[None]:
    threads = [threading.Thread(target=ours.fetch, args=(f"/bench/{kind}/4", {"Host": HOSTS[0]})) for kind in kinds]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    yield
    for thread in threads:
        thread.join()


def connections(directory: Path, rounds: int) -> None:
    """Two thousand connections at once: no error."""
    env = prepare(directory / "data", SMALL)
    requests = next(case for case in CASES if case.name == "gzip").requests
    with run_ours(env, directory / "log") as ours:
        requests(ours)
        ours.fetch("/", {"Host": HOSTS[0]})
        loads = [run_wrk(ours, requests(ours), directory, seconds=3, connections=2000) for _ in range(rounds)]
        say("connections.count", 2000)
        say("connections.errors", sum(load.errors for load in loads))
        _say_latency("connections", loads)


def workers(directory: Path, rounds: int) -> None:
    """Two workers on both cores, the load generator among them, against nginx with two workers."""
    env = prepare(directory / "data", SMALL)
    with ExitStack() as stack:
        ours = stack.enter_context(run_ours(env, directory / "log", cores="0,1", workers=2))
        if not shutil.which("nginx"):
            say("workers.nginx", "not installed, so no ratio")
            return
        headers = copy_site(ours, directory / "sites")
        nginx = stack.enter_context(run_nginx(directory, headers, cores="0,1", workers=2))
        for case in CASES[:2]:
            ratios = []
            for _ in range(rounds):
                mine, theirs = (
                    run_wrk(server, case.requests(server), directory, cores="0,1") for server in (ours, nginx)
                )
                ratios.append(mine.per_second / theirs.per_second)
            say(f"workers.{case.name}.ratio", f"{statistics.median(ratios):.2f}")
            say(f"workers.{case.name}.ratio_spread", f"{min(ratios):.2f}-{max(ratios):.2f}")


def _say_latency(name: str, loads: list[Load]) -> None:
    say(f"{name}.p50_ms", f"{statistics.median(load.p50 for load in loads):.2f}")
    say(f"{name}.p99_ms", f"{statistics.median(load.p99 for load in loads):.2f}")
    say(f"{name}.requests_per_second", f"{statistics.median(load.per_second for load in loads):.0f}")


PARTS: dict[str, Callable[[Path, int], None]] = {
    "cold": cold,
    "memory": memory,
    "staff": staff,
    "connections": connections,
    "workers": workers,
}
