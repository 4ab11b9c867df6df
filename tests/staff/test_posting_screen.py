"""The posting screen as a browser uses it: what it offers, what it posts, and that no word is ever lost."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.urls import reverse

from components.models import Component
from components.status import Status
from delivery.models import Notice
from incidents.models import Incident, Phase, Post, Update
from pages.models import AuditEntry, Page
from tests.staff.screen import NEW, again, read, soup


def test_a_new_incident_is_posted_and_its_receipt_shown(signed_in, follow, chat):
    fields = follow(NEW)
    assert (fields["status"], fields["notify"], fields["kind"]) == ("investigating", "on", "incident")
    fields |= {"name": "Errors", "body": "Looking.", f"component-{chat.code}": "major_outage"}
    response = signed_in.post(NEW, fields)

    update = Update.objects.get()
    assert response.url == reverse("receipt", args=[update.code])
    assert (update.author, update.incident.name, update.status) == ("ada", "Errors", Phase.INVESTIGATING)
    chat.refresh_from_db()
    assert chat.status == Status.MAJOR_OUTAGE
    assert AuditEntry.objects.get().actor == "ada"


def test_the_next_update_offers_the_next_phase_and_leaves_components_as_they_are(signed_in, follow, incident, chat):
    fields = follow(again(incident))
    assert fields["status"] == "identified"
    signed_in.post(again(incident), fields | {"body": "Found it."})
    chat.refresh_from_db()
    assert chat.status == Status.PARTIAL_OUTAGE
    affected = incident.updates.first().affected.get()
    assert (affected.old_status, affected.new_status) == (Status.PARTIAL_OUTAGE, Status.PARTIAL_OUTAGE)


def test_resolving_puts_components_back_unless_staff_say_otherwise(signed_in, follow, incident, chat, website):
    fields = follow(again(incident)) | {"body": "Over.", "status": "resolved"}
    signed_in.post(again(incident), fields | {f"component-{website.code}": "degraded_performance"})
    chat.refresh_from_db()
    website.refresh_from_db()
    assert (chat.status, website.status) == (Status.OPERATIONAL, Status.DEGRADED_PERFORMANCE)


def test_a_component_can_be_left_broken_at_the_end(signed_in, follow, incident, chat):
    fields = follow(again(incident)) | {"body": "Over.", "status": "resolved"}
    signed_in.post(again(incident), fields | {f"component-{chat.code}": "degraded_performance"})
    chat.refresh_from_db()
    assert chat.status == Status.DEGRADED_PERFORMANCE


def test_maintenance_is_read_in_the_pages_zone(signed_in, follow, chat):
    fields = follow(f"{NEW}?kind=maintenance") | {
        "name": "Database work",
        "body": "Read-only for a while.",
        "scheduled_for": "2030-01-06T10:00",
        "scheduled_until": "2030-01-06T11:30",
        f"component-{chat.code}": "under_maintenance",
    }
    signed_in.post(NEW, fields)
    planned = Incident.objects.get()
    assert planned.window == (datetime(2030, 1, 6, 2, tzinfo=UTC), datetime(2030, 1, 6, 3, 30, tzinfo=UTC))
    assert planned.status == Phase.SCHEDULED
    chat.refresh_from_db()
    assert chat.status == Status.OPERATIONAL
    assert list(planned.components.all()) == [chat]

    fields = follow(again(planned))
    assert (fields["scheduled_for"], fields["scheduled_until"]) == ("2030-01-06T10:00", "2030-01-06T11:30")
    moved = {"status": "scheduled", "body": "A day later.", "scheduled_for": "2030-01-07T10:00"}
    signed_in.post(again(planned), fields | moved | {"scheduled_until": "2030-01-07T11:30"})
    planned.refresh_from_db()
    assert planned.window == (datetime(2030, 1, 7, 2, tzinfo=UTC), datetime(2030, 1, 7, 3, 30, tzinfo=UTC))


def test_without_notify_nobody_is_told_and_the_screen_says_so(signed_in, follow, chat):
    fields = follow(NEW) | {"name": "Errors", "body": "Looking."}
    del fields["notify"]
    response = signed_in.post(NEW, fields, follow=True)
    assert not Notice.objects.exists()
    assert "Nobody was notified, as you chose." in response.text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": " \u202e"}, "Write a title."),
        ({"body": "  "}, "Write what visitors should know."),
        ({"body": "\x07\x08"}, "Write what visitors should know."),
        ({"status": "completed"}, "Select a valid choice"),
        ({"name": "x" * 256}, "at most 255 characters"),
        ({"kind": "maintenance", "status": "scheduled"}, "This field is required"),
        (
            {
                "kind": "maintenance",
                "status": "scheduled",
                "scheduled_for": "2030-01-06T10:00",
                "scheduled_until": "2030-01-06T09:00",
            },
            "must end after it starts",
        ),
    ],
)
def test_what_cannot_be_posted_is_said_and_kept(signed_in, follow, chat, change, message):
    typed = {"name": "Errors", "body": "A long text, typed at night."} | change
    response = signed_in.post(NEW, follow(NEW) | typed)
    assert response.status_code == 422
    assert message in response.text
    if "body" not in change:
        assert "A long text, typed at night." in response.text
    assert not Incident.objects.exists()


@pytest.mark.parametrize(
    ("change", "first"),
    [({"name": ""}, "id_name"), ({"body": ""}, "id_body"), ({"name": "", "body": ""}, "id_name")],
)
def test_after_a_refusal_the_first_wrong_field_has_the_focus(signed_in, follow, chat, change, first):
    refused = soup(signed_in.post(NEW, follow(NEW) | {"name": "Errors", "body": "Looking."} | change))
    assert refused.select_one("[autofocus]")["id"] == first
    assert refused.select_one("[aria-invalid]")["id"] == first


def test_a_component_that_another_incident_holds_is_left_as_it_is(signed_in, acme, incident, chat, website):
    page = soup(signed_in.get(NEW))
    offered = {
        name: read(page.select_one(f"#id_component-{row.code} option"))
        for name, row in (("chat", chat), ("web", website))
    }
    assert offered == {"chat": "Leave as it is", "web": "Not affected"}


def test_the_zone_of_maintenance_is_called_as_people_call_it(signed_in, acme):
    Page.objects.update(time_zone="Etc/UTC")
    assert (
        read(soup(signed_in.get(f"{NEW}?kind=maintenance")).find("label", {"for": "id_scheduled_for"}))
        == "Starts (UTC)"
    )


def test_a_doubled_submit_leads_to_the_firsts_receipt(signed_in, follow, chat):
    fields = follow(NEW) | {"name": "Errors", "body": "Looking."}
    first, second = signed_in.post(NEW, fields), signed_in.post(NEW, fields)
    assert first.url == second.url
    assert Update.objects.count() == 1


def test_what_a_colleague_posted_meanwhile_is_shown_and_a_second_press_posts(signed_in, follow, incident):
    fields = follow(again(incident)) | {"body": "My own words.", "status": "identified"}
    incident.post(Post("It was the cache.", Phase.IDENTIFIED, actor="grace"))

    refused = signed_in.post(again(incident), fields)
    assert refused.status_code == 409
    assert "Somebody posted meanwhile" in refused.text
    assert "It was the cache." in soup(refused).find(class_="alert").text
    assert soup(refused).find("textarea").text.strip() == "My own words."
    assert incident.updates.count() == 2

    form = soup(refused).find("form", id="post-form")
    seen = form.find("input", {"name": "seen"})["value"]
    token = form.find("input", {"name": "token"})["value"]
    assert signed_in.post(again(incident), fields | {"seen": seen, "token": token}).status_code == 302
    assert incident.updates.count() == 3


def test_a_failing_database_costs_no_word(signed_in, follow, incident):
    fields = follow(again(incident)) | {"body": "Typed <b>at</b> night.", "status": "identified"}

    def fail(*args):
        raise OperationalError("the server closed the connection")

    with connection.execute_wrapper(fail):
        response = signed_in.post(again(incident), fields)
    assert response.status_code == 503
    assert "Nothing was saved and nobody was told" in response.text
    form = soup(response).find("form")
    assert form.find("textarea").text.strip() == "Typed <b>at</b> night."
    sent = {field["name"]: field.get("value", "") for field in form.find_all("input")}
    assert sent["token"] == fields["token"]
    assert incident.updates.count() == 1

    retried = signed_in.post(form["action"], sent | {"body": form.find("textarea").text.strip()})
    assert retried.status_code == 302
    assert incident.updates.first().body == "Typed <b>at</b> night."


def test_a_database_that_fails_in_the_middle_of_the_post_saves_nothing(signed_in, follow, incident, monkeypatch):
    def fail(*args, **kwargs):
        raise OperationalError("disk full")

    monkeypatch.setattr("incidents.posting.publish_notice", fail)
    response = signed_in.post(again(incident), follow(again(incident)) | {"body": "Words."})
    assert response.status_code == 503
    assert "Words." in response.text
    assert incident.updates.count() == 1


def test_a_broker_that_is_gone_does_not_fail_the_post(
    signed_in, follow, chat, monkeypatch, django_capture_on_commit_callbacks
):
    def refuse(*args, **kwargs):
        raise ConnectionRefusedError

    monkeypatch.setattr("celery.current_app.send_task", refuse)
    with django_capture_on_commit_callbacks(execute=True):
        response = signed_in.post(NEW, follow(NEW) | {"name": "Errors", "body": "Looking."})
    assert response.status_code == 302
    Notice.objects.update(created_at=datetime(2026, 1, 1, tzinfo=UTC))  # nobody has taken it up since
    assert "Notifications are waiting" in signed_in.get(response.url).text


# Without JavaScript


def test_the_preview_button_posts_nothing(signed_in, follow, chat):
    fields = follow(NEW) | {"name": "Errors", "body": "We see **errors**.", "action": "preview"}
    response = signed_in.post(NEW, fields)
    assert response.status_code == 200
    assert "<p>We see <strong>errors</strong>.</p>" in response.text
    assert not Incident.objects.exists()


def test_another_kind_is_a_link(signed_in, chat):
    links = soup(signed_in.get(NEW)).find("nav", class_="kinds").find_all("a")
    assert [re.sub(r"page=\w+", "page=…", link["href"]) for link in links] == [
        "/staff/post/?page=…",
        "/staff/post/?page=…&kind=maintenance",
    ]
    assert soup(signed_in.get(f"{NEW}?kind=maintenance")).find("input", {"name": "scheduled_for"})


# Fragments


def test_the_preview_is_safe(signed_in, chat):
    response = signed_in.post("/staff/post/preview/", {"body": "# Hi\n<img src=x onerror=alert(1)> [x](javascript:1)"})
    assert "<h3>Hi</h3>" in response.text
    assert "<img" not in response.text
    assert "javascript:" not in re.sub(r"\[x\]\(javascript:1\)", "", response.text)


def test_the_grid_shows_what_resolving_does(signed_in, follow, incident, chat):
    fields = follow(again(incident)) | {"status": "resolved"}
    grid = soup(signed_in.post("/staff/post/grid/", fields))
    first = grid.find("select", {"name": f"component-{chat.code}"}).find("option")
    assert (first["value"], read(first)) == ("", "Operational")


def test_the_grid_shows_the_worst_first(signed_in, follow, incident, acme):
    worse = Component.objects.create(page=acme, name="Payments")
    Incident.open(acme, "B", Post("b", components={worse: Status.MAJOR_OUTAGE}))
    labels = [label.text for label in soup(signed_in.get(again(incident))).select(".grid label")]
    assert "Payments" in labels[0]
    assert "Chat API" in labels[1]


# Several pages


def test_with_several_pages_staff_choose_first(signed_in, acme, chat):
    other = Page.objects.create(name="Other", url="https://status.other.example")
    page = soup(signed_in.get(NEW))
    assert [link["href"] for link in page.select(".choices a")] == [f"?page={acme.code}", f"?page={other.code}"]
    chosen = soup(signed_in.get(f"{NEW}?page={other.code}"))
    assert chosen.find("input", {"name": "page"})["value"] == other.code
    assert "Chat API" not in chosen.text


def test_a_post_goes_to_the_page_that_was_chosen(signed_in, follow, acme):
    other = Page.objects.create(name="Other", url="https://status.other.example")
    signed_in.post(NEW, follow(f"{NEW}?page={other.code}") | {"name": "Errors", "body": "Looking."})
    assert Incident.objects.get().page == other


def test_a_component_of_another_page_is_not_moved(signed_in, follow, acme):
    other = Page.objects.create(name="Other", url="https://status.other.example")
    theirs = Component.objects.create(page=other, name="Theirs")
    fields = follow(f"{NEW}?page={acme.code}") | {"name": "Errors", "body": "Looking."}
    signed_in.post(NEW, fields | {f"component-{theirs.code}": "major_outage"})
    theirs.refresh_from_db()
    assert theirs.status == Status.OPERATIONAL


def test_without_a_page_the_screen_says_what_is_missing(signed_in, db):
    assert "There is no page yet" in signed_in.get(NEW).text


# Safety


def test_the_screen_has_no_inline_script_or_style(signed_in, incident):
    for address in (NEW, again(incident), "/staff/"):
        response = signed_in.get(address)
        assert "script-src 'self'" in response["Content-Security-Policy"]
        page = soup(response)
        assert not page.find_all("style")
        assert not page.find_all(style=True)
        assert all(script.get("src") for script in page.find_all("script"))
        assert not re.search(r"\son\w+=", str(page))
        assert "hx-on" not in str(page)


def test_stored_markup_with_htmx_in_it_is_inert_on_the_screen(signed_in, incident):
    incident.post(Post('<a hx-get="/x" href="#">x</a> <div hx-on:click="1">y</div>', Phase.IDENTIFIED))
    page = soup(signed_in.get(again(incident)))
    timeline = page.find("ol", class_="timeline")
    assert timeline.has_attr("hx-disable")
    assert not [tag for tag in timeline.find_all(True) if any(name.startswith("hx-") for name in tag.attrs)]


def test_a_post_without_its_csrf_token_is_refused(ada, follow, chat):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(ada)
    assert browser.post(NEW, {"name": "Errors", "body": "x", "status": "investigating"}).status_code == 403
    assert not Incident.objects.exists()


def test_a_title_full_of_markup_is_shown_as_text(signed_in, acme, chat):
    hostile = Incident.open(acme, '"><script>alert(1)</script>', Post("x")).incident
    for address in ("/staff/", again(hostile), f"/staff/notices/{Notice.objects.get().code}/receipt/"):
        assert "<script>alert" not in signed_in.get(address).text


def test_the_screen_says_which_other_incident_holds_a_component(signed_in, acme, chat):
    Incident.open(acme, "Outage in Europe", Post("Looking.", components={chat: Status.MAJOR_OUTAGE}))
    milder = Incident.open(acme, "Slow answers", Post("x", components={chat: Status.DEGRADED_PERFORMANCE})).incident
    for address in (NEW, reverse("post-update", args=[milder.code])):
        row = soup(signed_in.get(address)).find("label", {"for": f"id_component-{chat.code}"})
        assert "stays Major outage because of Outage in Europe" in read(row)


def test_what_is_open_comes_first_where_a_new_incident_begins(signed_in, acme, chat):
    assert soup(signed_in.get(NEW)).find(id="open-now") is None
    minor = Incident.open(acme, "Slow answers", Post("x")).incident
    worst = Incident.open(acme, "Outage", Post("x", components={chat: Status.MAJOR_OUTAGE})).incident
    Incident.open(acme, "Over", Post("x")).incident.post(Post("Over.", Phase.RESOLVED))
    page = soup(signed_in.get(NEW))
    links = page.select(".open-now a")
    assert [link["href"] for link in links] == [reverse("post-update", args=[each.code]) for each in (worst, minor)]
    assert links[0].has_attr("autofocus"), "one key away"
    assert len(page.select("[autofocus]")) == 1
    assert soup(signed_in.get(f"{NEW}?kind=maintenance")).find(id="open-now") is None


def test_an_update_of_an_incident_deleted_meanwhile_keeps_its_text(
    signed_in: Client, follow, incident: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = again(incident)
    fields = follow(address) | {"body": "Half an hour of thought."}
    lock = Page.lock

    def delete_first(page: Page) -> None:
        lock(page)
        Incident.objects.filter(pk=incident.pk).delete()

    monkeypatch.setattr(Page, "lock", delete_first)
    answer = signed_in.post(address, fields)
    assert answer.status_code == 422
    assert "was deleted meanwhile" in answer.text
    assert "Half an hour of thought." in answer.text
