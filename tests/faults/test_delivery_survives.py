"""Real parts are broken in the middle of telling people. Whatever happens, everybody is accounted for."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_bytes
from typing import TYPE_CHECKING

import pytest
from django.core.management import call_command
from pytest_django import Settings

from delivery.models import Delivery, Pause
from statuspage.bell import ring
from tests.delivery.ledger import assert_ledger_balances
from tests.delivery.smtp_servers import HANG_UP, KEEP_THEN_HANG_UP, SILENT
from tests.faults.conftest import kill_group
from tests.processes import wait_until

if TYPE_CHECKING:
    from delivery.models import Notice
    from tests.delivery.smtp_servers import BadServer
    from tests.faults.conftest import Deployment

    Post = Callable[[int], Notice]

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults")]
PAST = datetime(2020, 1, 1, tzinfo=UTC)


def message_ids(mail: BadServer) -> dict[str, list[str]]:
    """The Message-IDs that each recipient got, in order."""
    ids: dict[str, list[str]] = defaultdict(list)
    for address, content in mail.received:
        ids[address].append(message_from_bytes(content)["Message-ID"])
    return ids


def assert_everybody_was_told(notice: Notice, mail: BadServer, *, repeats: int = 0) -> None:
    """Each got it; at most `repeats` got it more than once, and those under one Message-ID."""
    got = message_ids(mail)
    expected = set(notice.deliveries.values_list("address", flat=True))
    assert set(got) == expected
    assert set(notice.deliveries.values_list("state", flat=True)) == {"sent"}
    assert all(len(set(ids)) == 1 for ids in got.values())
    assert sum(len(ids) > 1 for ids in got.values()) <= repeats


def hurry(notice: Notice) -> None:
    """Make waits end now."""
    notice.deliveries.filter(state="pending").update(next_attempt_at=PAST)
    Pause.objects.update(probe_at=PAST)


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
    deployment.start_workers(1)
    deployment.settle(notice)
    assert_everybody_was_told(notice, deployment.mail)


def test_a_redis_that_comes_back_empty_costs_only_time(deployment: Deployment, post: Post):
    deployment.start_workers(1)
    deployment.redis.kill()
    notice = post(20)
    deployment.redis.start()

    deployment.settle(notice)

    assert_everybody_was_told(notice, deployment.mail)


@pytest.mark.once
def test_a_worker_killed_in_the_middle_of_5000_mails_loses_none(deployment: Deployment, post: Post):
    doomed, _ = deployment.start_workers(2)
    notice = post(5000)
    wait_until(lambda: len(deployment.mail.received) > 1500, within=20, what="a third of the mails")

    kill_group(doomed)

    deployment.settle(notice)
    assert_everybody_was_told(notice, deployment.mail, repeats=500)
    assert notice.deliveries.filter(ambiguous=True).count() <= 500, "no more than one worker's batch is in doubt"


def test_a_worker_killed_between_handing_over_and_recording_repeats_itself_recognisably(
    deployment: Deployment, post: Post
):
    (doomed,) = deployment.start_workers(1)
    deployment.mail.on_taken = lambda: kill_group(doomed) if len(deployment.mail.received) == 30 else None
    notice = post(60)
    wait_until(lambda: not doomed.running(), within=20, what="the end of the worker")
    deployment.mail.on_taken = None
    in_doubt = set(notice.deliveries.filter(state="sending").values_list("address", flat=True))
    assert deployment.mail.recipients[-1] in in_doubt

    deployment.start_workers(1)
    deployment.settle(notice)

    assert_everybody_was_told(notice, deployment.mail, repeats=60)
    repeated = {address for address, ids in message_ids(deployment.mail).items() if len(ids) > 1}
    assert deployment.mail.recipients[29] in repeated
    flagged = set(notice.deliveries.filter(ambiguous=True).values_list("address", flat=True))
    assert repeated <= flagged == in_doubt


@pytest.mark.once
def test_a_worker_that_wakes_up_after_its_lease_overwrites_nothing(deployment: Deployment, post: Post):
    (frozen,) = deployment.start_workers(1)
    deployment.mail.on_taken = lambda: time.sleep(0.01)
    notice = post(1000)
    wait_until(lambda: len(deployment.mail.received) > 50, within=20, what="the first mails")
    os.killpg(frozen.pid, signal.SIGSTOP)
    deployment.mail.on_taken = None
    deployment.start_workers(1)
    deployment.settle(notice)
    recorded = list(notice.deliveries.order_by("pk").values_list("pk", "sent_at", "attempts"))

    os.killpg(frozen.pid, signal.SIGCONT)
    wait_until(lambda: "taken over by another worker" in frozen.output, within=20, what="the late worker's answer")

    assert list(notice.deliveries.order_by("pk").values_list("pk", "sent_at", "attempts")) == recorded
    assert_everybody_was_told(notice, deployment.mail, repeats=500)
    assert_ledger_balances(notice)


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


def test_a_mail_server_with_every_fault_costs_only_the_recipient_it_refuses(deployment: Deployment, post: Post):
    good = "250 OK"
    deployment.mail.script = {
        "RCPT": [good, "550 5.1.1 unknown", good, HANG_UP, good, "421 closing", good, "450 greylisted"],
        "MAIL": [good] * 10 + ["421 too many"],
        "dot": [good, KEEP_THEN_HANG_UP, "451 later", good, "421 closing"],
    }
    deployment.start_workers(1)
    notice = post(50)
    wait_until(lambda: _settled_or_waiting(notice), within=20, what="the first round")
    assert Counter(notice.deliveries.values_list("state", flat=True))["sent"] >= 45
    hurry(notice)

    deployment.settle(notice)

    assert Counter(notice.deliveries.values_list("state", flat=True)) == {"sent": 49, "dead": 1}
    refused = notice.deliveries.get(state="dead").address
    got = message_ids(deployment.mail)
    assert refused not in got
    assert len(got) == 49
    assert [len(ids) for ids in got.values() if len(ids) > 1] == [2], "one answer was lost"
    assert all(len(set(ids)) == 1 for ids in got.values())


def _settled_or_waiting(notice: Notice) -> bool:
    notice.refresh_from_db()
    busy = notice.deliveries.filter(state="sending") | notice.deliveries.filter(state="pending", attempts=0)
    return notice.expanded_at is not None and not busy.exists()


def test_a_mail_server_that_never_greets_pauses_mail_and_burns_no_attempt(deployment: Deployment, post: Post):
    deployment.mail.script = {"greeting": [SILENT] * 50}
    deployment.start_workers(1)
    notice = post(20)
    wait_until(Pause.objects.exists, within=20, what="the pause")
    wait_until(lambda: not notice.deliveries.filter(state="sending").exists(), within=5, what="the rows given back")
    assert set(notice.deliveries.values_list("state", "attempts")) == {(Delivery.State.PENDING, 0)}
    assert Pause.objects.get().reason.startswith("the SMTP server does not answer")

    deployment.mail.script = {}
    hurry(notice)
    deployment.settle(notice)

    assert_everybody_was_told(notice, deployment.mail)
    assert not Pause.objects.exists()
