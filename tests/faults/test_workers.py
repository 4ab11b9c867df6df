"""Workers and web servers die, hang or are replaced in the middle of telling people. Everybody is accounted for."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from delivery.models import Notice
from tests.delivery.ledger import assert_ledger_balances
from tests.faults.conftest import subscribe
from tests.faults.outcome import assert_everybody_was_told, message_ids
from tests.processes import wait_until

if TYPE_CHECKING:
    from pages.models import Page
    from tests.faults.conftest import Deployment
    from tests.faults.visitor import Visitor

    Post = Callable[[int], Notice]

pytestmark = [pytest.mark.faults, pytest.mark.once]


def test_a_worker_killed_in_the_middle_of_5000_mails_loses_none(deployment: Deployment, post: Post):
    doomed, _ = deployment.start_workers(2, processes=1)
    notice = post(5000)
    wait_until(lambda: len(deployment.mail.received) > 1500, within=20, what="a third of the mails")

    doomed.kill()

    deployment.settle(notice)
    assert_everybody_was_told(notice, deployment.mail, repeats=500)
    assert notice.deliveries.filter(ambiguous=True).count() <= 500, "no more than one worker's batch is in doubt"


def test_a_killed_child_of_a_worker_costs_one_attempt_and_no_mail(deployment: Deployment, post: Post):
    (worker,) = deployment.start_workers(processes=1)
    (child,) = worker.children()
    deployment.mail.on_taken = lambda: os.kill(child, signal.SIGKILL) if len(deployment.mail.received) == 30 else None
    notice = post(60)
    wait_until(lambda: worker.children() not in ([child], []), within=20, what="another child")

    deployment.settle(notice)

    assert worker.running()
    assert_everybody_was_told(notice, deployment.mail, repeats=60)
    assert notice.deliveries.get(address=deployment.mail.recipients[29]).attempts == 2
    assert not notice.deliveries.filter(attempts__gt=2).exists()


def test_a_worker_killed_between_handing_over_and_recording_repeats_itself_recognisably(
    deployment: Deployment, post: Post
):
    (doomed,) = deployment.start_workers()
    deployment.mail.on_taken = lambda: doomed.kill() if len(deployment.mail.received) == 30 else None
    notice = post(60)
    wait_until(lambda: not doomed.running(), within=20, what="the end of the worker")
    deployment.mail.on_taken = None
    in_doubt = set(notice.deliveries.filter(state="sending").values_list("address", flat=True))
    assert deployment.mail.recipients[-1] in in_doubt

    deployment.start_workers()
    deployment.settle(notice)

    assert_everybody_was_told(notice, deployment.mail, repeats=60)
    repeated = {address for address, ids in message_ids(deployment.mail).items() if len(ids) > 1}
    assert deployment.mail.recipients[29] in repeated
    flagged = set(notice.deliveries.filter(ambiguous=True).values_list("address", flat=True))
    assert repeated <= flagged == in_doubt


def test_a_worker_that_wakes_up_after_its_lease_overwrites_nothing(deployment: Deployment, post: Post):
    (frozen,) = deployment.start_workers(processes=1)
    deployment.mail.on_taken = lambda: time.sleep(0.01)
    notice = post(600)
    wait_until(lambda: len(deployment.mail.received) > 50, within=20, what="the first mails")
    frozen.send_all(signal.SIGSTOP)
    deployment.mail.on_taken = None
    deployment.start_workers()
    deployment.settle(notice)
    recorded = list(notice.deliveries.order_by("pk").values_list("pk", "sent_at", "attempts"))

    frozen.send_all(signal.SIGCONT)
    wait_until(lambda: "taken over by another worker" in frozen.output, within=20, what="the late worker's answer")

    assert list(notice.deliveries.order_by("pk").values_list("pk", "sent_at", "attempts")) == recorded
    assert_everybody_was_told(notice, deployment.mail, repeats=500)
    assert_ledger_balances(notice)


def test_web_and_worker_replaced_in_the_middle_of_2000_mails_tell_everybody_once(
    deployment: Deployment, page: Page, staff: Visitor
):
    (web,) = deployment.started
    (worker,) = deployment.start_workers(processes=1)
    subscribe(page, 2000)
    assert staff.post_update("Errors", "We are looking into it.").status_code == 302
    notice = Notice.objects.get()
    wait_until(lambda: len(deployment.mail.received) > 300, within=20, what="the first mails")

    web.send(signal.SIGTERM)
    worker.send(signal.SIGTERM)
    deployment.start_workers(processes=1)
    web.wait(20)
    deployment.start_web()
    assert staff.get("/").status_code == 200
    deployment.settle(notice)

    worker.wait(20)
    assert_everybody_was_told(notice, deployment.mail)
    assert notice.expected == {"email": 2000}
