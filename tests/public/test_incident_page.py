from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from components.models import Component
from components.status import Status
from incidents.models import Incident, Post
from incidents.phases import Kind, Phase
from pages.models import Page

if TYPE_CHECKING:
    from tests.public.conftest import Get, Read


def test_an_incident_has_a_page_with_all_that_was_said(read: "Read", outage: Incident, chat: Component) -> None:
    outage.post(Post("Rolling back.", Phase.IDENTIFIED))
    page = read(outage.path)
    assert [heading.get_text() for heading in page.select("h1")] == ["Errors on the Chat API"]
    assert len(page.select(".timeline li")) == 2
    assert "Affects" in page.get_text()
    links = [link["href"] for link in page.select("main a")]
    assert f"/subscribe?incident={outage.code}" in links


def test_an_open_incident_refreshes_itself_and_a_closed_one_stops(read: "Read", get: "Get", outage: Incident) -> None:
    assert get(f"/fragments{outage.path}").status_code == 200
    assert read(outage.path).select("[hx-get]")
    outage.post(Post("All is well.", Phase.RESOLVED))
    fragment = get(f"/fragments{outage.path}")
    assert fragment.status_code == 286
    assert "All is well." in fragment.content.decode()
    page = read(outage.path)
    assert not page.select("[hx-get]")
    assert "/subscribe?incident=" not in str(page)


def test_a_closed_incident_says_how_long_it_took(read: "Read", acme: Page) -> None:
    began = datetime(2026, 9, 9, 16, 59, tzinfo=UTC)
    incident = Incident.open(acme, "Errors", Post("Looking.", at=began)).incident
    incident.post(Post("Done.", Phase.RESOLVED, at=began + timedelta(minutes=44)))
    lead = read(incident.path).select(".lead")[0].get_text()
    assert "Began 9 Sep, 16:59 UTC, resolved 9 Sep, 17:43 UTC, after 44 minutes." in lead


def test_an_incident_older_than_the_recent_ones_still_has_its_page(read: "Read", acme: Page, chat: Component) -> None:
    began = datetime(2024, 1, 1, tzinfo=UTC)
    chat.spans.update(started_at=began)
    old = Incident.open(acme, "Long ago", Post("Looking.", components={chat: Status.MAJOR_OUTAGE}, at=began)).incident
    old.post(Post("Done.", Phase.RESOLVED, components={chat: Status.OPERATIONAL}, at=began + timedelta(hours=1)))
    for number in range(51):
        Incident.open(acme, f"Newer {number}", Post("Looking.", at=began + timedelta(days=number + 1))).incident.post(
            Post("Done.", Phase.RESOLVED, at=began + timedelta(days=number + 1, hours=1))
        )
    assert "Long ago" not in read("/").get_text()
    page = read(old.path)
    assert "Long ago" in page.get_text()
    assert "Affected" in page.get_text()


def test_maintenance_has_a_page_with_its_window(read: "Read", acme: Page, chat: Component) -> None:
    begins = datetime(2030, 1, 31, 23, 0, tzinfo=UTC)
    work = Incident.open(acme, "Move", Post("We move.", status=Phase.SCHEDULED, components={chat: Status(10)}, window=(begins, begins + timedelta(hours=2))), kind=Kind.MAINTENANCE).incident  # fmt: skip
    assert "Thu 31 January 2030, 23:00 to Fri 1 February 2030, 01:00 UTC" in read(work.path).get_text()


def test_an_unknown_incident_is_not_found(get: "Get", acme: Page) -> None:
    for code in ("zzzzzzzzzzzz", "x", "0", "a" * 300, "-"):
        assert get(f"/incidents/{code}").status_code == 404
        assert get(f"/fragments/incidents/{code}").status_code == 404


def test_what_is_over_has_no_colour_of_todays_trouble(read: "Read", acme: Page, chat: Component) -> None:
    """Its component may be broken again, by something else."""
    old = Incident.open(acme, "In October", Post("x", components={chat: Status.PARTIAL_OUTAGE})).incident
    old.post(Post("Over.", Phase.RESOLVED))
    new = Incident.open(acme, "Now", Post("x", components={chat: Status.MAJOR_OUTAGE})).incident
    page = read(old.path)
    assert "closed" in page.find(id="incident")["class"]
    assert not page.select(".affects .state")
    assert read(new.path).select(".affects .state.major_outage")


def test_maintenance_ahead_names_its_components_without_a_status(read: "Read", acme: Page, chat: Component) -> None:
    start = timezone.now() + timedelta(days=1)
    post = Post("Soon.", components={chat: Status.UNDER_MAINTENANCE}, window=(start, start + timedelta(hours=1)))
    work = Incident.open(acme, "Work", post, kind="maintenance").incident
    affects = read(work.path).select_one(".affects")
    assert affects.get_text(" ", strip=True) == "Affects Chat API"
    assert not affects.select(".state")


def test_impact_and_duration_are_told_wherever_an_incident_is_listed(read: "Read", acme: Page, chat: Component) -> None:
    """In words that do not need the colour; the time since when is the same for every reader, so it can be kept."""
    began = timezone.now() - timedelta(minutes=44)
    chat.spans.update(started_at=began - timedelta(days=9))
    down = Incident.open(acme, "Down", Post("x", components={chat: Status.MAJOR_OUTAGE}, at=began)).incident
    card = read("/").select_one(".incident .facts")
    assert card.get_text(" ", strip=True).startswith("Critical impact Began ")
    assert card.select_one(".impact.impact-critical")
    assert card.select_one("time[data-ago]")
    down.post(Post("Over.", Phase.RESOLVED, at=began + timedelta(minutes=31)))
    for path in ("/", "/history"):
        day = read(path).select_one(".day li")
        assert day.select_one(".impact-critical").get_text() == "Critical impact", path
        assert "Resolved after 31 minutes" in day.get_text(), path
    assert read(down.path).select_one(".lead .impact").get_text() == "Critical impact"


def test_it_says_what_was_affected_and_when(read: "Read", acme: Page, chat: Component) -> None:
    began = datetime(2026, 9, 9, 16, 0, tzinfo=UTC)
    opened = Incident.open(acme, "Slow", Post("Looking.", components={chat: Status.MAJOR_OUTAGE}, at=began)).incident
    milder = Post("Better.", components={chat: Status.DEGRADED_PERFORMANCE}, at=began + timedelta(minutes=20))
    opened.post(milder)
    rows = [" ".join(row.text.split()) for row in read(opened.path).select(".affected :is(dt, dd)")]
    assert rows[0] == chat.name
    assert rows[1].startswith("Major outage")
    assert rows[1].endswith("(20 minutes)")
    assert rows[2].startswith("Degraded performance since 9 Sep")


def test_each_update_has_a_link_to_itself(read: "Read", outage: Incident) -> None:
    update = outage.updates.get()
    for path in ("/", outage.path):
        link = read(path).select_one(".timeline a.posted")
        assert link
        assert link["href"] == f"{outage.path}#u-{update.code}"
    assert read(outage.path).find(id=f"u-{update.code}")
