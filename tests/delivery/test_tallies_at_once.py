"""Senders append, two compact, staff look, the check counts: every sum is right at each moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from django.db import connections

from delivery.contract import DeliveryError, SendResult
from delivery.ledger import compaction, outbox
from delivery.ledger.claims import claim
from delivery.ledger.reconcile import differences
from delivery.ledger.recording import record
from delivery.models import Notice, Tally
from delivery.receipt import build_receipt
from tests.delivery.ledger import assert_ledger_balances

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers

pytestmark = pytest.mark.django_db(transaction=True)
PEOPLE = 400


@pytest.fixture(autouse=True)
def _no_bells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "wake_on_commit", lambda *args: None)


def in_thread(work: Callable[[], object]) -> Callable[[], object]:
    def run() -> object:
        try:
            return work()
        finally:
            connections.close_all()

    return run


def send_all() -> None:
    """One of ten is refused, one of ten is tried again later, until nothing is due."""
    while batch := claim("email", 20):
        errors = {0: DeliveryError("550 no", permanent=True), 1: DeliveryError("450 later")}
        record(batch, [SendResult(pk, errors.get(pk % 10)) for pk in list(batch.recipients)])


def test_every_sum_is_right_while_all_are_at_it(notice: Notice, add_subscribers: AddSubscribers):
    add_subscribers(PEOPLE)
    outbox.expand(notice.pk)
    over = threading.Event()

    def until_over(work: Callable[[], object]) -> Callable[[], int]:
        def run() -> int:
            rounds = 0
            while not over.is_set() or not rounds:
                work()
                rounds += 1
                time.sleep(0.002)  # on SQLite, who comes back at once leaves no turn to others
            return rounds

        return run

    def look() -> None:
        receipt = build_receipt(notice)
        ended = receipt.sent + receipt.suppressed + receipt.dead + receipt.unknown
        assert (receipt.expected, receipt.pending) == (PEOPLE, PEOPLE - ended)
        assert receipt.pending >= 0

    def count() -> None:
        assert not differences(notice.pk)

    with ThreadPoolExecutor(6) as pool:
        others = [
            pool.submit(in_thread(until_over(work)))
            for work in (lambda: compaction.compact(notice.pk), lambda: compaction.compact(notice.pk), look, count)
        ]
        senders = [pool.submit(in_thread(send_all)) for _ in range(2)]
        try:
            for each in senders:
                each.result(60)
        finally:
            over.set()
        assert all(each.result(60) for each in others)

    assert_ledger_balances(notice)
    compaction.compact(notice.pk)
    assert_ledger_balances(notice)
    assert Tally.objects.filter(outcome="expected").count() == 1
