"""Settings: the tree of components, as staff and without script."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from django.test import Client

from components.effects import set_base_status
from components.models import Component, Group
from components.status import Status
from pages.models import AuditEntry, Page
from tests.staff.conftest import make_staff

TREE = "/staff/components/"


@pytest.fixture
def staff(grace) -> Client:
    client = Client()
    client.force_login(grace)
    return client


def names(client, path=TREE):
    page = BeautifulSoup(client.get(path).content, "html.parser")
    return {
        branch["aria-label"]: [row.select_one(".name").text.strip() for row in branch.select("li[draggable]")]
        for branch in page.select(".branch")
    }


def public_names(page):
    from public.snapshot import build

    return [component.name for component in build(page).components]


def fields_of(client, path):
    form = BeautifulSoup(client.get(path).content, "html.parser").select_one("form:has(.field)")
    values = {each["name"]: each.get("value", "") for each in form.select("input[name]:not([type=checkbox])")}
    values |= {each["name"]: "on" for each in form.select("input[type=checkbox][checked]")}
    values |= {each["name"]: each.text.strip("\n") for each in form.select("textarea")}
    for each in form.select("select"):
        chosen = each.find("option", selected=True)
        values[each["name"]] = chosen["value"] if chosen else ""
    return values


def test_adding_one_and_many(staff, acme, chat):
    staff.post(TREE + "add/", {"name": "Website", "kind": "component", "group": ""})
    staff.post(TREE + "add/", {"name": "History", "kind": "component", "group": chat.group.code})
    staff.post(TREE + "add/", {"name": "Voice", "kind": "group"})
    assert names(staff) == {"Outside groups": ["Website"], "Chat": ["Chat API", "History"], "Voice": []}
    typed = {"outline": "Voice\n  Calls\nWebsite"}
    shown = staff.post(TREE + "paste/", typed).text
    assert "1 component would be added" in shown
    assert "1 name is left out" in shown
    assert Component.objects.count() == 3
    staff.post(TREE + "paste/", typed | {"action": "add"})
    assert names(staff)["Voice"] == ["Calls"]
    assert public_names(acme)
    assert AuditEntry.objects.filter(action="component.add_many", actor="grace").count() == 1


@pytest.mark.parametrize("name", ["", "   ", "x" * 256, "\u200b"])
def test_a_name_that_cannot_be_is_refused_in_words(staff, acme, name):
    shown = staff.post(TREE + "add/", {"name": name, "kind": "component"}, follow=True)
    assert BeautifulSoup(shown.content, "html.parser").select(".messagelist .error")
    assert Component.objects.count() == 0


def test_a_list_that_cannot_be_read_is_kept_as_typed(staff, acme):
    typed = "Website\n" + "x" * 300
    answer = staff.post(TREE + "paste/", {"outline": typed})
    assert answer.status_code == 422
    field = BeautifulSoup(answer.content, "html.parser").find("textarea")
    assert field.text.strip() == typed
    assert "Line 2" in BeautifulSoup(answer.content, "html.parser").select_one(".problem").text


def test_moving_by_buttons_and_by_dragging(staff, acme, chat, website):
    answer = staff.post(TREE + "move/", {"move": f"component {website.code} 1"})
    assert answer.url == f"{TREE}#{website.code}"
    assert names(staff) == {"Chat": ["Website", "Chat API"]}
    dragged = {"what": "component", "code": website.code, "group": "", "before": ""}
    fragment = staff.post(TREE + "move/", dragged, headers={"HX-Request": "true"})
    assert BeautifulSoup(fragment.content, "html.parser").find().get("id") == "tree"
    assert names(staff) == {"Outside groups": ["Website"], "Chat": ["Chat API"]}


def test_moving_what_a_colleague_removed_says_so(staff, acme, chat, website):
    website.archive()
    shown = staff.post(TREE + "move/", {"move": f"component {website.code} 1"}, follow=True).text
    assert "Somebody removed it meanwhile" in shown


def test_renaming_in_place(staff, acme, chat):
    path = f"{TREE}rename/component/{chat.code}/"
    assert 'value="Chat API"' in staff.get(path).text
    assert "Messages" in staff.post(path, {"name": "Messages"}).text
    assert public_names(acme) == ["Messages"]
    refused = staff.post(path, {"name": ""})
    assert "Write a name." in refused.text
    chat.refresh_from_db()
    assert chat.name == "Messages"


def test_changing_one_keeps_what_a_colleague_changed_meanwhile(staff, acme, chat):
    path = f"{TREE}{chat.code}/"
    form = fields_of(staff, path)
    Component.objects.filter(pk=chat.pk).update(name="Messages")
    answer = staff.post(path, form | {"description": "Sends and receives."})
    assert answer.status_code == 302
    chat.refresh_from_db()
    assert (chat.name, chat.description) == ("Messages", "Sends and receives.")


def test_a_status_set_by_hand(staff, acme, chat):
    staff.post(f"{TREE}{chat.code}/status/", {"base_status": Status.DEGRADED_PERFORMANCE.value})
    chat.refresh_from_db()
    assert chat.status == Status.DEGRADED_PERFORMANCE
    entry = AuditEntry.objects.get(action="component.base_status")
    assert entry.detail["after"] == "degraded_performance"
    assert "Choose a status." in staff.post(f"{TREE}{chat.code}/status/", {"base_status": "7"}, follow=True).text


def test_what_an_incident_says_is_named_beside_the_status(staff, incident, chat):
    set_base_status(chat, Status.OPERATIONAL, actor="x")
    assert incident.name in staff.get(f"{TREE}{chat.code}/").text


def test_archiving_keeps_the_past_and_can_be_undone(staff, acme, chat, website):
    staff.post(f"{TREE}{website.code}/archive/")
    shown = staff.get(TREE)
    assert "Website was archived." in shown.text
    assert "Undo" in shown.text
    assert "Undo" not in staff.get(TREE).text  # a moment
    assert public_names(acme) == ["Chat API"]
    assert not BeautifulSoup(staff.get("/staff/post/").content, "html.parser").find(string="Website")
    staff.post("/staff/undo/")
    assert "Website" in public_names(acme)
    assert [entry.action for entry in AuditEntry.objects.all()[:2]] == ["component.restore", "component.archive"]


def test_what_is_part_of_an_open_incident_is_not_archived(staff, incident, chat):
    shown = staff.post(f"{TREE}{chat.code}/archive/", follow=True).text
    assert "is part of an open incident" in shown
    assert Component.objects.current().filter(pk=chat.pk).exists()


def test_an_old_incident_keeps_the_name_of_an_archived_component(staff, incident, chat):
    from incidents.models import Phase, Post
    from public.snapshot import build_incident

    incident.post(Post("Over.", Phase.RESOLVED))
    staff.post(f"{TREE}{chat.code}/archive/")
    shown = build_incident(incident.page, incident.code)
    assert any("Chat API" in affected.name for update in shown.updates for affected in update.affected)


def test_a_removed_group_comes_back_with_its_components(staff, acme, chat):
    staff.post(f"{TREE}groups/{chat.group.code}/remove/")
    assert names(staff) == {"Outside groups": ["Chat API"]}
    staff.post("/staff/undo/")
    assert names(staff) == {"Chat": ["Chat API"]}


def test_undo_leaves_alone_what_moved_on_meanwhile(staff, acme, chat):
    staff.post(f"{TREE}groups/{chat.group.code}/remove/")
    other = Group.objects.create(page=acme, name="Voice")
    Component.objects.update(group=other)
    staff.post("/staff/undo/")
    assert names(staff) == {"Voice": ["Chat API"], "Chat": []}


def test_nothing_is_undone_twice_or_out_of_nothing(staff, acme, website):
    assert "nothing left to undo" in staff.post("/staff/undo/", follow=True).text
    staff.post(f"{TREE}{website.code}/archive/")
    staff.post("/staff/undo/")
    assert "nothing left to undo" in staff.post("/staff/undo/", follow=True).text


def test_undo_of_what_is_gone_for_good_says_so(staff, acme, website):
    staff.post(f"{TREE}{website.code}/archive/")
    website.delete()
    assert "could not be brought back" in staff.post("/staff/undo/", follow=True).text


def test_publishers_may_not_change_components(acme, chat):
    client = Client()
    client.force_login(make_staff("eve", "Publishers"))
    for path in ("", "add/", "paste/", "move/", f"{chat.code}/", f"{chat.code}/archive/", f"groups/{chat.group.code}/"):
        assert client.post(TREE + path).status_code == 403, path


def test_the_tree_costs_no_more_queries_for_more_components(staff, acme, chat, django_assert_max_num_queries):
    for number in range(30):
        Component.objects.create(page=acme, name=f"Part {number}", group=chat.group)
    with django_assert_max_num_queries(14):
        assert len(names(staff)["Chat"]) == 31


def test_an_empty_tree_says_what_will_stand_there(staff, acme):
    assert "Add what your customers use" in staff.get(TREE).text


def test_without_a_page_there_is_no_tree(staff, db):
    Page.objects.all().delete()
    assert staff.get(TREE).status_code == 404
