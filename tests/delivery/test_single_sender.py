"""In each process one thread sends on a channel, and a task that arrives meanwhile is not lost."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from delivery import tasks
from delivery.ledger.single_sender import SingleSender


def test_only_one_sender_of_a_channel_begins_and_its_end_says_whether_another_asked() -> None:
    senders = SingleSender()
    assert senders.begin("email")
    assert senders.begin("x"), "another channel has a sender of its own"
    assert not senders.begin("email")
    assert senders.end("email")
    assert senders.begin("email")
    assert not senders.end("email")
    assert not senders.end("x")


def test_a_slow_channel_occupies_one_thread_and_gets_one_more_task_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four tasks for X while it hangs: three end at once, and one more is queued when X is done."""
    is_stuck, may_go_on = threading.Event(), threading.Event()
    woken: list[tuple[object, ...]] = []

    def drain(kind: str, seconds: float) -> tuple[Counter[str], bool]:
        if kind == "x":
            is_stuck.set()
            assert may_go_on.wait(20)
        return Counter(), False

    monkeypatch.setattr(tasks, "drain", drain)
    monkeypatch.setattr(tasks, "wake_worker", lambda *args: woken.append(args))
    with ThreadPoolExecutor(2) as pool:
        slow = pool.submit(tasks.send, "x")
        assert is_stuck.wait(20)
        for _ in range(3):
            pool.submit(tasks.send, "x").result(20)
        pool.submit(tasks.send, "email").result(20)
        assert woken == []
        may_go_on.set()
        slow.result(20)
    assert woken == [("delivery.tasks.send", "x")]


def test_a_sender_that_fails_lets_the_next_one_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(kind: str, seconds: float) -> tuple[Counter[str], bool]:
        raise RuntimeError

    monkeypatch.setattr(tasks, "drain", fail)
    for _ in range(2):
        with pytest.raises(RuntimeError):
            tasks.send("x")
