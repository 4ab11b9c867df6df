import json
import threading
from typing import TYPE_CHECKING

import pytest
from celery import current_app
from django.test import Client

from core.expiring import ExpiringValue
from pages.models import Page
from public import health
from tests.public.faults import database_down

if TYPE_CHECKING:
    from tests.processes import RedisServer
    from tests.public.conftest import Get


@pytest.fixture(autouse=True)
def _nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "health", ExpiringValue(health.check_parts, 0))


def test_a_process_lives_without_anything_behind_it(get: "Get", db: None) -> None:
    with database_down():
        assert get("/livez").status_code == 200


def test_a_process_is_ready_when_it_can_serve_and_stays_so_without_a_database(get: "Get", acme: Page) -> None:
    with database_down():
        assert get("/readyz").status_code == 503
    assert get("/readyz").status_code == 200
    with database_down():
        assert get("/readyz").status_code == 200


def test_health_looks_at_the_database_and_the_broker(
    get: "Get", db: None, redis: "RedisServer", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(current_app.conf, "broker_url", redis.url)
    monkeypatch.setattr(current_app.conf, "broker_write_url", redis.url)
    answer = get("/healthz")
    assert (answer.status_code, json.loads(answer.content)) == (200, {"database": "ok", "broker": "ok"})
    with database_down():
        assert json.loads(get("/healthz").content) == {"database": "down", "broker": "ok"}
    redis.kill()
    answer = get("/healthz")
    assert (answer.status_code, json.loads(answer.content)) == (503, {"database": "ok", "broker": "down"})


def test_health_is_never_kept_and_only_read(client: Client, get: "Get", acme: Page) -> None:
    for address in ("/livez", "/readyz"):
        assert "no-store" in get(address)["Cache-Control"]
        assert client.post(address).status_code == 405


def test_health_is_looked_at_once_in_two_seconds_however_many_ask(get: "Get", monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[None] = []
    go_on = threading.Event()
    now = [100.0]

    def look() -> dict[str, bool]:
        looks.append(None)
        assert go_on.wait(10)
        return {"broker": len(looks) == 1}

    kept = ExpiringValue(look, health.KEPT_SECONDS, clock=lambda: now[0])
    monkeypatch.setattr(health, "health", kept)
    answers: list[dict[str, bool]] = []
    askers = [threading.Thread(target=lambda: answers.append(kept.get())) for _ in range(8)]
    for asker in askers:
        asker.start()
    go_on.set()
    for asker in askers:
        asker.join(10)
    assert answers == [{"broker": True}] * 8
    now[0] += 1.9
    assert json.loads(get("/healthz").content) == {"broker": "ok"}
    now[0] += 0.2
    assert json.loads(get("/healthz").content) == {"broker": "down"}
    assert len(looks) == 2


def test_health_is_remembered_for_two_seconds() -> None:
    assert health.KEPT_SECONDS == 2
