"""One navigation on every screen of the staff: what a person may enter, and where they are."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from pages.models import Page


def menu(client, path):
    shown = BeautifulSoup(client.get(path).content, "html.parser").select("#menu li a")
    return {link.text: link.get("aria-current", "") for link in shown}


def test_publishers_see_what_they_may_enter(signed_in, acme):
    assert list(menu(signed_in, "/staff/")) == ["Overview", "Incidents", "Maintenance"]


def test_administrators_see_everything(admin_client, acme):
    shown = menu(admin_client, "/staff/")
    assert list(shown)[:4] == ["Overview", "Incidents", "Maintenance", "Components"]
    assert list(shown)[-2:] == ["People", "Records"]


@pytest.mark.parametrize(
    ("path", "here"),
    [
        ("/staff/", {"Overview": "page"}),
        ("/staff/post/", {}),
        ("/admin/", {"Records": "page"}),
        ("/admin/pages/auditentry/", {"Records": "true"}),
    ],
)
def test_one_area_is_where_the_person_is(admin_client, acme, path, here):
    assert {label: current for label, current in menu(admin_client, path).items() if current} == here


def test_one_page_asks_for_no_choice(admin_client, acme):
    assert "chosen-page" not in admin_client.get("/staff/").text


def test_the_chosen_page_stays_chosen(admin_client, acme):
    other = Page.objects.create(name="Zebra", url="https://zebra.example.com")
    answer = admin_client.post("/staff/choose-page/", {"page": other.code}, headers={"referer": "http://testserver/x/"})
    assert answer.url == "http://testserver/x/"
    chosen = BeautifulSoup(admin_client.get("/staff/").content, "html.parser").select("#chosen-page [selected]")
    assert [each.text for each in chosen] == ["Zebra"]


def test_choosing_a_page_never_leads_to_another_host(admin_client, acme):
    answer = admin_client.post(
        "/staff/choose-page/", {"page": acme.code}, headers={"referer": "https://evil.example/x/"}
    )
    assert answer.url == "/staff/"
