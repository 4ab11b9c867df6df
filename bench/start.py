"""What `manage.py up` costs on an empty machine: memory, seconds until it is ready, CPU of the first start."""

import contextlib
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path

from bench.processes import ROOT, Server, clean_environment, free_port

READY = "Ready. Ctrl-C stops everything."
START_SECONDS = 180
SETTLE_SECONDS = 10  # until workers have connected and the first beat has been answered


def add_arguments(parser: ArgumentParser) -> None:
    """None: the start is always measured as a new user meets it."""


def main(_options: Namespace) -> None:
    with tempfile.TemporaryDirectory() as directory:
        data = Path(directory) / "data"
        with start(data) as (server, _):
            say("first start, CPU s", f"{server.cpu_seconds():.1f}")
            time.sleep(SETTLE_SECONDS)
            say_memory(server)
        with start(data) as (_, seconds):
            say("second start, ready in s", f"{seconds:.1f}")


def say_memory(server: Server) -> None:
    pids = server.pids()
    say("processes", str(len(pids)))
    say("memory, sum of PSS in MiB", f"{sum(map(pss_mib, pids)):.0f}")
    say("memory of up itself, PSS in MiB", f"{pss_mib(server.process.pid):.0f}")


def say(name: str, value: str) -> None:
    print(f"start, {name}: {value}", flush=True)


@contextlib.contextmanager
def start(data: Path) -> Iterator[tuple[Server, float]]:
    """The running command once it says that it is ready, and the seconds which that took."""
    port, log = free_port(), data.with_suffix(".log")
    env = clean_environment() | {"DATA_DIR": str(data), "PORT": str(port)}
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up"], cwd=ROOT, env=env, stdout=output, stderr=output, start_new_session=True
        )
    try:
        wait_ready(process, log)
        yield Server("up", port, process), time.monotonic() - began
    finally:
        process.terminate()
        process.wait(60)


def wait_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while READY not in log.read_text(errors="replace"):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"`up` did not get ready:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.05)


def pss_mib(pid: int) -> float:
    """Memory of one process, what it shares with others counted by share; 0 when it has ended."""
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))
    return 0.0
