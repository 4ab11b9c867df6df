"""Keeping processes running: on real ones, in a supervisor of their own."""

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.processes import Process, python, wait_until

pytestmark = pytest.mark.once

SCRIPT = """
import sys
from statuspage import supervisor
supervisor.RESTART_AFTER_SECONDS = 0.1
supervisor.GRACE_SECONDS = 3
supervisor.ONE_REQUEST_SECONDS = 0.5
children = [supervisor.Child(f"child{n}", [sys.executable, "-c", code]) for n, code in enumerate(sys.argv[1:])]
sys.exit(supervisor.Supervisor(children).run())
"""
# Says its process id, then waits for ever.
WAITING = "import os, time; print('pid', os.getpid(), flush=True); time.sleep(600)"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {WAITING}"
SLOW_TO_END = f"""
import signal, sys, time
def end(*_): time.sleep(0.3); print("ended in order", flush=True); sys.exit()
signal.signal(signal.SIGTERM, end)
{WAITING}
"""
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {WAITING!r}]); {WAITING}"

Start = Callable[..., Process]


@pytest.fixture
def supervise(tmp_path: Path, request: pytest.FixtureRequest) -> Start:
    def start(*codes: str) -> Process:
        process = Process(python("-c", SCRIPT, *codes), log=tmp_path / "log")
        request.addfinalizer(lambda: process.stop())
        return process

    return start


def pids(process: Process, count: int) -> list[int]:
    """The ids that the children have said, oldest first, once there are `count`."""

    def said() -> list[int]:
        found = [int(line.rpartition("pid ")[2]) for line in process.output.splitlines() if "| pid " in line]
        return found if len(found) >= count else []

    return wait_until(said, what=f"{count} started children")


def alive(pid: int) -> bool:
    """A zombie, which only waits to be collected, is not alive."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def all_gone(found: list[int]) -> bool:
    return not any(alive(pid) for pid in found)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_stops_every_child(supervise: Start, number: int) -> None:
    process = supervise(WAITING, WAITING)
    found = pids(process, 2)
    process.send(number)
    assert process.wait(5) == 0
    assert all_gone(found)
    assert f"{signal.Signals(number).name} received, stopping" in process.output


def test_a_child_that_ignores_the_signal_is_killed_after_the_grace(supervise: Start) -> None:
    process = supervise(STUBBORN, WAITING)
    found = pids(process, 2)
    process.send(signal.SIGTERM)
    assert process.wait(10) == 0
    assert all_gone(found)
    assert "child0 did not stop, killing it" in process.output


def test_a_second_signal_does_not_wait_for_the_grace(supervise: Start) -> None:
    process = supervise(STUBBORN)
    found = pids(process, 1)
    process.send(signal.SIGINT)
    wait_until(lambda: "received" in process.output)
    time.sleep(0.6)  # longer than signals that count as one are apart
    process.send(signal.SIGINT)
    assert process.wait(1.5) == 0
    assert all_gone(found)


def test_a_signal_that_comes_twice_at_once_is_one_request_to_stop(supervise: Start) -> None:
    process = supervise(SLOW_TO_END)
    pids(process, 1)
    process.send(signal.SIGTERM)
    wait_until(lambda: "received" in process.output)
    process.send(signal.SIGTERM)
    assert process.wait(8) == 0
    assert "ended in order" in process.output
    assert "killing" not in process.output


def test_a_child_that_says_it_cannot_start_is_not_tried_again(supervise: Start) -> None:
    process = supervise("print('No module named x', flush=True); raise SystemExit(3)", WAITING)
    assert process.wait(15) == 1
    assert "child0 cannot start, and starting it again would not help; stopping" in process.output
    assert process.output.count("No module named x") == 1


def test_a_killed_child_is_started_again(supervise: Start) -> None:
    process = supervise(WAITING, WAITING)
    first, second = pids(process, 2)
    os.kill(first, signal.SIGKILL)
    third = pids(process, 3)[2]
    assert alive(third)
    assert alive(second)
    assert "ended (killed by SIGKILL), starting it again" in process.output


def test_what_a_killed_child_had_started_ends_with_it(supervise: Start) -> None:
    process = supervise(PARENT)
    first, second = pids(process, 2)
    os.kill(first, signal.SIGKILL)
    pids(process, 4)
    wait_until(lambda: not alive(first) or not alive(second), what="the end of one")
    assert sum(alive(pid) for pid in pids(process, 4)) == 2


def test_a_child_that_keeps_ending_stops_everything_and_is_named(supervise: Start) -> None:
    process = supervise("raise SystemExit('no such host')", WAITING)
    assert process.wait(15) == 1
    assert all_gone(pids(process, 1))
    assert "child0 ended again (exit code 1) and cannot be kept running" in process.output
    assert "no such host" in process.output


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends the children of a killed process on Linux only")
def test_no_child_outlives_a_killed_supervisor(supervise: Start) -> None:
    process = supervise(WAITING, WAITING)
    found = pids(process, 2)
    process.kill()
    wait_until(lambda: all_gone(found), what="the end of all children")


def test_each_line_says_whose_it_is(supervise: Start) -> None:
    process = supervise("import time; print('héllo', flush=True); time.sleep(600)", WAITING)
    pids(process, 1)
    wait_until(lambda: "héllo" in process.output)
    [line] = [line for line in process.output.splitlines() if "héllo" in line]
    assert line.endswith("child0 | héllo")
