"""Messages silently stop arriving, and the canary says so within two periods: once, and once that it is over."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import pytest

from canary.documents import PATHS
from core.outbound import Trust, request
from delivery.queues import all_queues
from tests.faults.conftest import HOST, READY, Deployment
from tests.faults.proxy import Proxy
from tests.http_servers import Listener, Reply, Sent, listening
from tests.processes import answers, free_port, wait_until

if TYPE_CHECKING:
    from pages.models import Page
    from tests.faults.nursery import Grown

pytestmark = [pytest.mark.faults, pytest.mark.once]
# On a machine that does much else a mail may take some seconds, and that must not be a fault of its own.
PERIOD, DEADLINE, LOOK = 10, 8, 1
TWO_PERIODS = 2 * PERIOD
SECRET = "the-way-in"


class Postman:
    """The mailbox's provider: hands on what the relay took. `loses` decides what gets lost on the way."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.loses: Callable[[], bool] = lambda: False
        self.lost = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        done = 0
        while not self._stop.wait(0.05):
            mails = self.deployment.mail.received[done:]
            for _, mail in mails:
                done += 1
                if self.loses():
                    self.lost += 1
                else:
                    request(
                        "POST",
                        f"http://localhost:{self.deployment.port}/canary/mail/{SECRET}",
                        body=mail,
                        trust=Trust.OPERATOR,
                        seconds=5,
                    )

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)


class Watched:
    """A deployment whose heartbeats arrive, with everything in processes of its own."""

    def __init__(self, deployment: Deployment, slack: Listener, deadman: Listener, postman: Postman) -> None:
        self.deployment, self.slack, self.deadman, self.postman = deployment, slack, deadman, postman
        self.workers: dict[str, Grown] = {}

    def start(self) -> None:
        """All is well when this returns: every part runs, and a heartbeat has come back."""
        self.deployment.start_web()
        for queue in all_queues():
            options = ["-P", "solo", "-Q", queue, "-n", f"{queue}@test", "--without-mingle", "--without-gossip"]
            self.workers[queue] = self.deployment._start("worker", *options, "-l", "INFO")
        for worker in self.workers.values():
            wait_until(lambda worker=worker: READY in worker.output, within=40, what="a worker")  # type: ignore[misc]
        self.clock = self.deployment.start_clock()
        self.watch = self.deployment._start("manage", "watch")
        wait_until(self.has_arrived, within=30, what=f"a heartbeat\n{self.deployment.logs}")
        self.all_is_well()

    def has_arrived(self) -> bool:
        from canary.models import Heartbeat, Probe

        first = Heartbeat.objects.order_by("pk").first()
        return first is not None and not Probe.objects.filter(heartbeat=first, arrived_at=None).exists()

    def all_is_well(self) -> None:
        """The dead man's switch hears so."""
        heard = len(self.deadman.requests)
        wait_until(lambda: len(self.deadman.requests) > heard, within=30, what=f"a ping\n{self.said}")

    @property
    def said(self) -> list[str]:
        return [each.json["text"] for each in self.slack.requests]

    def noticed(self, words: str, *, within: float = TWO_PERIODS) -> float:
        """Seconds until an alarm with these words; a second is for the machine."""
        started = time.monotonic()
        wait_until(
            lambda: any(words in each for each in self.said), within=within + 1, what=f"“{words}” in {self.said}"
        )
        return time.monotonic() - started

    def assert_pings_have_stopped(self) -> None:
        heard = len(self.deadman.requests)
        time.sleep(3 * LOOK)
        assert len(self.deadman.requests) == heard


@pytest.fixture
def watched(deployment: Deployment, page: Page) -> Iterator[Watched]:
    with ExitStack() as stack:
        slack, deadman = stack.enter_context(listening()), stack.enter_context(listening())
        deployment.env |= {
            "CANARY_MAIL_TO": "canary@mailbox.example",
            "CANARY_MAIL_SECRET": SECRET,
            "CANARY_WEBHOOK_URL": f"http://localhost:{deployment.port}/canary/hook",
            "CANARY_PERIOD_SECONDS": str(PERIOD),
            "CANARY_DEADLINE_SECONDS": str(DEADLINE),
            "CANARY_WATCH_SECONDS": str(LOOK),
            "ALARM_SLACK_URL": slack.url,
            "ALARM_DEADMAN_URL": deadman.url,
        }
        postman = Postman(deployment)
        stack.callback(postman.close)
        watched = Watched(deployment, slack, deadman, postman)
        watched.start()
        yield watched


