"""Messages silently stop arriving, and the canary says so: once, and once that it is over.

Nothing here is measured in seconds. The watch waits an hour for heartbeats, which no machine is too busy for; the tests
wait until what they need has happened, and then make the heartbeats in question two hours older.
"""

from __future__ import annotations

import itertools
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import pytest

from canary.arrivals import find_codes
from canary.documents import GENERATION, PATHS
from core.answers import Answer
from core.outbound import request
from core.resolver import Trust
from delivery.queues import all_queues
from tests.faults.conftest import HOST, READY, Deployment
from tests.faults.proxy import Proxy
from tests.http_servers import Listener, Reply, Sent, listening
from tests.processes import answers, free_port, wait_until

if TYPE_CHECKING:
    from canary.models import Heartbeat
    from pages.models import Page
    from tests.faults.nursery import Grown

# The time-out ends what hangs, on the busiest machine; it measures nothing.
pytestmark = [pytest.mark.faults, pytest.mark.once, pytest.mark.timeout(600)]
PERIOD, LOOK = 2, 1
# The longest that settings allow.
PATIENCE = 3600
HANGS = 240  # nothing is measured by it: what has not happened by then never will
SECRET = "the-way-in"
MAIL, WEBHOOK = "email", "webhook"
# Of a watch that begins when no heartbeat can come any more: it need not wait long to be right.
IMPATIENT = {"CANARY_PERIOD_SECONDS": "1"}


