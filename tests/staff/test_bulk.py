"""One deed for many rows of a list: for those that were ticked, or for all that match; what others did meanwhile stays."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import User
from django.test import Client

from components.models import Component
from components.status import Status
from incidents.models import Draft, Incident, Template
from pages.models import AuditEntry, Page
from subscribers.models import Subscriber
from tests.staff.conftest import make_staff


@pytest.fixture
def staff(grace, acme) -> Client:
    client = Client()
    client.force_login(grace)
    return client


@dataclass(frozen=True)
class ListOfMany:
    """A list with a deed for many: where it is, where the deed is posted, how a row is made, whether it is done."""

    path: str
    deed: str
    actions: tuple[str, str]
    """In the audit log: of the deed, of its undo."""
    name: str = "1"

    def make(self, page: Page, name: str) -> Any:
        if self.path == "/staff/subscribers/":
            return Subscriber.objects.create(page=page, address=f"{name}@example.com", state="active")
        if self.path == "/staff/people/":
            return make_staff(name, "Publishers")
        if self.path == "/staff/components/":
            return Component.objects.create(page=page, name=name)
        return Template.objects.create(page=page, name=name, body="x")

    def names_left(self) -> list[str]:
        if self.path == "/staff/subscribers/":
            return [each.address.split("@")[0] for each in Subscriber.objects.exclude(state="unsubscribed")]
        if self.path == "/staff/people/":
            return list(
                User.objects.filter(is_active=True).exclude(username="grace").values_list("username", flat=True)
            )
        if self.path == "/staff/components/":
            return list(Component.objects.current().values_list("name", flat=True))
        return list(Template.objects.values_list("name", flat=True))

    def do_meanwhile(self, row: Any) -> None:
        """The same deed, by somebody else."""
        if self.path == "/staff/subscribers/":
            row.unsubscribe(row.created_at)
        elif self.path == "/staff/people/":
            User.objects.filter(pk=row.pk).update(is_active=False)
        elif self.path == "/staff/components/":
            row.archive()
        else:
            row.delete()


COMPONENTS = ListOfMany("/staff/components/", "many/", ("component.archive", "component.restore"), "archive")
SUBSCRIBERS = ListOfMany("/staff/subscribers/", "unsubscribe/", ("subscriber.unsubscribe", "subscriber.renew"))
PEOPLE = ListOfMany("/staff/people/", "switch-off/", ("user.switch_off", "user.switch_on"))
TEMPLATES = ListOfMany("/staff/page/templates/", "remove/", ("template.delete", "template.restore"))
LISTS = (SUBSCRIBERS, PEOPLE, TEMPLATES, COMPONENTS)
each_list = pytest.mark.parametrize("of", LISTS, ids=lambda of: of.path)


def soup(response) -> BeautifulSoup:
    return BeautifulSoup(response.content, "html.parser")


@each_list
def test_the_ticked_are_done_at_once_audited_and_undone(staff, acme, of):
    ann, bob, _ = (of.make(acme, name) for name in ("ann", "bob", "cid"))
    answer = staff.post(of.path + of.deed, {"deed": of.name, "row": [ann.pk, bob.pk, "x", "99999999", ""]}, follow=True)
    assert of.names_left() == ["cid"]
    assert soup(answer).select_one(".undo button")
    staff.post("/staff/undo/")
    assert sorted(of.names_left()) == ["ann", "bob", "cid"]
    deeds = sorted(AuditEntry.objects.values_list("action", flat=True))
    assert deeds == sorted([of.actions[0]] * 2 + [of.actions[1]] * 2)
    assert set(AuditEntry.objects.values_list("actor", flat=True)) == {"grace"}


@each_list
def test_all_that_match_are_asked_about_in_words_first(staff, acme, of):
    for name in ("ann", "anna", "bob"):
        of.make(acme, name)
    asked = soup(staff.post(f"{of.path}{of.deed}?q=ann", {"all": of.name}))
    assert "2 " in asked.h1.text
    assert len(asked.select(".outline li")) == 2
    assert len(of.names_left()) == 3  # nothing is done yet
    fields = {field["name"]: field["value"] for field in asked.select("#content input[type=hidden]")}
    of.make(acme, "annemarie")  # who comes after the question was not meant
    staff.post(f"{of.path}{of.deed}?q=ann", fields)
    assert sorted(of.names_left()) == ["annemarie", "bob"]
    staff.post("/staff/undo/")
    assert sorted(of.names_left()) == ["ann", "anna", "annemarie", "bob"]


@each_list
@pytest.mark.parametrize("query", ["?q=zebra", "?q=%00"])
def test_where_nothing_matches_or_is_ticked_nothing_is_done(staff, acme, of, query):
    of.make(acme, "ann")
    for data in ({"all": of.name, "until": "0"}, {"all": of.name, "until": "x"}, {"deed": of.name, "row": ["-1"]}):
        shown = soup(staff.post(f"{of.path}{of.deed}{query}", data, follow=True))
        assert shown.select_one(".messagelist .error"), data
    assert of.names_left() == ["ann"]
    assert not AuditEntry.objects.exists()


@each_list
@pytest.mark.parametrize("is_all", [False, True])
@pytest.mark.parametrize("how", ["gone", "done", "changed"])
def test_two_at_once(staff, acme, of, how, is_all):
    """Ann's row is shown; then somebody else deletes, does the same to, or renames it."""
    ann, bob = of.make(acme, "ann"), of.make(acme, "bob")
    data: dict[str, Any] = {"all": of.name, "until": max(ann.pk, bob.pk)}
    if not is_all:
        data = {"deed": of.name, "row": [ann.pk, bob.pk]}
    if how == "gone":
        ann.delete()
    elif how == "done":
        of.do_meanwhile(ann)
    else:
        field = {SUBSCRIBERS: "address", PEOPLE: "username", TEMPLATES: "name", COMPONENTS: "name"}[of]
        type(ann).objects.filter(pk=ann.pk).update(**{field: "anne@example.com"})
    shown = soup(staff.post(of.path + of.deed, data, follow=True)).select_one(".undo").text
    assert of.names_left() == []
    if how == "changed":
        assert "2 " in shown
    else:
        assert not re.search(r"\b2\b", shown)  # the number is of what this person did
        staff.post("/staff/undo/")
        assert of.names_left() == ["bob"]  # what somebody else did stays done


