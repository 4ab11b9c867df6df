"""An incident stands on every day and in every month that it touched: in full where it began, else as ongoing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import time_machine
from django.test import Client

from components.models import Component
from components.status import Status
from incidents.models import Incident, Phase, Post
from pages.models import Page

if TYPE_CHECKING:
    from tests.public.conftest import Read


def at(month: int, day: int, hour: int = 12) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


@pytest.fixture
def long_outage(acme: Page, chat: Component) -> Incident:
    """From 21 November, still open on the 26th."""
    Component.objects.update(created_at=at(9, 1))
    chat.spans.update(started_at=at(9, 1))
    with time_machine.travel(at(11, 21), tick=False):
        return Incident.open(acme, "Outage", Post("Looking.", components={chat: Status.MAJOR_OUTAGE})).incident


def days(read: Read, path: str = "/") -> dict[str, str]:
    """What each day says, by its date."""
    return {
        each.select_one(".date time")["datetime"]: " ".join(each.get_text(" ").split())
        for each in read(path).select(".day")
    }


def test_what_is_still_open_stands_on_every_day_since(read: Read, long_outage: Incident) -> None:
    with time_machine.travel(at(11, 26), tick=False):
        found = days(read)
    assert list(found) == [f"2026-11-{day}" for day in (26, 25, 24, 23, 22, 21, 20)]
    for day in (22, 23, 24, 25, 26):
        assert "Outage Critical impact Ongoing since 21 November" in found[f"2026-11-{day}"]
    assert "Outage Critical impact Investigating, ongoing since 21 Nov, 12:00 UTC" in found["2026-11-21"]
    assert "No incidents." in found["2026-11-20"]


def test_its_last_day_says_so_and_the_next_is_quiet(read: Read, long_outage: Incident) -> None:
    with time_machine.travel(at(11, 24), tick=False):
        long_outage.post(Post("Over.", Phase.RESOLVED))
    with time_machine.travel(at(11, 26), tick=False):
        found = days(read)
    assert "Outage Critical impact Resolved, ongoing since 21 November" in found["2026-11-24"]
    assert "No incidents." in found["2026-11-25"]
    assert "Resolved after" in found["2026-11-21"]


@pytest.mark.parametrize(
    ("zone", "first", "last"),
    [("Etc/UTC", 21, 22), ("Australia/Sydney", 22, 23), ("America/Los_Angeles", 21, 22)],
)
def test_days_are_those_of_the_page(read: Read, acme: Page, chat: Component, zone: str, first: int, last: int) -> None:
    Page.objects.update(time_zone=zone)
    acme.refresh_from_db()
    with time_machine.travel(at(11, 21, 15), tick=False):
        incident = Incident.open(acme, "Outage", Post("Looking.")).incident
    with time_machine.travel(at(11, 22, 20), tick=False):
        incident.post(Post("Over.", Phase.RESOLVED))
    with time_machine.travel(at(11, 24), tick=False):
        found = days(read)
    assert "Resolved after" in found[f"2026-11-{first}"]
    assert "Resolved, ongoing since" in found[f"2026-11-{last}"]


def test_a_month_in_the_middle_of_an_outage_tells_of_it(read: Read, acme: Page, client: Client) -> None:
    with time_machine.travel(at(9, 29), tick=False):
        incident = Incident.open(acme, "Long outage", Post("Looking.")).incident
    with time_machine.travel(at(10, 5), tick=False):
        Incident.open(acme, "Short", Post("x")).incident.post(Post("Over.", Phase.RESOLVED))
    with time_machine.travel(at(11, 2), tick=False):
        incident.post(Post("Over.", Phase.RESOLVED))
    with time_machine.travel(at(11, 26), tick=False):
        assert days(read, "/history/2026-10") == {
            "2026-10-05": "5 October Short Resolved after less than a minute Long outage Ongoing since 29 September",
            "2026-10-01": "1 October Long outage Ongoing since 29 September",
        }
        assert "Resolved after 34 days" in days(read, "/history/2026-09")["2026-09-29"]
        assert days(read, "/history/2026-11") == {
            "2026-11-02": "2 November Long outage Resolved, ongoing since 29 September",
            "2026-11-01": "1 November Long outage Ongoing since 29 September",
        }
        months = client.get("/history.json", HTTP_HOST=acme.host).json()["months"]
    names = {month["name"]: [each["name"] for each in month["incidents"]] for month in months}
    assert names == {"November": ["Long outage"], "October": ["Short", "Long outage"], "September": ["Long outage"]}
