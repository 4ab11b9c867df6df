"""What the mail benchmark runs: PostgreSQL that syncs to disk, Redis, Celery workers, and Postfix's smtp-sink."""

import os
import shutil
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.processes import Server
from tests.processes import PostgresServer, Process, RedisServer, answers, free_port, wait_until


@dataclass(frozen=True)
class Services:
    sink_port: int
    parts: dict[str, Server]
    """By name: sink, database, mail workers, other worker."""

    def cpu_seconds(self) -> dict[str, float]:
        return {name: part.cpu_seconds() for name, part in self.parts.items()}

    def memory_mib(self) -> float:
        """The most that any process of ours has had."""
        return max(
            part.memory_mib(peak=True) for name, part in self.parts.items() if name.endswith(("worker", "workers"))
        )


def start(stack: ExitStack, workers: int) -> Services:
    """All of them, with the environment set so that this process is a part of the same installation."""
    directory = tempfile.mkdtemp(prefix="sp-bench-")
    stack.callback(shutil.rmtree, directory, ignore_errors=True)
    database, redis, port = PostgresServer(on_disk=True), RedisServer(), free_port()
    stack.callback(database.close)
    stack.callback(redis.close)
    os.environ |= {
        "DJANGO_SETTINGS_MODULE": "statuspage.settings",
        "DATABASE_URL": database.url,
        "REDIS_URL": redis.url,
        "DATA_DIR": directory,
        "SECRET_KEY": "bench " * 12,
        "EMAIL_URL": f"smtp://127.0.0.1:{port}",
        "LOG_LEVEL": "WARNING",
        "PYTHONPATH": str(Path.cwd()),
    }
    owner = ["-u", "nobody"] if os.geteuid() == 0 else []  # as root it refuses to run without, as others with
    sink = _run(stack, ["smtp-sink", *owner, f"127.0.0.1:{port}", "200"])
    wait_until(lambda: answers(port), what="smtp-sink")
    celery = [sys.executable, "-m", "celery", "-A", "bench.mail_task", "worker", "--without-mingle", "--without-gossip"]
    other = _run(stack, [*celery, "-Q", "default,delivery.social,delivery.webhook", "-c", "1", "-n", "default@bench"])
    mail = _run(stack, [*celery, "-Q", "delivery.email", "-c", str(workers), "-n", "mail@bench", "-l", "INFO"])
    wait_until(lambda: "ready." in mail.output, within=60, what="the mail workers")
    assert database.process
    processes = {"sink": sink, "database": database.process, "mail workers": mail, "other worker": other}
    return Services(port, {name: Server(name, 0, each.popen) for name, each in processes.items()})


def _run(stack: ExitStack, args: list[str]) -> Process:
    process = Process(args, env={"LOG_LEVEL": "INFO"})
    stack.callback(process.stop)
    return process
