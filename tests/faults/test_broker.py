"""Redis is gone, hangs, forgets, repeats itself or cannot be heard. Bells are lost; nobody is forgotten."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from celery import current_app
from django.core.management import call_command
from django.db import transaction
from pytest_django import Settings

from statuspage.bell import ring
from tests.delivery.ledger import assert_ledger_balances
from tests.faults.outcome import assert_everybody_was_told
from tests.faults.proxy import Proxy
from tests.processes import wait_until

if TYPE_CHECKING:
    from delivery.models import Notice
    from tests.faults.conftest import Deployment

    Post = Callable[[int], Notice]

pytestmark = [pytest.mark.faults, pytest.mark.once]
# Ours are 5 and 25 seconds: a worker hears again within half a minute. What is tried here does not depend on how long.
IMPATIENT = {"socket_timeout": 1, "health_check_interval": 2}


@pytest.fixture
def proxy(deployment: Deployment) -> Iterator[Proxy]:
    """Processes that start from now on reach Redis through it; the test itself does not."""
    with Proxy(deployment.redis.socket) as started:
        deployment.env["REDIS_URL"] = f"redis://127.0.0.1:{started.port}/0"
        yield started
        deployment.stop()


@pytest.fixture
def deaf(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's own bells are heard by nobody."""
    monkeypatch.setattr(current_app.conf, "broker_url", f"redis+socket://{deployment.redis.directory}/nobody.sock")


def test_posting_works_and_everybody_is_told_when_redis_is_down(deployment: Deployment, post: Post, settings: Settings):
    deployment.redis.kill()

    notice = post(20)

    assert notice.seconds_to_post < 2
    assert notice.deliveries.count() == 0
    settings.MAIL_DIR, settings.EMAIL_HOST, settings.EMAIL_PORT = None, deployment.mail.host, deployment.mail.port
    call_command("deliver")
    assert_everybody_was_told(notice, deployment.mail)
    assert_ledger_balances(notice)


def test_posting_ends_soon_when_redis_hangs_and_a_worker_tells_everybody_later(deployment: Deployment, post: Post):
    deployment.redis.freeze()

    notice = post(20)

    assert notice.seconds_to_post < 6
    deployment.redis.thaw()
    deployment.start_workers()
    deployment.settle(notice)
    assert_everybody_was_told(notice, deployment.mail)


def test_a_redis_that_comes_back_empty_costs_only_time(deployment: Deployment, post: Post):
    deployment.start_workers()
    deployment.redis.kill()
    notice = post(20)
    deployment.redis.start()

    deployment.settle(notice)

    assert_everybody_was_told(notice, deployment.mail)


def test_a_redis_that_is_emptied_again_and_again_loses_nothing(deployment: Deployment, post: Post):
    deployment.start_workers(2)
    mail = deployment.mail
    mail.on_taken = lambda: deployment.redis.flush() if len(mail.received) % 100 == 1 else None

    notice = post(600)

    wait_until(lambda: len(mail.received) > 300, within=20, what="half of the mails")
    deployment.settle(notice)
    assert_everybody_was_told(notice, mail)


def test_a_worker_whose_connections_die_in_silence_hears_again_and_nothing_is_lost(
    deployment: Deployment, post: Post, proxy: Proxy
):
    (worker,) = deployment.start_workers(broker_options=IMPATIENT)
    proxy.swallow_all()

    notice = post(20)

    deployment.settle(notice, within=30)
    assert_everybody_was_told(notice, deployment.mail)
    assert worker.running()
    assert proxy.accepted_since, "by connections that were opened afterwards"


def test_a_bell_rung_a_hundred_times_tells_everybody_once(deployment: Deployment, post: Post):
    deployment.start_workers(2, processes=2)
    notice = post(200)

    def ring_often() -> None:
        for _ in range(10):
            ring("delivery.tasks.fan_out", notice.pk)
            ring("delivery.tasks.send", "email")

    threads = [threading.Thread(target=ring_often) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    deployment.settle(notice)

    assert_everybody_was_told(notice, deployment.mail)
    assert set(notice.deliveries.values_list("attempts", flat=True)) == {1}


def test_two_clocks_and_two_workers_tell_everybody_once_although_no_bell_was_heard(
    deployment: Deployment, post: Post, deaf: None
):
    deployment.start_workers(2)
    clocks = [deployment.start_clock(), deployment.start_clock()]

    notice = post(100)

    deployment.settle(notice, within=30, ticking=False)
    assert_everybody_was_told(notice, deployment.mail)
    assert set(notice.deliveries.values_list("attempts", flat=True)) == {1}
    for clock in clocks:
        assert clock.running()
        clock.send(signal.SIGTERM)
        clock.wait()


def test_a_callback_that_raises_on_commit_keeps_no_bell_from_ringing(deployment: Deployment, post: Post):
    deployment.start_workers()

    def explode() -> None:
        raise RuntimeError("somebody else's mistake")

    with transaction.atomic():
        transaction.on_commit(explode, robust=True)
        notice = post(20)

    deployment.settle(notice, within=15, ticking=False)
    assert_everybody_was_told(notice, deployment.mail)
