"""Starts a few processes, restarts those that end, shows their output in one stream, and stops them all together.

A process that ends by itself is started again after a second, for example a worker that the kernel killed for lack of
memory. A process that ends again and again stops everything, and the log names it: a restart does not cure that. On Linux
the processes also end when the supervisor itself is killed.
"""

import contextlib
import ctypes
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO

from statuspage.stream import Stream, Terminal

RESTART_AFTER_SECONDS = 1.0
ENDS_TOLERATED = 4
ENDS_WINDOW_SECONDS = 60
GRACE_SECONDS = 20
LINES_HELD_BACK = 30
PR_SET_PDEATHSIG = 1
# `timeout` and make send us one SIGTERM twice.
ONE_REQUEST_SECONDS = 1.0
# Exit code of a process that a restart cannot help, for example when a module is missing.
CANNOT_START = 3


@dataclass
class Child:
    name: str
    command: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    quiet: bool = False  # its lines are shown only when it ends by itself
    last_to_stop: bool = False
    process: subprocess.Popen[bytes] | None = None
    ends: list[float] = field(default_factory=list)
    start_at: float = 0.0
    held_back: deque[str] = field(default_factory=lambda: deque(maxlen=LINES_HELD_BACK))

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None


class Supervisor:
    """Add children, then `run()` until a signal or a child that cannot be kept alive; returns the exit code."""

    def __init__(self, children: Sequence[Child], stream: Stream | None = None) -> None:
        self.children = children
        self.stream = stream or Terminal(sys.stdout, max(len(child.name) for child in children))
        self._lines: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._signals: queue.SimpleQueue[int] = queue.SimpleQueue()
        self._signalled_at = float("-inf")

    def say(self, line: str) -> None:
        """Add a line of the supervisor's own to the stream; from any thread."""
        self._lines.put(("up", line))

    def run(self, on_start: Callable[[], None] = lambda: None) -> int:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._note_signal)
        try:
            for child in self.children:
                self._start(child)
            on_start()
            return self._watch()
        finally:
            self._stop_all()
            self.say("Everything has stopped.")
            self._show_lines()

    def _note_signal(self, number: int, _frame: object) -> None:
        now = time.monotonic()
        if now - self._signalled_at >= ONE_REQUEST_SECONDS:
            self._signalled_at = now
            self._signals.put(number)

    def _start(self, child: Child) -> None:
        # In a session of its own: Ctrl-C reaches the supervisor alone, which then stops all in order.
        child.process = subprocess.Popen(
            child.command,
            env={**os.environ, **child.env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - it makes one system call; no lock can be held
        )
        assert child.process.stdout is not None  # noqa: S101
        reader = threading.Thread(target=self._read, args=(child, child.process.stdout), daemon=True)
        reader.start()

    def _read(self, child: Child, stream: IO[bytes]) -> None:
        with stream:
            for raw in stream:
                line = raw.decode("utf-8", "replace").rstrip()
                if child.quiet:
                    child.held_back.append(line)
                elif line:
                    self._lines.put((child.name, line))

    def _show_lines(self, wait_seconds: float = 0.0) -> None:
        try:
            while True:
                self.stream.write(*self._lines.get(timeout=wait_seconds) if wait_seconds else self._lines.get_nowait())
                wait_seconds = 0.0
        except queue.Empty:
            pass

    def _watch(self) -> int:
        while self._signals.empty():
            self._show_lines(wait_seconds=0.1)
            for child in self.children:
                if child.process is not None and not child.running and not self._plan_restart(child):
                    return 1
                if child.process is None and time.monotonic() >= child.start_at:
                    self._start(child)
        self.say(f"{signal.Signals(self._signals.get()).name} received, stopping")
        return 0

    def _plan_restart(self, child: Child) -> bool:
        """Plan the next start of a child that has ended; False when it has ended too often."""
        assert child.process is not None  # noqa: S101
        code = child.process.returncode
        _end_group(child.process.pid)
        child.process = None
        while child.held_back:
            self._lines.put((child.name, child.held_back.popleft()))
        now = time.monotonic()
        child.ends = [end for end in child.ends if end > now - ENDS_WINDOW_SECONDS] + [now]
        reason = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        if code == CANNOT_START:
            self.say(f"{child.name} cannot start, and starting it again would not help; stopping. Its lines say why.")
            return False
        if len(child.ends) > ENDS_TOLERATED:
            self.say(
                f"{child.name} ended again ({reason}) and cannot be kept running; stopping. Its last lines say why."
            )
            return False
        child.start_at = now + RESTART_AFTER_SECONDS
        self.say(f"{child.name} ended ({reason}), starting it again")
        return True

    def _stop_all(self) -> None:
        for last in (False, True):
            stopping = [child for child in self.children if child.last_to_stop is last and child.process]
            self._stop(stopping)

    def _stop(self, children: Sequence[Child]) -> None:
        """Send SIGTERM; kill what still runs after GRACE_SECONDS, or after a second request to stop."""
        for child in children:
            if child.process and child.running:
                child.process.terminate()
        deadline = time.monotonic() + GRACE_SECONDS
        while any(child.running for child in children) and time.monotonic() < deadline and self._signals.empty():
            self._show_lines(wait_seconds=0.05)
        for child in children:
            if child.running:
                self.say(f"{child.name} did not stop, killing it")
            if child.process:
                _end_group(child.process.pid)
                child.process.wait()


def _end_group(leader: int) -> None:
    """Kill what a child's own children left in its process group, and the child if it still runs."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _end_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
