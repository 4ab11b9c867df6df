"""A working deployment in pieces that can be broken: database, Redis, workers and a mail server.

Workers are real Celery processes on the test's own database; the web side is the test itself.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.processes import Process, RedisServer, wait_until

if TYPE_CHECKING:
    from delivery.models import Notice
    from pages.models import Page
    from tests.delivery.smtp_servers import BadServer

LEASE_SECONDS = 3
READY = "ready."


class Deployment:
    """Starts workers; posts; sees to it that everything is delivered."""

    def __init__(self, redis: RedisServer, mail: BadServer, directory: Path, database_url: str) -> None:
        self.redis = redis
        self.mail = mail
        self.env = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis.url,
            "DATA_DIR": str(directory),
            "EMAIL_URL": f"smtp://{mail.host}:{mail.port}",
            "EMAIL_TIMEOUT_SECONDS": "2",
            "DELIVERY_LEASE_SECONDS": str(LEASE_SECONDS),
            "LOG_LEVEL": "INFO",
        }
        self.workers: list[Process] = []

    def start_workers(self, count: int, *, processes: int = 1) -> list[Process]:
        """They have answered when this returns."""
        started = [self._start_worker(processes) for _ in range(count)]
        for worker in started:
            wait_until(lambda worker=worker: READY in worker.output, within=40, what="a worker")  # type: ignore[misc]
        return started

    def _start_worker(self, processes: int) -> Process:
        name = f"w{len(self.workers)}@test"
        worker = Process(
            [sys.executable, "-m", "celery", "-A", "statuspage", "worker", "-n", name, "-c", str(processes),
             "--without-mingle", "--without-gossip", "-l", "INFO"],
            env=self.env,
        )  # fmt: skip
        self.workers.append(worker)
        return worker

    def tick(self) -> None:
        """What beat does every five seconds."""
        from statuspage.bell import ring

        ring("delivery.tasks.sweep")

    def settle(self, notice: Notice, *, within: float = 40) -> None:
        """Tick until nobody waits any more; then check the ledger."""
        from delivery.receipt import build_receipt
        from tests.delivery.ledger import assert_ledger_balances

        deadline = time.monotonic() + within
        while True:
            self.tick()
            notice.refresh_from_db()
            receipt = build_receipt(notice)
            assert_ledger_balances(notice)
            if receipt.is_finished:
                return
            logs = "\n".join(worker.output[-2000:] for worker in self.workers)
            assert time.monotonic() < deadline, f"still pending: {receipt}\n{logs}"
            time.sleep(0.2)

    def stop(self) -> None:
        for worker in self.workers:
            kill_group(worker)
            worker.stop()


def kill_group(worker: Process) -> None:
    """SIGKILL to a worker and its pool, all at once."""
    if worker.running():
        os.killpg(worker.pid, signal.SIGKILL)
        worker.popen.wait(10)


@pytest.fixture
def deployment(
    transactional_db: None, redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployment]:
    """Database, Redis and an obedient mail server run; no worker does yet. The test itself rings on that Redis."""
    from celery import current_app

    from tests.delivery.smtp_servers import bad_server

    monkeypatch.setattr(current_app.conf, "broker_url", redis.url)
    _forget_connections(current_app)
    with bad_server({}) as mail:
        started = Deployment(redis, mail, tmp_path, _database_url())
        try:
            yield started
        finally:
            started.stop()
            _forget_connections(current_app)


def _forget_connections(app: Any) -> None:
    """Celery and kombu keep connections to the broker they met first."""
    from kombu import pools

    pools.reset()
    app._pool = None
    app.amqp._producer_pool = None


def _database_url() -> str:
    """Where this test's own database is, for other processes."""
    from django.db import connection

    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    return os.environ["DATABASE_URL"].replace("/postgres?", f"/{name}?")


@pytest.fixture
def page(deployment: Deployment) -> Page:
    from pages.models import Page

    return Page.objects.create(name="Acme Status", url="https://status.acme.example")


@pytest.fixture
def post(page: Page) -> Callable[[int], Notice]:
    """Post an update that so many subscribers want to hear of, as staff do; the notice it made."""
    from delivery.models import Notice
    from incidents.models import Incident
    from subscribers.models import Subscriber

    def post_update(subscribers: int) -> Notice:
        people = (f"person{number:05}@example.com" for number in range(subscribers))
        Subscriber.objects.bulk_create(Subscriber(page=page, address=each, state="active") for each in people)
        started = time.monotonic()
        update = Incident.open(page, "Elevated error rates on Chat API", "We are looking into it.")
        notice = Notice.objects.get(code=update.code)
        notice.seconds_to_post = time.monotonic() - started  # type: ignore[attr-defined]
        return notice

    return post_update