class Postman:
    """The mailbox's provider: hands on what the relay took. `loses` decides what gets lost on the way."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.loses: Callable[[], bool] = lambda: False
        self.handled: set[str] = set()
        """Codes of the messages that were handed on, or lost."""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        done = 0
        while not self._stop.wait(0.05):
            mails = self.deployment.mail.received[done:]
            for _, mail in mails:
                done += 1
                if not self.loses():
                    request(
                        "POST",
                        f"http://localhost:{self.deployment.port}/canary/mail/{SECRET}",
                        body=mail,
                        trust=Trust.OPERATOR,
                        seconds=HANGS,
                    )
                self.handled |= find_codes(mail.decode())

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)


class Watched:
    """A deployment whose heartbeats arrive, with everything in processes of its own."""

    def __init__(self, deployment: Deployment, slack: Listener, deadman: Listener, postman: Postman) -> None:
        self.deployment, self.slack, self.deadman, self.postman = deployment, slack, deadman, postman
        self.workers: dict[str, Grown] = {}
        self.watch: Grown | None = None

    def start(self) -> None:
        """All is well when this returns: every part runs, and a heartbeat has come back."""
        self.deployment._start("web")
        wait_until(lambda: answers(self.deployment.port), within=HANGS, what="the web server")
        for queue in all_queues():
            options = ["-P", "solo", "-Q", queue, "-n", f"{queue}@test", "--without-mingle", "--without-gossip"]
            self.workers[queue] = self.deployment._start("worker", *options, "-l", "INFO")
        for worker in self.workers.values():
            wait_until(lambda worker=worker: READY in worker.output, within=HANGS, what="a worker")  # type: ignore[misc]
        self.clock = self.deployment.start_clock()
        self.next_heartbeats(self.has_arrived, count=1)
        self.start_watch(CANARY_PERIOD_SECONDS=str(PATIENCE))
        self.all_is_well()

    def start_watch(self, **env: str) -> None:
        """In place of the one that runs. `env`: its own settings."""
        if self.watch:
            self.watch.kill()
        self.watch = self.deployment.nursery.start("manage", "watch", env=self.deployment.env | env)
        self.deployment.started.append(self.watch)

    def next_heartbeats(self, done: Callable[[Heartbeat], bool], count: int = 3) -> list[Heartbeat]:
        """The first so many that are published from now on, once each of them is `done`."""
        from canary.models import Heartbeat

        after = Heartbeat.objects.order_by("-pk").values_list("pk", flat=True).first() or 0

        def found() -> list[Heartbeat]:
            heartbeats = list(Heartbeat.objects.filter(pk__gt=after).order_by("pk")[:count])
            return heartbeats if len(heartbeats) == count and all(map(done, heartbeats)) else []

        return wait_until(found, within=HANGS, what=f"heartbeats\n{self.deployment.logs}")

    def has_arrived(self, heartbeat: Heartbeat) -> bool:
        return not heartbeat.probes.filter(arrived_at=None).exists()

    def has_passed_the_relay(self, heartbeat: Heartbeat) -> bool:
        """The worker has written down that its mails were taken, and what was not lost has arrived."""
        mails = self.codes(heartbeat, MAIL)
        by_webhook = heartbeat.probes.filter(destination=WEBHOOK, arrived_at=None)
        return mails <= self.postman.handled and self.are(mails, "sent") and not by_webhook.exists()

    def waits_for_the_worker(self, heartbeat: Heartbeat) -> bool:
        by_webhook = heartbeat.probes.filter(destination=WEBHOOK, arrived_at=None)
        return self.are(self.codes(heartbeat, MAIL), "pending") and not by_webhook.exists()

    def codes(self, heartbeat: Heartbeat, destination: str) -> set[str]:
        return set(heartbeat.probes.filter(destination=destination).values_list("code", flat=True))

    def are(self, codes: set[str], state: str) -> bool:
        from delivery.models import Delivery

        return Delivery.objects.filter(notice__code__in=codes, channel=MAIL, state=state).count() == len(codes)

    def two_hours_pass(self, heartbeats: list[Heartbeat]) -> None:
        """For these."""
        from django.db import transaction
        from django.db.models import F

        from canary.models import Heartbeat, Probe

        with transaction.atomic():
            Probe.objects.filter(heartbeat__in=heartbeats).update(arrived_at=F("arrived_at") - timedelta(hours=2))
            older = Heartbeat.objects.filter(pk__in=[each.pk for each in heartbeats])
            older.update(published_at=F("published_at") - timedelta(hours=2))

    def all_is_well(self) -> None:
        """The dead man's switch hears so."""
        heard = len(self.deadman.requests)
        wait_until(lambda: len(self.deadman.requests) > heard, within=HANGS, what=f"a ping\n{self.said}")

    @property
    def said(self) -> list[str]:
        return [each.json["text"] for each in self.slack.requests]

    @property
    def said_of_mail(self) -> list[str]:
        return [each for each in self.said if "heartbeats by mail" in each]

    def noticed(self, words: str) -> str:
        """The first alarm with these words, once it is told."""
        found = lambda: next((each for each in self.said if words in each), "")  # noqa: E731
        return wait_until(found, within=HANGS, what=f"“{words}” in {self.said}\n{self.deployment.logs}")

    def looks(self, times: int = 3) -> None:
        """So many whole looks of the watch, which leaves a note after each."""
        note = Path(self.deployment.env["DATA_DIR"], "watch")
        for _ in range(times + 1):  # the first to end has begun before
            last = note.stat().st_mtime_ns if note.exists() else 0
            wait_until(lambda last=last: note.stat().st_mtime_ns > last, within=HANGS, what="a look")  # type: ignore[misc]

    def assert_pings_have_stopped(self) -> None:
        heard = len(self.deadman.requests)
        self.looks()
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
            "CANARY_DEADLINE_SECONDS": str(PATIENCE),
            "CANARY_WATCH_SECONDS": str(LOOK),
            "ALARM_SLACK_URL": slack.url,
            "ALARM_DEADMAN_URL": deadman.url,
            "EMAIL_TIMEOUT_SECONDS": str(HANGS),
        }
        postman = Postman(deployment)
        stack.callback(postman.close)
        watched = Watched(deployment, slack, deadman, postman)
        watched.start()
        yield watched


def test_a_relay_that_takes_all_and_drops_two_thirds_is_noticed_and_so_is_its_mending(watched: Watched):
    lots = itertools.cycle([True, True, False])
    watched.postman.loses = lambda: next(lots)
    watched.two_hours_pass(watched.next_heartbeats(watched.has_passed_the_relay))

    text = watched.noticed("heartbeats by mail did not arrive")
    assert "accepted by the other side: look at the relay" in text
    watched.assert_pings_have_stopped()
    assert watched.said_of_mail == [text], "an alarm is told once"

    watched.postman.loses = lambda: False
    watched.two_hours_pass(watched.next_heartbeats(watched.has_arrived))
    end = watched.noticed("All clear")
    watched.all_is_well()
    assert watched.said_of_mail == [text, end]


