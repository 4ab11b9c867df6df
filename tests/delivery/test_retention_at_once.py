"""Pruning beside everything else: senders, staff, people who are forgotten, readers, a second pruner, and a kill."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connections
from django.utils import timezone

from delivery.contract import DeliveryError, SendResult
from delivery.ledger import compaction, outbox, retention
from delivery.ledger.claims import claim
from delivery.ledger.forgetting import blank_address
from delivery.ledger.recording import record
from delivery.models import Delivery, Notice
from delivery.overview import recent_notices
from delivery.receipt import build_receipt, retry_failed
from tests.delivery.ledger import assert_ledger_balances, retally
from tests.faults.conftest import database_url
from tests.processes import Process, python, wait_until

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers, MakeNotice

pytestmark = pytest.mark.django_db(transaction=True)
State = Delivery.State


@pytest.fixture(autouse=True)
def _no_bells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "wake_on_commit", lambda *args: None)


TIDY = """
import django; django.setup()
from delivery.ledger import retention
retention.CHUNK = 20
real = retention._delete_chunk
retention._delete_chunk = lambda pk: (real(pk), print("deleted", flush=True))[0]
retention.tidy(60)
"""


def finish(notice: Notice, *, age_days: int) -> None:
    outbox.expand(notice.pk)
    sent_at = timezone.now() - timedelta(days=age_days)
    notice.deliveries.update(state=State.SENT, sent_at=sent_at)
    notice.deliveries.filter(address__contains="7@").update(state=State.DEAD, error="550 no", sent_at=None)
    Notice.objects.filter(pk=notice.pk).update(created_at=sent_at)
    retally()


def in_thread(work: Callable[[], object]) -> Callable[[], object]:
    def run() -> object:
        try:
            return work()
        finally:
            connections.close_all()

    return run


def send_all(slowest: list[float]) -> int:
    """Claim and record until nothing is due, as a sender does; how many, and how long the slowest claim took."""
    sent = 0
    while True:
        started = time.monotonic()
        batch = claim("email", 50)
        slowest.append(time.monotonic() - started)
        if batch is None:
            return sent
        sent += len(batch.recipients)
        record(batch, [SendResult(pk) for pk in list(batch.recipients)])


def assert_whole(notice: Notice, expected: int) -> None:
    receipt = build_receipt(Notice.objects.get(pk=notice.pk))
    settled = receipt.sent + receipt.suppressed + receipt.dead + receipt.unknown
    assert (receipt.expected, settled + receipt.pending) == (expected, expected)
    told = next(each for each in recent_notices(9) if each.notice.pk == notice.pk)
    assert (told.expected, told.sent + told.suppressed + told.failed + told.pending) == (expected, expected)


def test_pruning_does_not_block_other_work(
    make_notice: MakeNotice, add_subscribers: AddSubscribers, monkeypatch: pytest.MonkeyPatch
):
    """Two pruners and two senders, people who are forgotten, and a reader that must never miss anybody."""
    monkeypatch.setattr(retention, "CHUNK", 25)
    monkeypatch.setattr(retention, "_anything_is_due", lambda: False)  # otherwise sending goes first
    people = add_subscribers(600)
    old, new = make_notice(), make_notice(thread="incident0002")
    finish(old, age_days=100)
    outbox.expand(new.pk)
    over = threading.Event()
    slowest: list[float] = []

    def read() -> int:
        looks = 0
        while not over.is_set() or not looks:
            assert_whole(old, 600)
            assert_whole(new, 600)
            looks += 1
        return looks

    def forget() -> None:
        for person in people[::20]:
            blank_address(None, page=old.page, channel="email", address=person.address)

    with ThreadPoolExecutor(6) as pool:
        looks = pool.submit(in_thread(read))
        forgetting = pool.submit(in_thread(forget))
        senders = [pool.submit(in_thread(lambda: send_all(slowest))) for _ in range(2)]
        pruners = [pool.submit(in_thread(lambda: retention.tidy(30))) for _ in range(2)]
        sent = sum(each.result() for each in senders)
        deleted = sum(each.result()["deleted"] for each in pruners)
        forgetting.result()
        over.set()
        assert looks.result() > 0

    retention.tidy(30)
    spared = new.deliveries.filter(state="suppressed", error="deleted").count()
    assert (sent + spared, old.deliveries.count()) == (600, 0)
    assert spared <= len(people[::20])
    assert deleted <= 600
    assert max(slowest) < 2.0
    assert_ledger_balances(new)
    assert_whole(old, 600)


def test_staff_who_try_again_while_it_is_compacted_and_pruned_lose_nothing(
    notice: Notice, add_subscribers: AddSubscribers
):
    """Whichever comes first, each failed delivery is either counted for good or tried again, never both."""
    add_subscribers(40)
    finish(notice, age_days=100)
    over = threading.Event()

    def compact() -> None:
        while not over.is_set():
            compaction.compact(notice.pk)
            time.sleep(0.002)  # on SQLite, who comes back at once leaves no turn to others

    def try_again() -> int:
        total = 0
        for _ in range(25):
            total += (count := retry_failed(notice, "email"))
            assert count in (0, 4)
            assert not retention.mark_pruned(notice.pk), "four wait"
            fail_all()
            assert_whole(notice, 40)
        return total

    with ThreadPoolExecutor(2) as pool:
        compacting = pool.submit(in_thread(compact))
        retried = pool.submit(in_thread(try_again)).result()
        over.set()
        compacting.result()

    assert retried == 100
    assert_ledger_balances(notice)
    assert retention.tidy(30)["pruned"] == 1
    assert retry_failed(notice, "email") == 0
    assert_whole(notice, 40)


def fail_all() -> None:
    while batch := claim("email", 50):
        record(batch, [SendResult(pk, DeliveryError("550 no", permanent=True)) for pk in list(batch.recipients)])


def test_a_pruner_that_is_killed_half_way_leaves_a_whole_receipt(notice: Notice, add_subscribers: AddSubscribers):
    add_subscribers(2_000)
    finish(notice, age_days=100)
    env = {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "statuspage.settings"}
    pruner = Process(python("-c", TIDY), env=env)
    try:
        wait_until(lambda: pruner.output.count("deleted") >= 3, within=60, what="the first deletions")
        pruner.kill()
    finally:
        pruner.stop()

    assert 0 < notice.deliveries.count() < 2_000, "killed half-way"
    assert Notice.objects.get().emptied_at is None
    assert_whole(notice, 2_000)
    retention.tidy(60)
    assert notice.deliveries.count() == 0
    assert Notice.objects.get().emptied_at
    assert_whole(notice, 2_000)


def test_rows_that_others_hold_are_left_for_the_next_time(notice: Notice, add_subscribers: AddSubscribers):
    from django.db import connection, transaction

    if connection.vendor == "sqlite":
        pytest.skip("transactions take turns")
    add_subscribers(3)
    finish(notice, age_days=100)
    with transaction.atomic():
        list(notice.deliveries.select_for_update().order_by("pk")[:1])
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(in_thread(lambda: retention.tidy(10))).result(20)
        assert done == {"compacted": 0, "pruned": 1, "deleted": 2}
        assert Notice.objects.get().emptied_at is None
    assert retention.tidy(10) == {"compacted": 0, "pruned": 0, "deleted": 1}
    assert Notice.objects.get().emptied_at
