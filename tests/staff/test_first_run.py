"""Setting up: what is done is seen, what is left out stays out, and the list goes away with its last step."""

from __future__ import annotations

import re

import pytest
from bs4 import BeautifulSoup
from django.test import Client

from components.models import Component
from delivery.models import Account
from pages.models import Page, SetupStep
from statuspage.demo import build_demo
from tests.staff.conftest import make_staff
from tests.staff.screen import read
from tests.staff.test_people import mails  # noqa: F401 (a fixture)

START = "/staff/set-up/"


@pytest.fixture
def staff(grace) -> Client:
    grace.email = "grace@example.com"
    grace.save()
    client = Client()
    client.force_login(grace)
    return client


def done(client):
    page = BeautifulSoup(client.get(START).content, "html.parser")
    return {each.strong.text: "done" in each.get("class", []) for each in page.select(".steps li")}


def setup_words(client):
    card = BeautifulSoup(client.get("/staff/").content, "html.parser").select_one(".setup h2")
    return read(card) if card else ""


def test_without_a_page_the_list_begins_with_it(staff, db):
    assert setup_words(staff) == "Set up: 0 of 7"
    shown = BeautifulSoup(staff.get(START).content, "html.parser")
    assert [each["href"] for each in shown.select(".steps a")] == ["/staff/page/"]


def test_what_is_done_is_seen_from_the_data(staff, acme):
    assert [name for name, is_done in done(staff).items() if is_done] == ["Name and address"]
    Component.objects.create(page=acme, name="Website")
    make_staff("colleague", "Publishers")
    Account.objects.create(page=acme, channel="slack", name="#status", credentials={"url": "https://hooks.slack.com/x"})
    right = {"Name and address": True, "Components": True, "A colleague": True, "Mail that arrives": False}
    assert done(staff).items() >= right.items()
    assert done(staff)["A channel"]
    assert setup_words(staff) == "Set up: 4 of 7"


def test_a_number_that_really_arrived_proves_the_mail(staff, acme, mails):  # noqa: F811
    assert staff.post(f"{START}mail/", {"action": "send"}).status_code == 200
    (mail,) = mails("grace@example.com")
    (code,) = re.findall(r"\b\d{6}\b", mail.get_body(("plain",)).get_content())
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    refused = staff.post(f"{START}mail/", {"action": "check", "code": wrong})
    assert refused.status_code == 422
    assert "That is not the number" in refused.text
    assert not done(staff)["Mail that arrives"]
    staff.post(f"{START}mail/", {"action": "send"})  # only the newest mail counts
    assert staff.post(f"{START}mail/", {"action": "check", "code": code}).status_code == 422
    (code,) = re.findall(r"\b\d{6}\b", mails("grace@example.com")[-1].get_body(("plain",)).get_content())
    assert staff.post(f"{START}mail/", {"action": "check", "code": f" {code[:3]} {code[3:]} "}).url == START
    assert done(staff)["Mail that arrives"]


def test_the_number_is_another_one_for_another_address(staff, acme, grace, mails):  # noqa: F811
    staff.post(f"{START}mail/", {"action": "send"})
    (code,) = re.findall(r"\b\d{6}\b", str(mails("grace@example.com")[0]["Subject"]))
    grace.email = "other@example.com"
    grace.save()
    assert staff.post(f"{START}mail/", {"action": "check", "code": code}).status_code == 422


def test_without_an_address_nothing_is_proved(staff, acme, grace):
    grace.email = ""
    grace.save()
    assert "Your account has no e-mail address" in staff.get(f"{START}mail/").text
    assert staff.post(f"{START}mail/", {"action": "check", "code": ""}).status_code == 422


def test_the_list_goes_away_with_its_last_step(staff, acme):
    for name in ("mail", "banner", "colleague", "channel", "address"):
        staff.post(f"{START}finish/{name}/", {"how": "skip"})
    assert setup_words(staff) == "Set up: 6 of 7"
    Component.objects.create(page=acme, name="Website")
    assert setup_words(staff) == ""
    shown = staff.get(START).text
    assert shown.count("left out") == 5


def test_what_was_left_out_can_still_be_done(staff, acme):
    staff.post(f"{START}finish/banner/", {"how": "skip"})
    staff.post(f"{START}finish/banner/")
    assert done(staff)["The banner in your app"]


@pytest.mark.parametrize("name", ["page", "components", "demo", "mail", "address", "channel", "nonsense"])
def test_what_only_the_data_can_say_is_not_said_by_hand(staff, acme, name):
    staff.post(f"{START}finish/{name}/")
    assert not SetupStep.objects.exists()


@pytest.mark.parametrize(
    ("url", "secure", "is_done"),
    [
        ("https://status.acme.example", True, True),
        ("https://status.acme.example", False, False),
        ("https://other.example", True, False),
        ("http://status.acme.example", False, False),
    ],
)
def test_the_address_is_checked_from_where_the_request_came(staff, acme, settings, url, secure, is_done):
    settings.ALLOWED_HOSTS = ["*"]
    Page.objects.update(url=url)
    shown = staff.get(f"{START}address/", HTTP_HOST="status.acme.example", secure=secure)
    assert ("Done</button>" in shown.text) is is_done
    assert not done(staff)["Your own address, with TLS"]  # looking changes nothing
    staff.post(f"{START}address/", HTTP_HOST="status.acme.example", secure=secure)
    assert done(staff)["Your own address, with TLS"] is is_done


def test_the_line_of_the_banner_is_the_pages_own(staff, acme):
    shown = staff.get("/staff/page/share/").text
    assert "https://status.acme.example/embed.js" in shown
    assert "I have pasted it" in shown
    staff.post(f"{START}finish/banner/")
    assert "I have pasted it" not in staff.get("/staff/page/share/").text


def test_the_demo_says_that_it_is_one_and_can_be_left(staff, db):
    build_demo("http://localhost:8000")
    assert "This is the demo page." in staff.get("/staff/").text
    assert setup_words(staff) == ""
    assert "cannot be undone" in staff.get(f"{START}leave-demo/").text
    assert Page.objects.exists()
    assert staff.post(f"{START}leave-demo/").url == "/staff/page/"
    assert not Page.objects.exists()


def test_a_page_that_is_no_demo_is_never_deleted_so(staff, acme):
    assert staff.post(f"{START}leave-demo/").status_code == 404
    assert Page.objects.exists()
