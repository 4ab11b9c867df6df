import json
from typing import TYPE_CHECKING

import pytest
from celery import current_app
from django.test import Client

from pages.models import Page
from tests.public.test_edition import database_down

if TYPE_CHECKING:
    from tests.processes import RedisServer
    from tests.public.conftest import Get


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
