"""Page, badge, API, banner and notices agree on how the page is."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from components.models import Component
from components.status import Status
from delivery.models import Notice
from incidents.models import Incident, Phase, Post
from pages.models import Page


@pytest.mark.parametrize("touched", [None, Status.PARTIAL_OUTAGE])
def test_page_badge_api_and_notice_agree(client: Client, acme: Page, chat: Component, touched: Status | None) -> None:
    named = {} if touched is None else {chat: touched}
    Incident.open(acme, "Odd answers", Post("Looking.", components=named))
    words = "We are looking into a problem" if touched is None else "All systems are partly down"
    host = {"HTTP_HOST": acme.host}
    assert f"<h1>{words}</h1>" in client.get("/", **host).content.decode()
    assert client.get("/badge.json", **host).json()["message"] == words
    status = client.get("/api/v2/status.json", **host).json()["status"]
    assert status == client.get("/api/v2/summary.json", **host).json()["status"]
    assert status["indicator"] == ("minor" if touched is None else "major")
    assert Notice.objects.get().incident["page_status"] == status
    assert client.get("/api/banner.json", **host).json()["banner"]["title"] == "Odd answers"
    assert "All Systems Operational" not in json.dumps(status)


def test_an_incident_that_is_over_is_no_longer_counted(client: Client, acme: Page) -> None:
    Component.objects.create(page=acme, name="Chat")
    Incident.open(acme, "Odd answers", Post("Looking.")).incident.post(Post("Over.", Phase.RESOLVED))
    answer = client.get("/badge.json", HTTP_HOST=acme.host).json()
    assert answer["message"] == "All systems are working"
