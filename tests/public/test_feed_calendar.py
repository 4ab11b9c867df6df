"""Maintenance as an iCalendar file."""

from collections.abc import Iterator
from typing import Any

import icalendar
import pytest
from django.test import Client

from incidents.models import Incident, Post
from public.documents.calendar import calendar
from tests.public.examples import HOST, Example, at, frozen, make_example


@pytest.fixture
def example(db: None) -> Iterator[Example]:
    with frozen():
        yield make_example()


def events(content: bytes) -> list[Any]:
    return list(icalendar.Calendar.from_ical(content).walk("VEVENT"))


def test_maintenance_is_an_event_with_its_window_and_link(example: Example) -> None:
    (event,) = events(calendar(example.snapshot()))
    assert event["SUMMARY"] == "Database work"
    assert event["DTSTART"].dt == at(12, 6)
    assert event["DTEND"].dt == at(12, 7)
    assert event["UID"] == f"{example.planned.code}@{HOST}"
    assert event["URL"] == f"{example.page.url}/incidents/{example.planned.code}"
    assert event["DESCRIPTION"] == "Dashboards will be read-only."


def test_a_change_raises_the_sequence_and_keeps_the_id(example: Example) -> None:
    (before,) = events(calendar(example.snapshot()))
    example.planned.post(Post("One hour later than we said.", "scheduled", at=at(9, 11)))
    (after,) = events(calendar(example.snapshot()))
    assert after["UID"] == before["UID"]
    assert after["SEQUENCE"] > before["SEQUENCE"]


def test_hostile_text_stays_inside_its_property(example: Example) -> None:
    Incident.open(example.page, "Work; a, b\\ \r\nDTSTART:19700101", Post("x\nEND:VEVENT\nBEGIN:VEVENT", status="scheduled", at=at(9, 11), window=(at(13, 1), at(13, 2))), kind="maintenance")  # fmt: skip
    content = calendar(example.snapshot())
    first, second = events(content)
    assert first["SUMMARY"] == "Work; a, b\\ DTSTART:19700101"
    assert second["SUMMARY"] == "Database work"
    lines = content.split(b"\r\n")
    assert b"\n" not in b"".join(lines)
    assert all(len(line) <= 75 for line in lines)


def test_it_is_served_as_a_calendar(example: Example, client: Client) -> None:
    response = client.get("/maintenance.ics", headers={"host": HOST})
    assert response["Content-Type"] == "text/calendar; charset=utf-8"
    assert len(events(response.content)) == 1
