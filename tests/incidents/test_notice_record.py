"""What a notice keeps of its incident: all that a channel may tell, as it was then, and nothing that is hidden."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from components.models import Component
from components.status import Status
from delivery.models import Notice
from incidents.models import Incident, Phase, Post
from pages.models import Page


def test_a_notice_keeps_the_incident_with_its_updates_as_they_were(acme: Page, chat: Component) -> None:
    first = Incident.open(acme, "Errors", Post("Looking.", components={chat: Status.MAJOR_OUTAGE}))
    second = first.incident.post(Post("Found.", Phase.IDENTIFIED, notify=False))
    third = first.incident.post(Post("Better.", Phase.MONITORING, components={chat: Status.DEGRADED_PERFORMANCE}))
    second.rewrite("Found it.", actor="ada")
    first.incident.post(Post("Over.", Phase.RESOLVED))

    record = Notice.objects.get(code=third.code).incident
    assert (record["code"], record["status"], record["impact"]) == (first.incident.code, "monitoring", "critical")
    assert record["page_status"] == {"indicator": "minor", "description": "Partially Degraded Service"}
    assert [each["body"] for each in record["updates"]] == ["Better.", "Found.", "Looking."], "frozen, newest first"
    assert record["updates"][0]["components"] == [
        {
            "code": chat.code,
            "name": "Chat - Chat API",
            "label": "Chat API",
            "old_status": "major_outage",
            "new_status": "degraded_performance",
        }
    ]
    (component,) = record["components"]
    assert (component["name"], component["status"]) == ("Chat API", "degraded_performance")
    assert datetime.fromisoformat(record["updates"][0]["display_at"]).utcoffset() == timedelta(0)


def test_maintenance_that_is_announced_has_a_window_and_changes_nothing(acme: Page, chat: Component) -> None:
    start = datetime(2030, 1, 6, 2, tzinfo=UTC)
    post = Post("Soon.", components={chat: Status.UNDER_MAINTENANCE}, window=(start, start + timedelta(hours=1)))
    Incident.open(acme, "Work", post, kind="maintenance")
    record = Notice.objects.get().incident
    assert (record["scheduled_for"], record["scheduled_until"]) == ("2030-01-06T02:00:00Z", "2030-01-06T03:00:00Z")
    assert record["updates"][0]["components"][0]["new_status"] is None
    assert record["components"][0]["status"] == "operational"


def test_a_hidden_component_is_in_no_part_of_the_record(acme: Page, chat: Component) -> None:
    secret = Component.objects.create(page=acme, name="Codename Zebra", hidden=True)
    both: dict[Component, Status] = {secret: Status.MAJOR_OUTAGE, chat: Status.DEGRADED_PERFORMANCE}
    Incident.open(acme, "Errors", Post("Looking.", components=both)).incident.post(Post("x", Phase.IDENTIFIED))
    for notice in Notice.objects.all():
        words = json.dumps([notice.components, notice.component_codes, notice.incident])
        assert "Zebra" not in words
        assert secret.code not in words
        assert chat.code in words


def test_links_of_a_notice_lead_to_the_page_from_anywhere(acme: Page) -> None:
    update = Incident.open(acme, "Slow", Post("See [history](/history) and https://other.example/x."))
    notice = Notice.objects.get(code=update.code)
    assert f'href="{acme.url}/history"' in notice.body_html
    assert 'href="https://other.example/x"' in notice.body_html
