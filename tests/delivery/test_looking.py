"""A receipt that many watch is counted once for all of them, and rests for ten times as long as counting took."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from django.test import Client
from django.utils import timezone

from delivery.ledger import looking, outbox
from delivery.ledger.looking import Looks
from delivery.models import Delivery, Notice
from delivery.receipt import Receipt

MOVING = Receipt(
    expected=9, sent=0, suppressed=0, dead=0, unknown=0, pending=9, channels=[], is_finished=False, notes=[]
)


class Counter:
    """Counts by the clock it moves itself: each count takes `seconds`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
        self.now, self.seconds, self.counted, self.receipt = 1000.0, seconds, 0, MOVING
        monkeypatch.setattr(looking, "monotonic", lambda: self.now)

    def __call__(self, notice: Notice) -> Receipt:
        self.counted += 1
        self.now += self.seconds
        return replace(self.receipt, sent=self.counted)


def test_a_count_holds_for_ten_times_as_long_as_it_took(monkeypatch: pytest.MonkeyPatch):
    count = Counter(monkeypatch, 0.5)
    looks, notice = Looks(count), Notice(pk=1)

    assert [looks.at(notice).sent for _ in range(3)] == [1, 1, 1]
    count.now += 4.9
    assert looks.at(notice).sent == 1
    count.now += 0.2
    assert looks.at(notice).sent == 2
    count.seconds = 6
    count.now += 10
    assert looks.at(notice).sent == 3
    count.now += 9.9
    assert looks.at(notice).sent == 3
    count.now += 0.2
    assert looks.at(notice).sent == 4, "a busy database is no reason to show what is a minute old"


def test_what_costs_nothing_is_always_fresh(monkeypatch: pytest.MonkeyPatch):
    looks = Looks(Counter(monkeypatch, 0.09))

    assert [looks.at(Notice(pk=1)).sent for _ in range(3)] == [1, 2, 3]


def test_notices_are_watched_apart_and_kept_counts_not_at_all(monkeypatch: pytest.MonkeyPatch):
    looks = Looks(Counter(monkeypatch, 0.5))

    assert [looks.at(Notice(pk=pk)).sent for pk in (1, 2, 1, 2)] == [1, 2, 1, 2]
    settled = Notice(pk=3, settled_at=timezone.now())
    assert [looks.at(settled).sent for _ in range(2)] == [3, 4]


def test_an_end_is_not_remembered(monkeypatch: pytest.MonkeyPatch):
    """Through another process staff may have tried again since."""
    count = Counter(monkeypatch, 0.5)
    looks, notice = Looks(count), Notice(pk=1)
    looks.at(notice)
    count.now += 6
    count.receipt = replace(MOVING, is_finished=True)

    assert [looks.at(notice).sent for _ in range(3)] == [2, 3, 4]


def test_one_counts_and_the_others_get_what_was_known(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(looking, "REST", 1_000_000)
    monkeypatch.setattr(looking, "LONGEST_REST_SECONDS", 1_000)
    monkeypatch.setattr(looking, "CHEAP_SECONDS", 0.0)
    entered, go_on = threading.Event(), threading.Event()
    counted = []

    def slow(notice: Notice) -> Receipt:
        counted.append(notice.pk)
        entered.set()
        assert go_on.wait(10)
        return replace(MOVING, sent=len(counted))

    looks, notice = Looks(slow), Notice(pk=1)
    with ThreadPoolExecutor(4) as pool:
        first = [pool.submit(looks.at, notice) for _ in range(3)]
        assert entered.wait(10)
        go_on.set()
        assert {each.result(10).sent for each in first} == {1}, "whoever came first waits for the one count"
        looks._newest[1] = replace(looks._newest[1], stale_at=0.0)
        entered.clear()
        go_on.clear()
        counting = pool.submit(looks.at, notice)
        assert entered.wait(10)
        assert looks.at(notice).sent == 1, "nobody waits who can be shown something"
        go_on.set()
        assert counting.result(10).sent == 2
    assert counted == [1, 1]


def test_a_count_that_fails_leaves_nobody_waiting():
    def fail(notice: Notice) -> Receipt:
        raise RuntimeError("no database")

    looks = Looks(fail)
    for _ in range(2):
        with pytest.raises(RuntimeError):
            looks.at(Notice(pk=1))


def test_staff_see_at_once_what_they_changed(
    admin_client: Client, notice: Notice, add_subscribers, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(looking, "REST", 1_000_000)
    monkeypatch.setattr(looking, "LONGEST_REST_SECONDS", 1_000)
    monkeypatch.setattr(looking, "CHEAP_SECONDS", 0.0)
    add_subscribers(4)
    outbox.expand(notice.pk)
    notice.deliveries.filter(pk=notice.deliveries.order_by("pk")[0].pk).update(state=Delivery.State.DEAD)
    address = f"/admin/notices/{notice.code}/receipt/"
    assert "1 failed" in admin_client.get(address).text
    Delivery.objects.update(error="so slow that nobody counts again")
    assert "nobody counts again" not in admin_client.get(f"{address}counts/").text

    admin_client.post(f"{address}retry/", {"channel": "email"})

    assert "1 failed" not in admin_client.get(f"{address}counts/").text
