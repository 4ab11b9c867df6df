"""A working deployment in pieces that can be broken: database, Redis, workers, clocks, web servers and a mail server.

Workers, clocks and web servers are real processes on the test's own database.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.nursery import Grown, Nursery
from tests.processes import RedisServer, answers, free_port, wait_until

if TYPE_CHECKING:
    from delivery.models import Notice
    from pages.models import Page
    from tests.delivery.scripted_smtp import ScriptedServer
    from tests.delivery.smtp_servers import BadServer
    from tests.faults.visitor import Visitor

# Longer than a busy machine may stop a worker for.
LEASE_SECONDS = 5
PEOPLE = 20_000
READY = "ready."
HOST = "status.acme.example"
METRICS_TOKEN = "a token of more than twenty characters"


class Deployment:
    """Starts processes; sees to it that everything is delivered."""

    def __init__(self, nursery: Nursery, redis: RedisServer, mail: BadServer, directory: Path) -> None:
        self.nursery, self.redis, self.mail = nursery, redis, mail
        self.port = free_port()
        self.env = {
            "DATABASE_URL": database_url(),
            "REDIS_URL": redis.url,
            "DATA_DIR": str(directory),
            "EMAIL_URL": f"smtp://{mail.host}:{mail.port}",
            "EMAIL_TIMEOUT_SECONDS": "2",
            "DELIVERY_LEASE_SECONDS": str(LEASE_SECONDS),
            "LOG_LEVEL": "INFO",
            "PORT": str(self.port),
            "WEB_PROCESSES": "1",
            "ALLOWED_HOSTS": f"{HOST},localhost",
            "METRICS_TOKEN": METRICS_TOKEN,
        }
        self.started: list[Grown] = []

    def start_workers(self, count: int = 1, *, processes: int = 0, **more: Any) -> list[Grown]:
        """They have answered when this returns. `processes`: as many in a pool each; else each works alone."""
        pool = ["-P", "prefork", "-c", str(processes)] if processes else ["-P", "solo"]
        workers = [
            self._start("worker", *pool, "-n", f"w{len(self.started)}@test", "--without-mingle", "--without-gossip",
                        "-l", "INFO", **more)
            for _ in range(count)
        ]  # fmt: skip
        for worker in workers:
            wait_until(lambda worker=worker: READY in worker.output, within=40, what="a worker")  # type: ignore[misc]
        return workers

    def start_clock(self) -> Grown:
        return self._start("beat", "--pidfile=", "-s", f"{self.env['DATA_DIR']}/schedule{len(self.started)}")

    def start_web(self, **more: Any) -> Grown:
        """It answers when this returns; its address is `url`."""
        web = self._start("web", **more)
        wait_until(lambda: answers(self.port), within=40, what="the web server")
        return web

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _start(self, *words: str, **more: Any) -> Grown:
        process = self.nursery.start(*words, env=self.env, **more)
        self.started.append(process)
        return process

    def tick(self) -> None:
        """What beat does every five seconds."""
        from core.wake import wake_worker

        wake_worker("delivery.tasks.sweep")

    def settle(
        self, notice: Notice, *, within: float = 40, ticking: bool = True, meanwhile: Callable[[], object] | None = None
    ) -> None:
        """Wait until nobody waits any more, ticking meanwhile; then check the ledger."""
        from tests.delivery.ledger import assert_ledger_balances

        self.wait(lambda: is_settled(notice), within=within, ticking=ticking, meanwhile=meanwhile)
        assert_ledger_balances(notice)

    def wait(
        self,
        condition: Callable[[], object],
        *,
        within: float = 60,
        ticking: bool = True,
        meanwhile: Callable[[], object] | None = None,
    ) -> None:
        """Until the condition holds, asked often; `meanwhile` is done twice a second, as is ticking."""
        deadline, next_tick = time.monotonic() + within, 0.0
        while not condition():
            now = time.monotonic()
            assert now < deadline, f"still waiting: {states()}\n{self.logs}"
            if now >= next_tick:
                next_tick = now + 0.5
                if ticking:
                    self.tick()
                if meanwhile:
                    meanwhile()
            time.sleep(0.05)

    @property
    def logs(self) -> str:
        return "\n".join(process.output[-3000:] for process in self.started)

    def stop(self) -> None:
        for process in self.started:
            process.stop()


def states() -> dict[str, int]:
    """How many deliveries there are in each state."""
    from django.db.models import Count

    from delivery.models import Delivery

    return dict(Delivery.objects.order_by().values_list("state").annotate(Count("pk")))


def is_settled(notice: Notice) -> bool:
    notice.refresh_from_db()
    waiting = notice.deliveries.filter(state__in=("pending", "sending"))
    return notice.expanded_at is not None and not waiting.exists()


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    started = Nursery()
    yield started
    started.close()


@pytest.fixture
def database(transactional_db: None) -> None:
    """The test's own database, emptied afterwards. Files that break their database have another."""