@each_list
def test_the_question_leads_back_without_doing_anything(staff, acme, of):
    of.make(acme, "ann"), of.make(acme, "anna")
    asked = soup(staff.post(f"{of.path}{of.deed}", {"all": of.name}))
    assert asked.select_one("#content a.btn")["href"] == of.path
    assert asked.select_one("#content button.primary")


@each_list
def test_boxes_and_buttons_are_reached_by_name(staff, acme, of):
    of.make(acme, "ann"), of.make(acme, "bob")
    shown = soup(staff.get(of.path))
    boxes = shown.select("input[name=row]")
    assert len(boxes) == 2
    for box in boxes:
        assert box.get("aria-label") or box.find_parent("label").text.strip()
        form = shown.find("form", id=box["form"]) if box.get("form") else box.find_parent("form")
        assert form["action"].startswith(of.path + of.deed)


@pytest.mark.parametrize("path", [of.path for of in LISTS])
def test_lists_are_searched(staff, acme, path):
    of = next(each for each in LISTS if each.path == path)
    of.make(acme, "ann"), of.make(acme, "bob")
    shown = soup(staff.get(f"{path}?q=ANN")).select_one(".lines").text
    assert "ann" in shown
    assert "bob" not in shown
    nothing = soup(staff.get(f"{path}?q=zebra"))
    assert nothing.select_one(".empty a")["href"] == "?"
    assert nothing.select_one("[type=search]")["value"] == "zebra"


def test_nobody_switches_off_themselves_or_a_superuser(staff, grace, acme):
    root = make_staff("root", is_superuser=True)
    staff.post("/staff/people/switch-off/", {"row": [grace.pk, root.pk]})
    assert User.objects.filter(is_active=True).count() == 2
    staff.post("/staff/people/switch-off/", {"all": "1", "until": root.pk})
    assert User.objects.filter(is_active=True).count() == 2


def test_who_was_made_a_superuser_meanwhile_is_not_let_in_by_undo(staff, acme):
    ann = make_staff("ann", "Publishers")
    staff.post(f"/staff/people/{ann.pk}/switch/", {"to": "off"})
    User.objects.filter(pk=ann.pk).update(is_superuser=True)
    shown = staff.post("/staff/undo/", follow=True).text
    assert "It could not be brought back" in shown
    assert not User.objects.get(pk=ann.pk).is_active


