import json
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from celery import current_app
from django.test import Client

from pages.models import Page
from public import health
from public.health import HealthFinding, finding
from tests.public.test_edition import database_down

if TYPE_CHECKING:
    from tests.processes import RedisServer
    from tests.public.conftest import Get


@pytest.fixture(autouse=True)
def _no_earlier_finding() -> Iterator[None]:
    finding.forget()
    yield
    finding.forget()


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
    finding.forget()
    with database_down():
        assert json.loads(get("/healthz").content) == {"database": "down", "broker": "ok"}
    redis.kill()
    finding.forget()
    answer = get("/healthz")
    assert (answer.status_code, json.loads(answer.content)) == (503, {"database": "ok", "broker": "down"})


def test_health_is_never_kept_and_only_read(client: Client, get: "Get", acme: Page) -> None:
    for address in ("/livez", "/readyz"):
        assert "no-store" in get(address)["Cache-Control"]
        assert client.post(address).status_code == 405


def test_health_is_looked_at_once_in_two_seconds_however_many_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[None] = []
    go_on = threading.Event()

    def look() -> dict[str, bool]:
        looks.append(None)
        assert go_on.wait(10)
        return {"broker": len(looks) == 1}

    found = HealthFinding(look)
    answers: list[dict[str, bool]] = []
    askers = [threading.Thread(target=lambda: answers.append(found.read())) for _ in range(8)]
    now = [100.0]
    monkeypatch.setattr(health, "monotonic", lambda: now[0])
    for asker in askers:
        asker.start()
    go_on.set()
    for asker in askers:
        asker.join(10)
    assert answers == [{"broker": True}] * 8
    now[0] += 1.9
    assert found.read() == {"broker": True}
    now[0] += 0.2
    assert found.read() == {"broker": False}
    assert len(looks) == 2
