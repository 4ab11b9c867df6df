"""Programs read errors as JSON with `error` and `message`; people get pages."""

import json

import pytest
from django.db import OperationalError
from django.test import Client

from pages.models import Page
from public.serving.render_cache import editions

JSON = {"HTTP_ACCEPT": "application/json"}
BROWSER = {"HTTP_ACCEPT": "text/html,application/xhtml+xml,*/*;q=0.8"}


def assert_json(answer, status: int, error: str) -> None:
    assert answer.status_code == status
    assert answer["Content-Type"].startswith("application/json")
    said = json.loads(answer.content)
    assert said["error"] == error
    assert said["message"]


@pytest.mark.parametrize(
    ("path", "accept"),
    [("/api/v2/nothing.json", {}), ("/api/nothing", BROWSER), ("/v1/pages/x", {}), ("/nothing", JSON)],
)
def test_an_address_that_nothing_is_at(client: Client, acme: Page, path: str, accept: dict[str, str]) -> None:
    assert_json(client.get(path, HTTP_HOST=acme.host, **accept), 404, "not found")


def test_another_method(client: Client, acme: Page) -> None:
    answer = client.post("/api/v2/status.json", HTTP_HOST=acme.host)
    assert_json(answer, 405, "method not allowed")
    assert answer["Allow"] == "GET, HEAD"
    assert client.post("/", HTTP_HOST=acme.host, **BROWSER)["Content-Type"].startswith("text/html")


def test_a_host_that_is_not_ours(client: Client, acme: Page, settings) -> None:
    settings.ALLOWED_HOSTS = ["status.acme.example"]
    assert_json(client.get("/api/v2/nothing.json", HTTP_HOST="evil.example"), 400, "bad request")
    assert client.get("/admin/", HTTP_HOST="evil.example", **BROWSER)["Content-Type"].startswith("text/html")


def test_no_database_and_nothing_kept(client: Client, acme: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(editions, "fetch", fail)
    answer = client.get("/api/v2/status.json", HTTP_HOST=acme.host)
    assert_json(answer, 503, "unavailable")
    assert answer["Retry-After"] == "5"
    assert client.get("/", HTTP_HOST=acme.host, **BROWSER)["Content-Type"].startswith("text/html")


def test_a_fault_of_ours(client: Client, acme: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(editions, "fetch", fail)
    client.raise_request_exception = False
    answer = client.get("/api/v2/status.json", HTTP_HOST=acme.host)
    assert_json(answer, 500, "internal error")
    assert b"secret" not in answer.content
    assert client.get("/", HTTP_HOST=acme.host, **BROWSER)["Content-Type"].startswith("text/html")
