"""Workers, clocks and web servers that start in a moment: one process has imported everything and forks them.

Importing Django and Celery costs seconds of a core for each process, and these tests start dozens. A child begins
where `celery worker` and `python -m statuspage.web` begin: it reads its settings from its own environment.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
ROOT = Path(__file__).resolve().parent.parent.parent


class Nursery:
    """Ask it for processes; all of them end with it."""

    def __init__(self) -> None:
        self._mother = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def start(self, *words: str, env: Mapping[str, str], **more: Any) -> Grown:
        """`words`: web, manage and a command's arguments, or celery's own arguments. `more`: see `_grow`."""
        assert self._mother.stdin
        assert self._mother.stdout
        log = Path(tempfile.mkstemp(prefix="sp-", suffix=".log")[1])
        request = {"words": words, "env": dict(env), "log": str(log)} | more
        self._mother.stdin.write(json.dumps(request).encode() + b"\n")
        self._mother.stdin.flush()
        return Grown(int(self._mother.stdout.readline()), log)

    def close(self) -> None:
        assert self._mother.stdin
        assert self._mother.stdout
        self._mother.kill()
        self._mother.wait(10)
        self._mother.stdin.close()
        self._mother.stdout.close()


class Grown:
    """A process of the nursery, in a group of its own, with its output in a file."""

    def __init__(self, pid: int, log: Path) -> None:
        self.pid, self.log = pid, log
        try:
            self._handle: int | None = os.pidfd_open(pid)
        except ProcessLookupError:
            self._handle = None

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def running(self) -> bool:
        return self._handle is not None and not select.select([self._handle], [], [], 0)[0]

    def wait(self, within: float = 10) -> None:
        if self._handle is not None and not select.select([self._handle], [], [], within)[0]:
            raise AssertionError(f"process {self.pid} did not end within {within} s\n{self.output[-2000:]}")

    def send(self, number: int) -> None:
        """To the process alone."""
        if self.running():
            os.kill(self.pid, number)

    def send_all(self, number: int) -> None:
        """To the process and its pool."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def kill(self) -> None:
        """SIGKILL to the process and its pool, all at once."""
        self.send_all(signal.SIGKILL)
        self.wait()

    def children(self) -> list[int]:
        """Pids of the pool."""
        tasks = Path(f"/proc/{self.pid}/task").glob("*/children")
        return [int(pid) for task in tasks for pid in task.read_text().split()]

    def stop(self) -> None:
        self.kill()
        self.log.unlink(missing_ok=True)
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


# What follows runs in the nursery itself


def main() -> None:
    import django

    import statuspage.celery

    django.setup()
    import uvicorn  # noqa: F401
    import uvloop  # noqa: F401

    import statuspage.urls
    import statuspage.web  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel buries the children
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _grow(**request)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


def _grow(
    words: Sequence[str],
    env: Mapping[str, str],
    log: str,
    broker_options: Mapping[str, Any] | None = None,
    file_size: int | None = None,
    mute: bool = False,
    newer: bool = False,
) -> None:
    """Become what was asked for. `broker_options` are laid over ours; no file may grow beyond `file_size` bytes.

    `mute`: of the tasks it sends, only those of the sweep arrive. `newer`: the next version of the code, which
    reads and writes one more column of the ledger's tables.
    """
    code = 1
    try:
        os.setsid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _turn_to(log)
        if file_size:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, resource.RLIM_INFINITY))
        os.environ.update(env)
        _read_settings_anew(broker_options or {})
        if mute:
            _make_mute()
        if newer:
            _learn_a_column()
        _run(list(words))
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _turn_to(log: str) -> None:
    """Nothing in, and all that is said into the file."""
    nothing, output = os.open(os.devnull, os.O_RDONLY), os.open(log, os.O_WRONLY | os.O_APPEND)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)


def _read_settings_anew(broker_options: Mapping[str, Any]) -> None:
    import django
    from django.conf import empty, settings
    from django.db import connections

    added = {name: value for name, value in vars(settings._wrapped).items() if name.isupper()}
    del sys.modules["statuspage.settings"]
    settings._wrapped = empty
    for name in added.keys() - set(dir(settings)):  # by applications, when they were loaded
        setattr(settings, name, added[name])
    connections._settings = None
    connections.__dict__.pop("settings", None)
    for alias in list(vars(connections._connections._storage)):  # made by an import, with the mother's settings
        del connections[alias]
    django.setup()
    settings.CELERY_BROKER_TRANSPORT_OPTIONS.update(broker_options)


def _make_mute() -> None:
    from delivery import tasks
    from delivery.ledger import outbox

    outbox.wake_on_commit = tasks.wake_worker = lambda *words: False  # type: ignore[assignment]


def _learn_a_column() -> None:
    from django.db import models

    from delivery.models import Delivery, Notice

    for model in (Delivery, Notice):
        models.CharField(max_length=8, default="new", db_default="").contribute_to_class(model, "region")


def _run(words: list[str]) -> None:
    if words == ["web"]:
        from statuspage.web import main as serve

        serve()
    elif words[0] == "manage":
        from django.core.management import execute_from_command_line

        execute_from_command_line(["manage.py", *words[1:]])
    else:
        from statuspage.celery import app

        app.start(argv=words)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "statuspage.settings")
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    main()
