"""In a worker of threads one channel's sender at a time, and no task that arrives meanwhile is lost."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from delivery import tasks
from delivery.ledger.turns import Turns


def test_a_turn_is_held_by_one_and_tells_whether_another_asked() -> None:
    turns = Turns()
    assert turns.begin("email")
    assert turns.begin("x"), "another channel has a turn of its own"
    assert not turns.begin("email")
    assert turns.end("email")
    assert turns.begin("email")
    assert not turns.end("email")
    assert not turns.end("x")


def test_a_slow_channel_keeps_one_thread_and_is_rung_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four tasks for X while it hangs: three are over at once, and one more is sent when it is done."""
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


def test_a_sender_that_fails_gives_its_turn_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(kind: str, seconds: float) -> tuple[Counter[str], bool]:
        raise RuntimeError

    monkeypatch.setattr(tasks, "drain", fail)
    for _ in range(2):
        with pytest.raises(RuntimeError):
            tasks.send("x")
