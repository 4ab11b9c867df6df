# Django is not set up yet when this file is loaded, so models are imported inside the fixtures.
from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from bs4 import BeautifulSoup

if TYPE_CHECKING:
    from django.http import HttpResponse
    from django.test import Client

    from components.models import Component
    from incidents.models import Incident
    from pages.models import Page

    Get = Callable[..., HttpResponse]
    Read = Callable[..., BeautifulSoup]

ACME, GLOBEX = "status.acme.localhost", "status.globex.localhost"


@pytest.fixture
def acme(db: None) -> Page:
    from pages.models import Page

    return Page.objects.create(name="Acme Status", url=f"https://{ACME}")


@pytest.fixture
def globex(db: None) -> Page:
    from pages.models import Page

    return Page.objects.create(name="Globex Status", url=f"https://{GLOBEX}")


@pytest.fixture
def chat(acme: Page) -> Component:
    """90 days old and operational."""
    from django.utils import timezone

    from components.models import Component

    return Component.objects.create(page=acme, name="Chat API", created_at=timezone.now() - timedelta(days=200))


@pytest.fixture
def outage(acme: Page, chat: Component) -> Incident:
    """Open; chat is partly down."""
    from components.status import Status
    from incidents.models import Incident, Post

    moved = {chat: Status.PARTIAL_OUTAGE}
    return Incident.open(acme, "Errors on the Chat API", Post("We are **looking** into it.", components=moved)).incident


@pytest.fixture
def get(client: Client) -> Get:
    """GET an address of Acme's page, or of another `host`. Header names are given as keywords: accept_encoding."""

    def get(path: str, *, host: str = ACME, **headers: str) -> HttpResponse:
        return client.get(path, headers={"host": host} | headers)  # type: ignore[return-value]

    return get


@pytest.fixture
def read(get: Get) -> Read:
    """GET an address that must answer 200 with HTML, parsed."""

    def read(path: str, **options: Any) -> BeautifulSoup:
        answer = get(path, **options)
        assert answer.status_code in (200, 286), (path, answer.status_code)
        return BeautifulSoup(answer.content, "html.parser")

    return read


@pytest.fixture
def generation_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The generation is asked for once, and not again during the test."""
    from public.serving import host_index

    monkeypatch.setattr(host_index, "CHECK_SECONDS", 3600.0)
