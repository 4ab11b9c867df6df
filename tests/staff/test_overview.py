"""The front page of the staff side: what is open, what is planned, what was sent."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from delivery.mail.bounces.events import note_unreadable
from delivery.mail.bounces.models import BounceEvent
from incidents.models import Draft, Incident, Phase, Post
from subscribers.models import Suppression
from tests.staff.conftest import make_staff


def section(client, name):
    page = BeautifulSoup(client.get("/staff/").content, "html.parser")
    return page.find(id=name).find_parent("section").get_text(" ", strip=True)


def plan(acme, name, **fields):
    start = timezone.now() + timedelta(days=2)
    window = start, start + timedelta(hours=1)
    return Incident.open(acme, name, Post("x", window=window, **fields), kind="maintenance").incident


def test_open_scheduled_and_sent_are_told_apart(signed_in, acme, incident):
    plan(acme, "Database work")
    plan(acme, "Work under way", status=Phase.IN_PROGRESS)
    closed = Incident.open(acme, "Long over", Post("x")).incident
    closed.post(Post("Over.", Phase.RESOLVED))

    assert "Errors on the Chat API" in section(signed_in, "open")
    assert "Chat API Partial outage" in section(signed_in, "open")
    assert "Work under way" in section(signed_in, "open")
    assert "Long over" not in section(signed_in, "open")
    assert "Database work" in section(signed_in, "scheduled")
    assert "Work under way" not in section(signed_in, "scheduled")
    assert "Long over Resolved" in section(signed_in, "sent")


def test_the_worst_of_what_is_open_comes_first(signed_in, acme, incident):
    Incident.open(acme, "A trifle", Post("x"))
    text = section(signed_in, "open")
    assert text.index("Errors on the Chat API") < text.index("A trifle")


def test_a_quiet_day_says_so(signed_in, acme):
    assert "Nothing is open." in section(signed_in, "open")
    assert "No maintenance is scheduled." in section(signed_in, "scheduled")
    assert "Nothing has been sent yet." in section(signed_in, "sent")


def test_drafts_of_colleagues_are_listed(signed_in, acme, grace):
    Draft.objects.create(page=acme, author=grace, fields={"name": "Half a thought"})
    assert "Half a thought grace" in section(signed_in, "drafts")


def test_a_fresh_installation_leads_to_its_first_page(signed_in, db):
    assert "There is no page yet." in signed_in.get("/staff/").text


@pytest.mark.parametrize("group", ["Publishers", "Administrators"])
def test_the_overview_costs_no_more_queries_for_more_incidents(acme, incident, group):
    client = Client()
    client.force_login(make_staff("eve", group))
    client.get("/staff/")
    with CaptureQueriesContext(connection) as before:
        client.get("/staff/")
    for number in range(5):
        Incident.open(acme, f"Number {number}", Post("x"))
    with CaptureQueriesContext(connection) as after:
        client.get("/staff/")
    assert len(after) <= len(before) <= 27


def test_a_status_is_told_in_words_and_not_by_colour_alone(signed_in, acme, incident):
    page = BeautifulSoup(signed_in.get("/staff/").content, "html.parser")
    (chip,) = page.select(".chips li")
    assert chip.select_one(".state:not(.unseen)").text == "Partial outage"


def records(client):
    page = BeautifulSoup(client.get("/admin/").content, "html.parser")
    return [each.text for each in page.select("#content-main h2")]


def test_publishers_see_no_records_of_the_machinery(signed_in, acme):
    assert records(signed_in) == ["Components", "Delivery", "Incidents", "Pages"]


def test_headings_over_records_are_in_the_words_of_staff(admin_client, acme):
    headings = records(admin_client)
    assert {"Staff", "Sign-ins", "Subscribers"} <= set(headings)
    assert not {"Axes", "Authentication and Authorization"} & set(headings)


def suppress(number, reason, hours_ago=1.0):
    at = timezone.now() - timedelta(hours=hours_ago)
    Suppression.objects.create(address_hash=f"{number:064x}", reason=reason, created_at=at)


def warnings(client):
    found = BeautifulSoup(client.get("/staff/").content, "html.parser").select(".warnings li")
    return [" ".join(each.text.split()) for each in found]


def test_what_came_back_lately_is_counted_by_reason(signed_in, acme, settings):
    settings.MAIL_DIR = None
    suppress(1, "hard_bounce", hours_ago=25)
    suppress(2, "manual")
    assert warnings(signed_in) == []

    for number in range(3, 6):
        suppress(number, "hard_bounce")
    suppress(6, "complaint", hours_ago=23)
    [said] = warnings(signed_in)
    assert said == "Suppressed in the last 24 hours: the address does not exist (3), marked as spam (1)"


def test_each_reason_leads_who_administers_to_just_those_addresses(signed_in, acme, grace, settings):
    settings.MAIL_DIR = None
    suppress(1, "hard_bounce", hours_ago=25)
    suppress(2, "hard_bounce")
    suppress(3, "complaint")
    assert BeautifulSoup(signed_in.get("/staff/").content, "html.parser").select(".warnings a") == []

    signed_in.force_login(grace)
    links = BeautifulSoup(signed_in.get("/staff/").content, "html.parser").select(".warnings a")
    assert [link.text for link in links] == ["marked as spam", "the address does not exist"]
    for link, number in zip(links, (3, 2), strict=True):
        response = signed_in.get(link["href"])
        assert response.status_code == 200
        assert [row.address_hash for row in response.context["cl"].result_list] == [f"{number:064x}"]


def test_reports_of_bounces_that_nobody_could_read_are_counted(signed_in, acme, settings):
    settings.MAIL_DIR = None
    note_unreadable("sendgrid", b"[1", "JSONDecodeError")
    note_unreadable("sendgrid", b"[1", "JSONDecodeError")
    note_unreadable("brevo", b"{}", "KeyError")
    BounceEvent.objects.filter(source="brevo").update(noted_at=timezone.now() - timedelta(hours=25))

    [link] = BeautifulSoup(signed_in.get("/staff/").content, "html.parser").select(".warnings a")
    assert warnings(signed_in) == ["Could not be read in the last 24 hours: reports of mail providers (1)"]
    assert [row.source for row in signed_in.get(link["href"]).context["cl"].result_list] == ["sendgrid"]