def test_who_waited_for_a_confirmation_waits_again_after_undo(staff, acme):
    ann = Subscriber.objects.create(page=acme, address="ann@example.com", state="pending")
    staff.post("/staff/subscribers/unsubscribe/", {"row": [ann.pk]})
    staff.post("/staff/undo/")
    ann.refresh_from_db()
    assert (ann.state, ann.unsubscribed_at) == ("pending", None)


def test_unsubscribing_ends_every_subscription_of_an_address(staff, acme, django_assert_max_num_queries):
    rows = [Subscriber(page=acme, address=f"{number}@example.com", state="active") for number in range(300)]
    Subscriber.objects.bulk_create(rows)
    one = Subscriber.objects.create(page=acme, address="1@example.com", state="active", incident_code="abc")
    with django_assert_max_num_queries(25):
        staff.post("/staff/subscribers/unsubscribe/", {"all": "1", "until": one.pk - 1})
    assert not Subscriber.objects.active().exists()


def test_components_of_an_open_incident_are_not_archived_and_it_is_said(staff, acme, incident, chat, website):
    shown = soup(staff.post("/staff/components/many/", {"deed": "archive", "row": [chat.pk, website.pk]}, follow=True))
    assert "Chat API is part of an open incident" in shown.select_one(".messagelist .error").text
    assert "1 component was archived." in shown.select_one(".undo").text
    assert list(Component.objects.current()) == [chat]


def test_hiding_many_is_seen_by_visitors_and_undone(staff, acme, chat, website):
    generation = Page.objects.get().generation
    staff.post("/staff/components/many/", {"deed": "hide", "row": [chat.pk, website.pk]})
    assert not Component.objects.public().exists()
    assert Page.objects.get().generation > generation
    staff.post("/staff/undo/")
    assert Component.objects.public().count() == 2
    staff.post("/staff/components/many/", {"deed": "show", "row": [chat.pk, website.pk]})
    assert AuditEntry.objects.filter(action="component.change").count() == 4  # they were shown already


def test_a_deed_that_is_none_is_not_found(staff, acme, chat):
    assert staff.post("/staff/components/many/", {"deed": "explode", "row": [chat.pk]}).status_code == 404
    assert Component.objects.get().status == Status.OPERATIONAL


def test_searching_the_tree_shows_what_matches_with_its_group(staff, acme, chat, website):
    shown = soup(staff.get("/staff/components/?q=chat"))
    assert [each.text.strip() for each in shown.select(".branch li .name")] == ["Chat API"]
    assert shown.select(".branch h2")
    assert not shown.select(".moves")  # the place in a part of the tree says nothing


# Drafts


def test_a_deleted_draft_comes_back_as_it_was(signed_in, ada, incident):
    draft = Draft.objects.create(page=incident.page, incident=incident, author=ada, fields={"body": "Half"})
    shown = signed_in.post(f"/staff/post/drafts/{draft.pk}/delete/", follow=True)
    assert "was deleted" in soup(shown).select_one(".undo").text
    signed_in.post("/staff/undo/")
    back = Draft.objects.get()
    assert (back.author, back.incident, back.fields) == (ada, incident, {"body": "Half"})


@pytest.mark.parametrize("what", ["page", "incident"])
def test_a_draft_of_what_is_gone_does_not_come_back(signed_in, ada, incident, what):
    draft = Draft.objects.create(page=incident.page, incident=incident, author=ada, fields={"body": "Half"})
    signed_in.post(f"/staff/post/drafts/{draft.pk}/delete/")
    (Incident.objects.get() if what == "incident" else incident.page).delete()
    assert "It could not be brought back" in signed_in.post("/staff/undo/", follow=True).text
    assert not Draft.objects.exists()


def test_undo_needs_the_right_of_the_removal(staff, grace, acme):
    template = Template.objects.create(page=acme, name="Disk", body="x")
    staff.post(f"/staff/page/templates/{template.pk}/remove/")
    grace.groups.set(type(grace.groups.first()).objects.filter(name="Publishers"))
    assert staff.post("/staff/undo/").status_code == 403
    assert not Template.objects.exists()


def test_an_offer_of_another_version_is_no_error(staff, acme):
    session = staff.session
    session["staff-undo"] = {"kind": "gone", "data": {}, "words": "x", "until": 99_999_999_999}
    session.save()
    assert "There is nothing left to undo." in staff.post("/staff/undo/", follow=True).text
