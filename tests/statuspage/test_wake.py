import time

import pytest
from django.db import transaction

from core import wake
from tests.processes import RedisServer


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[object, ...]]]:
    calls: list[tuple[str, tuple[object, ...]]] = []

    def send_task(task: str, args: tuple[object, ...], **options: object) -> None:
        calls.append((task, args))

    monkeypatch.setattr(wake.current_app, "send_task", send_task)
    return calls


@pytest.mark.django_db
def test_a_worker_is_woken_after_commit_only(rung, django_capture_on_commit_callbacks) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        wake.wake_on_commit("delivery.tasks.fan_out", 7)
        assert rung == []
    assert rung == [("delivery.tasks.fan_out", (7,))]


@pytest.mark.django_db
def test_a_rolled_back_transaction_wakes_nobody(rung, django_capture_on_commit_callbacks) -> None:
    with (
        django_capture_on_commit_callbacks(execute=True),
        pytest.raises(RuntimeError),
        transaction.atomic(),
    ):
        wake.wake_on_commit("delivery.tasks.fan_out", 7)
        raise RuntimeError
    assert rung == []


def test_a_broker_that_fails_is_logged_and_not_raised(monkeypatch, caplog) -> None:
    def send_task(*args: object, **options: object) -> None:
        raise ConnectionError("refused")

    monkeypatch.setattr(wake.current_app, "send_task", send_task)
    assert wake.wake_worker("delivery.tasks.sweep") is False
    assert "the sweep will find the work" in caplog.text


@pytest.mark.parametrize("fault", ["freeze", "kill"])
def test_a_broker_that_hangs_or_is_gone_costs_a_second_or_two(
    fault: str, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake.current_app.conf, "broker_url", redis.url)
    assert wake.wake_worker("delivery.tasks.sweep") is True
    getattr(redis, fault)()
    started = time.monotonic()

    assert wake.wake_worker("delivery.tasks.sweep") is False

    assert time.monotonic() - started < 2.5