def test_a_worker_that_takes_nothing_up_is_noticed_and_so_is_a_clock_that_stands_still(watched: Watched):
    watched.workers["delivery.email"].send_all(signal.SIGSTOP)
    watched.two_hours_pass(watched.next_heartbeats(watched.waits_for_the_worker))

    text = watched.noticed("heartbeats by mail did not arrive")
    assert "wait to be sent" in text
    watched.assert_pings_have_stopped()
    assert not any("by webhook" in each for each in watched.said)

    watched.clock.send_all(signal.SIGSTOP)
    watched.start_watch(**IMPATIENT)
    watched.noticed("No heartbeat was published")


def test_workers_that_all_take_nothing_up_are_noticed(watched: Watched):
    for worker in watched.workers.values():
        worker.send_all(signal.SIGSTOP)
    watched.start_watch(**IMPATIENT)

    watched.noticed("No heartbeat was published")
    watched.assert_pings_have_stopped()


def test_one_web_process_of_two_that_is_cut_off_is_noticed(deployment: Deployment, page: Page):
    """Cut off from the database, it goes on serving what it had."""
    from django.db import connection
    from django.db.models import F

    from pages.models import Page

    socket_file = Path(connection.settings_dict["OPTIONS"]["host"], ".s.PGSQL.5432")
    with ExitStack() as stack:
        slack, deadman = stack.enter_context(listening()), stack.enter_context(listening())
        proxy = stack.enter_context(ExitStack())
        port = proxy.enter_context(Proxy(socket_file)).port
        webs = [deployment.port, free_port()]
        turns = itertools.cycle(webs)
        balancer = stack.enter_context(listening(lambda sent: forward(sent, next(turns))))
        deployment.env |= {
            "CANARY_READ_URLS": balancer.url,
            "CANARY_READ_SECONDS": str(PATIENCE),
            "CANARY_WATCH_SECONDS": str(LOOK),
            "ALARM_SLACK_URL": slack.url,
            "ALARM_DEADMAN_URL": deadman.url,
            "ALLOWED_HOSTS": f"{HOST},localhost,127.0.0.1",
        }
        deployment._start("web")
        wait_until(lambda: answers(webs[0]), within=HANGS, what="the web server")
        behind_proxy = f"postgresql://postgres@127.0.0.1:{port}/{connection.settings_dict['NAME']}"
        env = deployment.env | {"DATABASE_URL": behind_proxy, "PORT": str(webs[1]), "DATA_DIR": mkdtemp()}
        deployment.started.append(deployment.nursery.start("web", env=env))
        wait_until(lambda: answers(webs[1]), within=HANGS, what="the second web process")
        for path in PATHS:
            assert read(webs[1], path).status == 200
        watch = deployment._start("manage", "watch")
        wait_until(lambda: deadman.requests, within=HANGS, what=f"a ping\n{watch.output}")

        proxy.close()
        new = str(page.raise_generation().generation)
        wait_until(lambda: generation(webs[0]) == new, within=HANGS, what="the new edition")
        Page.objects.update(updated_at=F("updated_at") - timedelta(hours=2))

        def noticed() -> list[str]:
            return [each.json["text"] for each in slack.requests if "reads gave an old edition" in each.json["text"]]

        wait_until(noticed, within=HANGS, what=f"the alarm\n{deployment.logs}")
        assert generation(webs[1]) != new
        assert len(noticed()) == 1


def read(port: int, path: str = "/") -> Answer:
    return request("GET", f"http://localhost:{port}{path}", trust=Trust.OPERATOR, seconds=HANGS)


def generation(port: int) -> str:
    return read(port).headers[GENERATION]


def forward(sent: Sent, port: int) -> Reply:
    """A load balancer in one line."""
    answer = request(sent.method, f"http://localhost:{port}{sent.path}", trust=Trust.OPERATOR, seconds=HANGS)
    return Reply(answer.status, answer.body, {name: answer.headers[name] for name in answer.headers if name[0] == "x"})
