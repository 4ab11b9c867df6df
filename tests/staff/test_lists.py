"""Lists of incidents, maintenance and subscribers: search, filter, pages, bulk actions and undo."""

from __future__ import annotations

from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from django.test import Client
from django.utils import timezone

from components.models import Component
from incidents.models import Incident, Phase, Post
from pages.models import AuditEntry, Page
from subscribers.models import Subscriber


@pytest.fixture
def staff(grace) -> Client:
    client = Client()
    client.force_login(grace)
    return client


def titles(client, path):
    shown = BeautifulSoup(client.get(path).content, "html.parser")
    return [each.text.strip() for each in shown.select(".line-title")]


@pytest.fixture
def past(acme, incident):
    for name in ("Search is slow", "Old trouble"):
        opened = Incident.open(acme, name, Post(f"{name}: **disk** is full.")).incident
        opened.post(Post("Over.", Phase.RESOLVED))
    start = timezone.now() + timedelta(days=1)
    Incident.open(acme, "Database work", Post("x", window=(start, start + timedelta(hours=1))), kind="maintenance")


@pytest.mark.parametrize(
    ("query", "right"),
    [
        ("", ["Errors on the Chat API", "Old trouble", "Search is slow"]),
        ("?state=open", ["Errors on the Chat API"]),
        ("?state=closed", ["Old trouble", "Search is slow"]),
        ("?q=SLOW", ["Search is slow"]),
        ("?q=disk", ["Old trouble", "Search is slow"]),
        ("?q=disk&state=open", []),
        ("?q=%00", ["Errors on the Chat API", "Old trouble", "Search is slow"]),
        ("?q=%00%ff", []),
        ("?q=" + "x" * 500, ["Errors on the Chat API", "Old trouble", "Search is slow"]),
        ("?state=nonsense&at=99999999999999999999", ["Errors on the Chat API", "Old trouble", "Search is slow"]),
        ("?at=-1", ["Errors on the Chat API", "Old trouble", "Search is slow"]),
    ],
)
def test_incidents_are_found_open_ones_first(staff, past, query, right):
    assert titles(staff, f"/staff/incidents/{query}") == right


def test_maintenance_has_a_list_of_its_own(staff, past):
    assert titles(staff, "/staff/maintenance/") == ["Database work"]


def test_a_search_that_finds_nothing_says_so_and_leads_back(staff, past):
    shown = staff.get("/staff/incidents/?q=zebra").text
    assert "Nothing is like that." in shown
    assert "Show all" in shown
    assert "Nothing has happened yet." not in shown


def test_an_empty_list_says_what_will_stand_there(staff, acme):
    assert "Nothing has happened yet." in staff.get("/staff/incidents/").text
    assert "Nobody has subscribed yet." in staff.get("/staff/subscribers/").text


def test_a_long_list_has_pages_and_keeps_the_search(staff, acme, django_assert_max_num_queries):
    for number in range(60):
        Incident.open(acme, f"Number {number}", Post("x"), impact_override="minor")
    staff.get("/staff/incidents/")
    with django_assert_max_num_queries(12):
        shown = BeautifulSoup(staff.get("/staff/incidents/?q=number").content, "html.parser")
    assert len(shown.select(".line")) == 50
    older = shown.select_one("a[rel=next]")["href"]
    assert "q=number" in older
    assert len(titles(staff, f"/staff/incidents/{older}")) == 10


def test_all_that_was_sent_can_be_found_again(staff, acme, incident, django_assert_max_num_queries):
    for number in range(55):
        incident.post(Post(f"Still looking, {number}."))
    Incident.open(acme, "Search is slow", Post("x"))

    def shown(query=""):
        return BeautifulSoup(staff.get(f"/staff/notices/{query}").content, "html.parser")

    with django_assert_max_num_queries(14):
        first = shown()
    assert first.select(".told-title")[0].text == "Search is slow"
    assert len(first.select(".told-title")) == 50
    assert len(shown(first.select_one("a[rel=next]")["href"]).select(".told-title")) == 7
    assert len(shown("?q=SLOW").select(".told-title")) == 1
    assert shown(f"?q={incident.code}").select("a[href*=receipt]")
    assert "Nothing is like that." in shown("?q=zebra").text
    assert "/staff/notices/" in staff.get("/staff/").text


def test_before_anything_was_sent_the_list_says_what_will_stand_there(staff, acme):
    assert "Nothing has been sent yet." in staff.get("/staff/notices/").text


# Subscribers


def subscribe(page, address, state="active", components=()):
    now = timezone.now()
    subscriber = Subscriber.objects.create(page=page, address=address, state=state, confirmed_at=now)
    subscriber.choose(components)
    return subscriber


def addresses(client, query=""):
    shown = BeautifulSoup(client.get(f"/staff/subscribers/{query}").content, "html.parser")
    return [each.text.strip() for each in shown.select(".lines .tick")]


def test_subscribers_of_the_chosen_page_are_found_by_address_and_state(staff, acme, chat):
    other = Page.objects.create(name="Other", url="https://other.example")
    subscribe(acme, "ann@example.com")
    subscribe(acme, "bob@example.com", "pending", [chat])
    subscribe(other, "eve@example.com")
    assert addresses(staff) == ["bob@example.com", "ann@example.com"]
    assert addresses(staff, "?q=ANN") == ["ann@example.com"]
    assert addresses(staff, "?state=pending") == ["bob@example.com"]
    assert addresses(staff, "?q=eve") == []
    assert "1 component" in staff.get("/staff/subscribers/").text


def test_unsubscribing_many_is_audited_and_undone(staff, acme):
    ann, bob = subscribe(acme, "ann@example.com"), subscribe(acme, "bob@example.com")
    staff.post("/staff/subscribers/unsubscribe/", {"row": [ann.pk, bob.pk, "x", "99999999"]})
    assert "2 subscribers were unsubscribed." in staff.get("/staff/subscribers/").text
    assert not Subscriber.objects.active().exists()
    staff.post("/staff/undo/")
    assert Subscriber.objects.active().count() == 2
    deeds = list(AuditEntry.objects.values_list("action", flat=True))
    assert deeds == ["subscriber.renew"] * 2 + ["subscriber.unsubscribe"] * 2


def test_nobody_ticked_changes_nothing(staff, acme):
    subscribe(acme, "ann@example.com")
    shown = staff.post("/staff/subscribers/unsubscribe/", follow=True).text
    assert "Nobody was." in shown
    assert Subscriber.objects.active().exists()


def test_rows_of_another_page_are_left_alone(staff, acme):
    other = Page.objects.create(name="Other", url="https://other.example")
    eve = subscribe(other, "eve@example.com")
    staff.post("/staff/subscribers/unsubscribe/", {"row": [eve.pk]})
    assert Subscriber.objects.active().count() == 1


def test_an_archived_component_is_offered_to_nobody(staff, acme, chat):
    Component.objects.get(pk=chat.pk).archive()
    assert "Chat API" not in Client().get("/subscribe", HTTP_HOST="status.acme.example").text