def test_a_relay_that_takes_all_and_drops_two_thirds_is_noticed_and_so_is_its_mending(watched: Watched):
    chance = random.Random(66)
    watched.postman.loses = lambda: chance.random() < 0.66

    watched.noticed("heartbeats by mail did not arrive")
    assert "taken by the other side, so look behind it" in watched.said[0]
    watched.assert_pings_have_stopped()
    assert len(watched.said) == 1, "an alarm is told once"

    watched.postman.loses = lambda: False
    watched.noticed("All clear", within=5 * PERIOD)
    watched.all_is_well()
    assert len(watched.said) == 2

    watched.watch.kill()
    watched.assert_pings_have_stopped()


def test_a_worker_that_takes_nothing_up_is_noticed_and_so_is_a_clock_that_stands_still(watched: Watched):
    watched.workers["delivery.email"].send_all(signal.SIGSTOP)

    watched.noticed("heartbeats by mail did not arrive")
    assert "wait to be sent" in watched.said[0]
    assert "webhook" not in watched.said[0]
    watched.assert_pings_have_stopped()

    watched.clock.send_all(signal.SIGSTOP)
    watched.noticed("No heartbeat was published")


def test_workers_that_all_take_nothing_up_are_noticed(watched: Watched):
    for worker in watched.workers.values():
        worker.send_all(signal.SIGSTOP)

    watched.noticed("No heartbeat was published")
    watched.assert_pings_have_stopped()


def test_one_web_process_of_two_that_is_cut_off_is_noticed(deployment: Deployment, page: Page):
    """Cut off from the database, it goes on serving what it had."""
    from django.db import connection

    socket_file = Path(connection.settings_dict["OPTIONS"]["host"], ".s.PGSQL.5432")
    with ExitStack() as stack:
        slack, deadman = stack.enter_context(listening()), stack.enter_context(listening())
        proxy = stack.enter_context(ExitStack())
        port = proxy.enter_context(Proxy(socket_file)).port
        webs = [deployment.port, free_port()]
        balancer = stack.enter_context(listening(lambda sent: forward(sent, random.choice(webs))))
        deployment.env |= {
            "CANARY_READ_URLS": balancer.url,
            "CANARY_READ_SECONDS": "2",
            "CANARY_WATCH_SECONDS": str(LOOK),
            "ALARM_SLACK_URL": slack.url,
            "ALARM_DEADMAN_URL": deadman.url,
            "ALLOWED_HOSTS": f"{HOST},localhost,127.0.0.1",
        }
        deployment.start_web()
        behind_proxy = f"postgresql://postgres@127.0.0.1:{port}/{connection.settings_dict['NAME']}"
        env = deployment.env | {"DATABASE_URL": behind_proxy, "PORT": str(webs[1]), "DATA_DIR": mkdtemp()}
        deployment.started.append(deployment.nursery.start("web", env=env))
        wait_until(lambda: answers(webs[1]), within=40, what="the second web process")
        deployment._start("manage", "watch")
        for path in PATHS:
            assert request("GET", f"http://localhost:{webs[1]}{path}", trust=Trust.OPERATOR, seconds=20).status == 200
        wait_until(lambda: deadman.requests, within=20, what="a ping")
        assert slack.requests == []

        proxy.close()
        page.raise_generation()

        wait_until(lambda: slack.requests, within=20, what=f"the alarm\n{deployment.logs}")
        assert "reads gave an old edition" in slack.requests[0].json["text"]
        assert len(slack.requests) == 1


def forward(sent: Sent, port: int) -> Reply:
    """A load balancer in one line."""
    answer = request(sent.method, f"http://localhost:{port}{sent.path}", trust=Trust.OPERATOR, seconds=5)
    return Reply(answer.status, answer.body, {name: answer.headers[name] for name in answer.headers if name[0] == "x"})
