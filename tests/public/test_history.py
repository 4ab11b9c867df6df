from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import time_machine

from components.models import Component
from components.status import Status
from incidents.models import Incident, Post
from incidents.phases import Kind, Phase
from pages.models import Page

if TYPE_CHECKING:
    from tests.public.conftest import Get, Read

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _today() -> "time_machine.Traveller":  # type: ignore[misc]
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def happened(page: Page, name: str, at: datetime) -> Incident:
    update = Incident.open(page, name, Post("Looking.", at=at))
    update.incident.post(Post("Done.", Phase.RESOLVED, at=at + timedelta(minutes=90)))
    return update.incident


def test_history_opens_on_the_present_month(read: "Read", acme: Page) -> None:
    happened(acme, "This month", NOW - timedelta(days=3))
    happened(acme, "Last month", NOW - timedelta(days=30))
    page = read("/history")
    assert [heading.get_text() for heading in page.select("h1")] == ["November 2026"]
    assert [link.get_text() for link in page.select(".day a")] == ["This month"]
    assert "Resolved after 1 hour 30 minutes" in page.get_text()
    assert [(link["rel"], link["href"]) for link in page.select(".months a")] == [(["prev"], "/history/2026-10")]


def test_months_lead_to_each_other_as_far_as_something_is_known(read: "Read", get: "Get", acme: Page) -> None:
    happened(acme, "First ever", datetime(2026, 9, 2, tzinfo=UTC))
    links = [link["href"] for link in read("/history/2026-10").select(".months a")]
    assert links == ["/history/2026-09", "/history/2026-11"]
    assert [link["href"] for link in read("/history/2026-09").select(".months a")] == ["/history/2026-10"]
    assert get("/history/2026-08").status_code == 404


@pytest.mark.parametrize("month", ["2026-13", "2026-00", "0000-01", "2027-01", "1999-12", "99999-1"])
def test_months_of_which_nothing_can_be_known_are_not_found(get: "Get", acme: Page, month: str) -> None:
    assert get(f"/history/{month}").status_code == 404


def test_a_quiet_month_says_so(read: "Read", acme: Page) -> None:
    assert "No incidents in this month." in read("/history").get_text()


def test_months_are_those_of_the_pages_time_zone(read: "Read", acme: Page) -> None:
    Page.objects.filter(pk=acme.pk).update(time_zone="Asia/Tokyo")
    happened(acme, "New month in Tokyo", datetime(2026, 10, 31, 16, 0, tzinfo=UTC))
    assert "1 November" in read("/history/2026-11").get_text()
    assert "New month in Tokyo" in read("/history/2026-11").get_text()


def test_maintenance_belongs_to_the_month_it_takes_place_in(read: "Read", acme: Page, chat: Component) -> None:
    begins = datetime(2026, 11, 2, tzinfo=UTC)
    update = Incident.open(acme, "Move", Post("We move.", status=Phase.SCHEDULED, at=datetime(2026, 10, 20, tzinfo=UTC), window=(begins, begins + timedelta(hours=1))), kind=Kind.MAINTENANCE)  # fmt: skip
    assert "Move" not in read("/history/2026-11").get_text()
    update.incident.post(Post("Done.", Phase.COMPLETED, at=begins + timedelta(hours=1)))
    page = read("/history/2026-11")
    assert "Move" in page.get_text()
    assert "Maintenance, completed" in page.get_text()


def test_a_month_of_trouble_without_an_incident_can_be_read(read: "Read", acme: Page, chat: Component) -> None:
    """The list of days with trouble leads there."""
    at = datetime(2026, 10, 20, 9, 0, tzinfo=UTC)
    acme.raise_generation()
    chat.spans.update(started_at=at - timedelta(days=9))
    chat.move_to(Status.MAJOR_OUTAGE, at)
    chat.move_to(Status.OPERATIONAL, at + timedelta(minutes=9))
    link = read("/").select_one(".troubled a")["href"]
    assert link == "/history/2026-10#d-2026-10-20"
    assert "No incidents in this month." in read(link).get_text()
