"""Settings: the page itself, its templates, and the accounts it posts on."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from django.test import Client

from delivery.models import Account, Notice, Pause
from incidents.models import Template
from pages.models import AuditEntry, Page
from tests.staff.test_components_screen import fields_of


@pytest.fixture
def staff(grace) -> Client:
    client = Client()
    client.force_login(grace)
    return client


def problems(response):
    return [each.text for each in BeautifulSoup(response.content, "html.parser").select(".problem")]


# The page


def test_the_first_page_is_made_where_the_installation_is(staff, db, settings):
    settings.PUBLIC_URL = "https://status.example.com"
    form = fields_of(staff, "/staff/page/")
    assert form["url"] == "https://status.example.com"
    answer = staff.post("/staff/page/", form | {"name": "Example"})
    assert answer.url == "/staff/"
    assert Page.objects.get().name == "Example"
    assert AuditEntry.objects.get(action="page.add").page == Page.objects.get()


def test_a_changed_page_is_public_at_once_and_keeps_what_a_colleague_changed(staff, acme):
    form = fields_of(staff, "/staff/page/")
    Page.objects.filter(pk=acme.pk).update(about="By a colleague")
    generation = acme.generation
    staff.post("/staff/page/", form | {"name": "Acme Corp", "time_zone": "Europe/Berlin"})
    acme.refresh_from_db()
    assert (acme.name, acme.about, acme.time_zone) == ("Acme Corp", "By a colleague", "Europe/Berlin")
    assert acme.generation == generation + 1


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "", "Write a name."),
        ("url", "ftp://x", "is not a page address"),
        ("url", "https://status.example.com/a?b", "is not a page address"),
        ("url", "https://status.example.com#a", "is not a page address"),
        ("url", "https://ann:hunter2@status.example.com", "is not a page address"),
        ("time_zone", "Mars/Olympus", "Select a valid choice"),
        ("maintenance_notice_hours", "-1", "greater than or equal to 0"),
        ("support_url", "javascript:alert(1)", "begins with https://"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field_with_all_that_was_typed(staff, acme, field, value, words):
    form = fields_of(staff, "/staff/page/")
    answer = staff.post("/staff/page/", form | {"about": "Kept", field: value})
    assert answer.status_code == 422
    assert any(words in each for each in problems(answer))
    shown = BeautifulSoup(answer.content, "html.parser")
    assert shown.find("input", {"name": "about"})["value"] == "Kept"
    assert shown.select_one(f"[name={field}][aria-invalid=true]")


def test_another_page_becomes_the_chosen_one(staff, acme):
    form = fields_of(staff, "/staff/page/add/")
    staff.post("/staff/page/add/", form | {"name": "Other", "url": "https://other.example", "time_zone": "Etc/UTC"})
    assert fields_of(staff, "/staff/page/")["name"] == "Other"


# Templates


def test_a_template_is_made_changed_removed_and_brought_back(staff, acme, chat):
    form = fields_of(staff, "/staff/page/templates/add/incident/")
    words = {"name": "Disk", "title": "Disk full", "body": "We delete logs.", "status": "identified"}
    staff.post("/staff/page/templates/add/incident/", form | words | {"components": [chat.pk]})
    template = Template.objects.get()
    assert (template.kind, template.status, list(template.components.all())) == ("incident", "identified", [chat])
    path = f"/staff/page/templates/{template.pk}/"
    staff.post(path, fields_of(staff, path) | {"title": "The disk is full", "components": [chat.pk]})
    assert Template.objects.get().title == "The disk is full"
    staff.post(f"{path}remove/")
    assert not Template.objects.exists()
    staff.post("/staff/undo/")
    back = Template.objects.get()
    assert (back.title, list(back.components.all())) == ("The disk is full", [chat])


def test_a_template_for_maintenance_offers_its_own_statuses(staff, acme):
    shown = staff.get("/staff/page/templates/add/maintenance/").text
    assert "Scheduled" in shown
    assert "Investigating" not in shown


# Accounts


def connect(client, kind, **fields):
    path = f"/staff/channels/connect/{kind}/"
    return client.post(path, fields_of(client, path) | fields)


def test_an_account_is_connected_on_one_screen(staff, acme):
    answer = connect(staff, "slack", name="#status", secret_url="https://hooks.slack.com/services/T/B/x")
    account = Account.objects.get()
    assert answer.url == f"/staff/channels/{account.pk}/"
    assert account.credentials == {"url": "https://hooks.slack.com/services/T/B/x"}
    shown = staff.get(answer.url).text
    assert "hooks.slack.com/services/T/B/x" not in shown
    assert "Stored. Leave empty to keep it." in shown
    entry = AuditEntry.objects.get(action="account.add")
    assert entry.detail["fields"]["secret_url"] == ["…", "…"]


def test_an_account_without_credentials_says_that_it_is_not_connected(staff, acme):
    answer = connect(staff, "slack", name="#status")
    assert "It is not connected before its credentials are filled in." in staff.get(answer.url).text
    assert "not connected" in staff.get("/staff/channels/").text


def test_an_empty_secret_keeps_what_is_stored_and_only_a_new_one_ends_a_pause(staff, acme):
    connect(staff, "slack", name="#status", secret_url="https://hooks.slack.com/services/T/B/x")
    account = Account.objects.get()
    Pause.objects.begin(account.address, "refused")
    path = f"/staff/channels/{account.pk}/"
    staff.post(path, fields_of(staff, path) | {"name": "#ops"})
    account.refresh_from_db()
    assert (account.name, account.credentials["url"][-1]) == ("#ops", "x")
    assert Pause.objects.exists()
    staff.post(path, fields_of(staff, path) | {"secret_url": "https://hooks.slack.com/services/T/B/y"})
    assert not Pause.objects.exists()


def test_a_test_message_leads_to_its_receipt(staff, acme):
    connect(staff, "slack", name="#status", secret_url="https://hooks.slack.com/services/T/B/x")
    account = Account.objects.get()
    answer = staff.post(f"/staff/channels/{account.pk}/test/")
    assert answer.url == f"/staff/notices/{Notice.objects.get().code}/receipt/"
    Account.objects.update(enabled=False)
    assert "switched off or not connected" in staff.post(f"/staff/channels/{account.pk}/test/", follow=True).text


def test_an_account_is_switched_off_and_on(staff, acme):
    connect(staff, "slack", name="#status", secret_url="https://hooks.slack.com/services/T/B/x")
    account = Account.objects.get()
    for _ in range(2):  # pressed twice, or by two people: off is off
        staff.post(f"/staff/channels/{account.pk}/switch/", {"to": "off"})
        assert not Account.objects.get().enabled
    staff.post(f"/staff/channels/{account.pk}/switch/", {"to": "on"})
    assert Account.objects.get().enabled


def test_more_accounts_cost_no_more_queries(staff, acme, django_assert_max_num_queries):
    for number in range(20):
        Account.objects.create(page=acme, channel="slack", name=f"#{number}", credentials={"url": "https://x.example"})
    staff.get("/staff/channels/")
    with django_assert_max_num_queries(14):
        staff.get("/staff/channels/")


def test_a_form_saves_to_the_page_it_was_of(staff, acme):
    other = Page.objects.create(name="Zebra", url="https://zebra.example")
    form = fields_of(staff, "/staff/page/")
    staff.post("/staff/choose-page/", {"page": other.code})  # in another tab
    staff.post("/staff/page/", form | {"name": "Acme Corp"})
    assert set(Page.objects.values_list("name", flat=True)) == {"Acme Corp", "Zebra"}


def test_the_same_name_twice_on_a_channel_is_refused_in_words(staff, acme):
    connect(staff, "slack", name="#status")
    answer = connect(staff, "slack", name="#status")
    assert answer.status_code == 422


def test_no_account_is_made_of_a_channel_that_has_none_and_the_canarys_is_not_changed(staff, acme):
    assert staff.get("/staff/channels/connect/email/").status_code == 404
    assert staff.get("/staff/channels/connect/nonsense/").status_code == 404
    hidden = Account.objects.create(page=acme, channel="slack", name="Canary", audience=Notice.Audience.CANARY)
    assert staff.get(f"/staff/channels/{hidden.pk}/").status_code == 404
    assert "Canary" not in staff.get("/staff/channels/").text


def test_a_stored_secret_goes_to_another_server_only_when_it_is_written_again(staff, acme):
    options = {"url": "https://mastodon.social", "visibility": "public"}
    account = Account.objects.create(
        page=acme, channel="mastodon", name="@acme", options=options, credentials={"token": "stored"}
    )
    path = f"/staff/channels/{account.pk}/"
    form = fields_of(staff, path)
    refused = staff.post(path, form | {"option_url": "https://evil.example"})
    assert refused.status_code == 422
    assert "they would go to another server" in problems(refused)[0]
    assert Account.objects.get().options["url"] == "https://mastodon.social"
    assert staff.post(path, form | {"option_url": "https://mastodon.social/"}).status_code == 302