@pytest.fixture
def deployment(
    nursery: Nursery, database: None, redis: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployment]:
    """Database, Redis and an obedient mail server run; nothing else does yet. The test itself sends tasks through that Redis."""
    from celery import current_app

    from tests.delivery.smtp_servers import bad_server

    monkeypatch.setattr(current_app.conf, "broker_url", redis.url)
    _forget_connections(current_app)
    with bad_server({}) as mail:
        deployment = Deployment(nursery, redis, mail, tmp_path)
        try:
            yield deployment
        finally:
            deployment.stop()
            _forget_connections(current_app)


@pytest.fixture
def relay(deployment: Deployment) -> Iterator[ScriptedServer]:
    """A mail server that takes mails as fast as they come, in place of the plain one."""
    from tests.delivery.scripted_smtp import ScriptedServer

    with ScriptedServer() as server:
        deployment.env["EMAIL_URL"] = f"smtp://127.0.0.1:{server.port}"
        yield server
        deployment.stop()


def _forget_connections(app: Any) -> None:
    """Celery and kombu keep connections to the broker they met first."""
    from kombu import pools

    pools.reset()
    app._pool = None
    app.amqp._producer_pool = None


def database_url() -> str:
    """Where this test's own database is, for other processes."""
    from django.db import connection

    name = connection.settings_dict["NAME"]
    if connection.vendor == "sqlite":
        return f"sqlite:///{name}"
    options = connection.settings_dict["OPTIONS"]
    # Ours is a minute; who is frozen in the middle of a transaction would hold up these tests for as long.
    session = f"-c%20idle_in_transaction_session_timeout%3D{LEASE_SECONDS}s"
    return f"postgresql://postgres@/{name}?host={connection.settings_dict['HOST'] or options['host']}&options={session}"


@pytest.fixture
def page(deployment: Deployment) -> Page:
    from pages.models import Page

    return Page.objects.create(name="Acme Status", url=f"https://{HOST}")


@pytest.fixture
def post(page: Page) -> Callable[[int], Notice]:
    """Post an update that so many new subscribers want to hear of, as staff do; the notice it made."""
    from delivery.models import Notice
    from incidents.models import Incident, Post

    def post_update(subscribers: int) -> Notice:
        subscribe(page, subscribers)
        started = time.monotonic()
        update = Incident.open(page, "Elevated error rates on Chat API", Post("We are looking into it."))
        notice = Notice.objects.get(code=update.code)
        notice.seconds_to_post = time.monotonic() - started  # type: ignore[attr-defined]
        return notice

    return post_update


def subscribe(page: Page, people: int) -> None:
    from subscribers.models import Subscriber

    addresses = (f"person{number:05}@example.com" for number in range(people))
    Subscriber.objects.bulk_create(Subscriber(page=page, address=each, state="active") for each in addresses)


@pytest.fixture
def staff(deployment: Deployment, page: Page) -> Visitor:
    """A staff member at the web server, signed in."""
    from django.contrib.auth.models import User
    from django.test import Client

    from tests.faults.visitor import Visitor

    client = Client()
    client.force_login(User.objects.create_superuser("olga"))
    deployment.start_web()
    return Visitor(deployment.url, HOST, client.cookies["sessionid"].value)
