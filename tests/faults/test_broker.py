"""Redis is gone, hangs, forgets, repeats itself or cannot be heard. Wake-ups are lost; nobody is forgotten."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from celery import current_app
from django.core.management import call_command
from django.db import transaction
from pytest_django import Settings

from core.wake import wake_worker
from tests.faults.conftest import PEOPLE
from tests.faults.outcome import assert_nothing_was_lost
from tests.faults.proxy import Proxy

if TYPE_CHECKING:
    from delivery.models import Notice
    from tests.delivery.scripted_smtp import ScriptedServer
    from tests.faults.conftest import Deployment

    Post = Callable[[int], Notice]

pytestmark = [pytest.mark.faults, pytest.mark.once, pytest.mark.timeout(300)]


@pytest.fixture
def proxy(deployment: Deployment) -> Iterator[Proxy]:
    """Processes that start from now on reach Redis through it; the test itself does not."""
    with Proxy(deployment.redis.socket) as started:
        deployment.env["REDIS_URL"] = f"redis://127.0.0.1:{started.port}/0"
        yield started
        deployment.stop()


def test_posting_works_and_everybody_is_told_when_redis_is_down(deployment: Deployment, post: Post, settings: Settings):
    deployment.redis.kill()

    notice = post(20)

    assert notice.seconds_to_post < 2
    assert notice.deliveries.count() == 0
    settings.MAIL_DIR, settings.EMAIL_HOST, settings.EMAIL_PORT = None, deployment.mail.host, deployment.mail.port
    call_command("deliver")
    assert_nothing_was_lost(notice, deployment.mail)


def test_posting_ends_soon_when_redis_hangs_and_a_worker_tells_everybody_later(deployment: Deployment, post: Post):
    deployment.redis.freeze()

    notice = post(20)

    assert notice.seconds_to_post < 6
    deployment.redis.thaw()
    deployment.start_workers()
    deployment.settle(notice)
    assert_nothing_was_lost(notice, deployment.mail)


def test_a_broker_that_fails_in_every_way_loses_nobody_among_20000(
    deployment: Deployment, post: Post, relay: ScriptedServer, proxy: Proxy
):
    """A4, A5, A7, A9, A12, A13: four workers and two clocks; nobody is even told twice."""
    workers = deployment.start_workers(4, processes=1)
    clocks = [deployment.start_clock(), deployment.start_clock()]
    notice = post(PEOPLE)
    ring_a_hundred_times(notice)

    def reach(share: float) -> None:
        deployment.wait(lambda: len(relay.taken) > share * PEOPLE, ticking=False)

    reach(0.05)
    proxy.swallow_all()
    silent_since = time.monotonic()
    reach(0.2)
    deployment.redis.flush()
    reach(0.4)
    deployment.redis.restart()
    reach(0.6)
    deployment.redis.freeze()
    ring_a_hundred_times(notice, threads=1)
    deployment.redis.thaw()
    deployment.redis.flush()
    deployment.settle(notice, within=60, ticking=False)

    assert_nothing_was_lost(notice, relay)
    assert set(notice.deliveries.values_list("attempts", flat=True)) == {1}
    left = 60 - (time.monotonic() - silent_since)
    deployment.wait(lambda: len(current_app.control.ping(timeout=1)) == len(workers), within=left, ticking=False)
    assert proxy.accepted_since, "by connections that were opened afterwards"
    assert all(process.running() for process in workers + clocks)


def ring_a_hundred_times(notice: Notice, threads: int = 10) -> None:
    def ring_often() -> None:
        for _ in range(10):
            wake_worker("delivery.tasks.fan_out", notice.pk)
            wake_worker("delivery.tasks.send", "email")

    with ThreadPoolExecutor(threads) as pool:
        for each in [pool.submit(ring_often) for _ in range(threads)]:
            each.result(60)


def test_a_callback_that_raises_on_commit_keeps_no_bell_from_ringing(deployment: Deployment, post: Post):
    deployment.start_workers()

    def explode() -> None:
        raise RuntimeError("somebody else's mistake")

    with transaction.atomic():
        transaction.on_commit(explode, robust=True)
        notice = post(20)

    deployment.settle(notice, within=15, ticking=False)
    assert_nothing_was_lost(notice, deployment.mail)
