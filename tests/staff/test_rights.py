"""Every staff address, for everybody: default deny, no change by GET, CSRF on every POST."""

from __future__ import annotations

import pytest
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from canary.models import Alarm
from components.models import Component, Group
from components.status import Status
from delivery.models import Account, Notice
from incidents.models import Draft, Incident, Post, Template, Update
from pages.models import AuditEntry, Page, SetupStep
from subscribers.models import Subscriber, Suppression
from tests.staff.conftest import make_staff

# Every address of the posting screen and the receipt, by name: (address, what an empty call answers who may).
SCREENS = {
    "post": ("/staff/post/", {"get": 200, "post": 422}),
    "post-update": ("/staff/post/{incident}/", {"get": 200, "post": 422}),
    "post-preview": ("/staff/post/preview/", {"post": 200}),
    "overview": ("/staff/", {"get": 200}),
    "incidents": ("/staff/incidents/", {"get": 200}),
    "maintenance": ("/staff/maintenance/", {"get": 200}),
    "undo": ("/staff/undo/", {"post": 302}),
    "choose-page": ("/staff/choose-page/", {"post": 404}),
    "post-fields": ("/staff/post/fields/", {"post": 200}),
    "post-grid": ("/staff/post/grid/", {"post": 200}),
    "post-audience": ("/staff/post/audience/", {"post": 200}),
    "delete-draft": ("/staff/post/drafts/{draft}/delete/", {"post": 302}),
    "receipts": ("/staff/notices/", {"get": 200}),
    "receipt": ("/staff/notices/{notice}/receipt/", {"get": 200}),
    "receipt-counts": ("/staff/notices/{notice}/receipt/counts/", {"get": 200}),
    "receipt-retry": ("/staff/notices/{notice}/receipt/retry/", {"post": 302}),
}
# For who administers; {component} and {group} are codes. Their own tests say what they do.
SETTINGS = {
    "components": ("/staff/components/", ["get"]),
    "component-add": ("/staff/components/add/", ["post"]),
    "components-paste": ("/staff/components/paste/", ["get", "post"]),
    "components-import": ("/staff/components/import/", ["get", "post"]),
    "components-many": ("/staff/components/many/", ["post"]),
    "component-move": ("/staff/components/move/", ["post"]),
    "group": ("/staff/components/groups/{group}/", ["get", "post"]),
    "group-remove": ("/staff/components/groups/{group}/remove/", ["post"]),
    "component-rename": ("/staff/components/rename/component/{component}/", ["get", "post"]),
    "component": ("/staff/components/{component}/", ["get", "post"]),
    "component-status": ("/staff/components/{component}/status/", ["post"]),
    "component-archive": ("/staff/components/{component}/archive/", ["post"]),
    "component-restore": ("/staff/components/{component}/restore/", ["post"]),
    "channels": ("/staff/channels/", ["get"]),
    "account-add": ("/staff/channels/connect/slack/", ["get", "post"]),
    "account": ("/staff/channels/{account}/", ["get", "post"]),
    "account-test": ("/staff/channels/{account}/test/", ["post"]),
    "account-switch": ("/staff/channels/{account}/switch/", ["post"]),
    "subscribers": ("/staff/subscribers/", ["get"]),
    "unsubscribe-many": ("/staff/subscribers/unsubscribe/", ["post"]),
    "page": ("/staff/page/", ["get", "post"]),
    "page-add": ("/staff/page/add/", ["get", "post"]),
    "share": ("/staff/page/share/", ["get"]),
    "share-preview": ("/staff/page/share/preview/", ["get"]),
    "look": ("/staff/page/look/", ["get", "post"]),
    "look-preview": ("/staff/page/look/preview/", ["get", "post"]),
    "templates": ("/staff/page/templates/", ["get"]),
    "template-add": ("/staff/page/templates/add/incident/", ["get", "post"]),
    "template": ("/staff/page/templates/{template}/", ["get", "post"]),
    "template-remove": ("/staff/page/templates/{template}/remove/", ["post"]),
    "templates-remove": ("/staff/page/templates/remove/", ["post"]),
    "people": ("/staff/people/", ["get"]),
    "person-invite": ("/staff/people/invite/", ["get", "post"]),
    "people-switch-off": ("/staff/people/switch-off/", ["post"]),
    "person": ("/staff/people/{person}/", ["get", "post"]),
    "person-invite-again": ("/staff/people/{person}/invite/", ["post"]),
    "person-switch": ("/staff/people/{person}/switch/", ["post"]),
    "first-run": ("/staff/set-up/", ["get"]),
    "finish-step": ("/staff/set-up/finish/banner/", ["post"]),
    "check-mail": ("/staff/set-up/mail/", ["get", "post"]),
    "check-address": ("/staff/set-up/address/", ["get"]),
    "leave-demo": ("/staff/set-up/leave-demo/", ["get", "post"]),
    "parts": ("/staff/parts/", ["get"]),
}
# Who has forgotten a password cannot sign in: tests/staff/test_people.py.
FOR_EVERYBODY = {"forgotten-password", "set-password"}
SETTINGS_CALLS = [(name, method) for name, (_, methods) in SETTINGS.items() for method in methods]
CALLS = [(name, method) for name, (_, methods) in SCREENS.items() for method in methods]
# Addresses and accounts of people, what they did, and past alarms.
HIDDEN_FROM_PUBLISHERS = {Alarm, User, Subscriber, Suppression, AuditEntry, AccessAttempt, AccessFailureLog, AccessLog}
CHANGED_BY_ADMINISTERING = (Page, Group, Component, Template, Account)


@pytest.fixture
def address(incident, ada):
    """The address of a screen, with what it is about in place."""
    draft = Draft.objects.create(page=incident.page, author=ada, fields={"name": "Half"})
    parts = {"incident": incident.code, "draft": draft.pk, "notice": Notice.objects.get().code}
    return lambda name: SCREENS[name][0].format(**parts)


@pytest.fixture
def settings_address(acme, chat):
    """The address of a settings screen, with what it is about in place."""
    SetupStep.objects.create(page=acme, name=SetupStep.Name.DEMO)
    account = Account.objects.create(page=acme, channel="slack", name="#status")
    template = Template.objects.create(page=acme, name="Disk", body="x")
    parts = {"component": chat.code, "group": chat.group.code, "account": account.pk, "template": template.pk}
    parts["person"] = make_staff("carol", "Publishers").pk
    return lambda name: SETTINGS[name][0].format(**parts)


def client_of(user=None, *, strict=False):
    client = Client(enforce_csrf_checks=strict)
    if user:
        client.force_login(user)
    return client


def everything():
    """What a refused call must leave as it was."""
    models = (Update, Incident, Draft, Notice, AuditEntry, Page, Component, Subscriber)
    return [list(model.objects.order_by("pk").values()) for model in models]


def test_the_table_above_names_every_staff_screen():
    found = set()

    def walk(patterns, prefix=""):
        for each in patterns:
            path = prefix + str(each.pattern)
            if isinstance(each, URLResolver):
                walk(each.url_patterns, path)
            elif isinstance(each, URLPattern) and path.startswith("staff/"):
                found.add(each.name)

    walk(get_resolver().url_patterns)
    assert found == set(SCREENS) | set(SETTINGS) | FOR_EVERYBODY


@pytest.mark.parametrize(("name", "method"), CALLS)
def test_a_visitor_is_sent_to_sign_in(address, name, method):
    before = everything()
    response = getattr(client_of(), method)(address(name))
    assert response.status_code == 302
    assert response.url.startswith("/admin/login/?next=%2Fstaff%2F")
    assert everything() == before


@pytest.mark.parametrize(("name", "method"), CALLS)
def test_a_fragment_sends_the_whole_page_to_sign_in(address, name, method):
    here = {"HX-Request": "true", "HX-Current-URL": "http://testserver/staff/post/"}
    response = getattr(client_of(), method)(address(name), headers=here)
    assert response["HX-Redirect"] == "/admin/login/?next=http%3A%2F%2Ftestserver%2Fstaff%2Fpost%2F"
    assert response.content == b""


@pytest.mark.parametrize(("name", "method"), CALLS)
def test_staff_without_the_right_are_told_whom_to_ask(address, name, method):
    before = everything()
    response = getattr(client_of(make_staff("eve")), method)(address(name))
    assert response.status_code == 403
    assert "Ask somebody who administers this status page" in response.text
    assert everything() == before


@pytest.mark.parametrize("fields", [{"is_active": False}, {"is_staff": False}])
def test_an_account_that_is_no_longer_staff_is_sent_to_sign_in(address, fields):
    browser = client_of(make_staff("eve", "Publishers", **fields))
    for name, method in CALLS:
        assert getattr(browser, method)(address(name)).url.startswith("/admin/login/"), name


@pytest.mark.parametrize(("name", "method"), CALLS)
@pytest.mark.parametrize("group", ["Publishers", "Administrators"])
def test_both_groups_may_post_and_see_receipts(address, name, method, group):
    response = getattr(client_of(make_staff("eve", group)), method)(address(name))
    assert response.status_code == SCREENS[name][1][method]
    assert "/login/" not in response.get("Location", "")


@pytest.mark.parametrize("name", [name for name, method in CALLS if method == "post"])
def test_every_post_needs_its_csrf_token(address, ada, name):
    before = everything()
    assert client_of(ada, strict=True).post(address(name)).status_code == 403
    assert everything() == before


@pytest.mark.parametrize("name", SCREENS)
def test_only_a_post_changes_anything(address, ada, name):
    before = everything()
    browser = client_of(ada)
    for method in ("get", "head", "options", "put", "delete", "patch"):
        getattr(browser, method)(address(name))
        assert everything() == before, method


@pytest.mark.parametrize("name", SCREENS)
def test_staff_screens_are_never_cached(address, ada, name):
    response = client_of(ada).get(address(name))
    if response.status_code != 405:
        assert "no-store" in response["Cache-Control"]


@pytest.mark.parametrize(("name", "method"), SETTINGS_CALLS)
def test_settings_are_for_who_administers_and_never_cached(settings_address, ada, grace, name, method):
    before = everything()
    path = settings_address(name)
    assert getattr(client_of(), method)(path).url.startswith("/admin/login/?next=%2Fstaff%2F")
    refused = getattr(client_of(ada), method)(path)
    assert refused.status_code == 403
    assert "Ask somebody who administers this status page" in refused.text
    assert client_of(grace, strict=True).post(path).status_code in (403, 405)
    for other in ("get", "head", "options", "put", "delete", "patch"):
        answer = getattr(client_of(grace), other)(path)
        is_shown = other == "get" and "get" in SETTINGS[name][1]
        right = 200 if is_shown or (other == "options" and answer.status_code == 200) else 405
        assert answer.status_code == right, other
        assert "no-store" in answer["Cache-Control"] or answer.status_code == 405, other
    assert everything() == before
    assert "no-store" in refused["Cache-Control"]


# The overview and the records


def test_the_overview_needs_one_of_the_two_rights(incident, ada):
    assert client_of().get("/staff/").url == "/admin/login/?next=%2Fstaff%2F"
    assert client_of(make_staff("eve")).get("/staff/").status_code == 403
    assert client_of(ada).get("/staff/").status_code == 200


@pytest.mark.parametrize("model", CHANGED_BY_ADMINISTERING)
def test_only_who_may_administer_changes_pages_components_and_accounts(acme, ada, grace, model):
    add = f"/admin/{model._meta.app_label}/{model._meta.model_name}/add/"
    assert client_of(ada).get(add).status_code == 403
    assert client_of(ada).post(add, {"name": "Mine"}).status_code == 403
    assert client_of(grace).get(add).status_code == 200


def test_every_list_of_records_opens_for_its_readers_and_for_nobody_else(incident, ada, grace):
    from django.contrib import admin

    boss, nobody = make_staff("boss", is_superuser=True), make_staff("nobody")
    assert set(admin.site._registry) >= HIDDEN_FROM_PUBLISHERS
    for model in admin.site._registry:
        address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        assert client_of(nobody).get(address).status_code == 403, address
        assert client_of().get(address).status_code == 302, address
        assert client_of(boss).get(address).status_code == 200, address
        assert client_of(ada).get(address).status_code == (403 if model in HIDDEN_FROM_PUBLISHERS else 200), address
        assert client_of(grace).get(address).status_code == (403 if model._meta.app_label == "axes" else 200), address


def test_the_groups_are_made_with_their_rights_and_only_added_to(db):
    from django.contrib.auth.models import Group as StaffGroup

    from staff.apps import create_staff_groups

    publishers, administrators = (StaffGroup.objects.get(name=name) for name in ("Publishers", "Administrators"))
    assert set(publishers.permissions.values_list("codename", flat=True)) == {"publish"}
    assert set(administrators.permissions.values_list("codename", flat=True)) == {"publish", "administer"}
    publishers.permissions.add(*administrators.permissions.all())
    create_staff_groups()
    assert publishers.permissions.count() == 2


# Repairing what was told


def test_who_may_publish_corrects_a_text_and_nobody_is_told(incident, ada):
    update = incident.updates.get()
    notices = Notice.objects.count()
    address = f"/admin/incidents/update/{update.pk}/change/"
    assert client_of(ada).post(address, {"body": "We are **looking** into it."}).status_code == 302
    update.refresh_from_db()
    assert update.body_html == "<p>We are <strong>looking</strong> into it.</p>"
    entry = AuditEntry.objects.filter(action="update.rewrite").get()
    assert (entry.actor, entry.detail["before"]) == ("ada", "We are looking into it.")
    assert Notice.objects.count() == notices


def test_an_empty_correction_is_refused_at_the_field(incident, ada):
    update = incident.updates.get()
    response = client_of(ada).post(f"/admin/incidents/update/{update.pk}/change/", {"body": " "})
    assert response.status_code == 200
    update.refresh_from_db()
    assert update.body == "We are looking into it."


def test_updates_are_neither_added_nor_deleted_in_the_admin(incident, grace):
    update = incident.updates.get()
    assert client_of(grace).get("/admin/incidents/update/add/").status_code == 403
    assert client_of(grace).post(f"/admin/incidents/update/{update.pk}/delete/", {"post": "yes"}).status_code == 403


def test_an_impact_set_by_hand_shows_at_once_and_can_be_taken_back(incident, ada):
    address = f"/admin/incidents/incident/{incident.pk}/change/"
    inline = {"updates-TOTAL_FORMS": 0, "updates-INITIAL_FORMS": 0}
    generation = Page.objects.get().generation
    for chosen, impact in (("critical", "critical"), ("", "major")):
        client_of(ada).post(address, {"name": incident.name, "impact_override": chosen} | inline)
        incident.refresh_from_db()
        assert (incident.impact_override, incident.impact) == (chosen, impact)
    assert Page.objects.get().generation > generation
    assert AuditEntry.objects.filter(action="incident.change").count() == 2


def test_an_open_incident_cannot_be_deleted_away_from_its_components(incident, grace):
    address = f"/admin/incidents/incident/{incident.pk}/delete/"
    assert client_of(grace).post(address, {"post": "yes"}).status_code == 403
    incident.post(Post("Over.", "resolved", notify=False))
    client_of(grace).post(address, {"post": "yes"})
    assert not Incident.objects.exists()
    assert AuditEntry.objects.first().action == "incident.delete"


def test_the_audit_log_cannot_be_changed_in_the_admin(incident, grace):
    entry = AuditEntry.objects.first()
    assert client_of(grace).get("/admin/pages/auditentry/").status_code == 200
    assert client_of(grace).get("/admin/pages/auditentry/add/").status_code == 403
    for deed in ("change", "delete"):
        sent = client_of(grace).post(f"/admin/pages/auditentry/{entry.pk}/{deed}/", {"actor": "nobody", "post": "yes"})
        assert sent.status_code == 403


# Accounts of staff


def test_who_may_administer_makes_accounts_that_may_sign_in(grace, db):
    from django.contrib.auth.models import Group as StaffGroup
    from django.contrib.auth.models import User

    publishers = StaffGroup.objects.get(name="Publishers").pk
    secret = "a long and secret phrase"
    fields = {"username": "new", "usable_password": "true", "password1": secret, "password2": secret}
    response = client_of(grace).post("/admin/auth/user/add/", fields | {"groups": [publishers]})
    assert response.status_code == 302
    new = User.objects.get(username="new")
    assert new.is_staff
    assert new.has_perm("pages.publish")
    assert not new.has_perm("pages.administer")
    assert secret not in str(list(AuditEntry.objects.values()))
    assert AuditEntry.objects.first().action == "user.add"


def test_nobody_makes_themselves_a_superuser(grace, db):
    boss = make_staff("boss", is_superuser=True)
    browser = client_of(grace)
    for who in (boss, grace):
        fields = {"username": who.username, "is_active": "on", "is_staff": "on", "is_superuser": "on"}
        browser.post(f"/admin/auth/user/{who.pk}/change/", fields)
    grace.refresh_from_db()
    assert not grace.is_superuser
    assert browser.get(f"/admin/auth/user/{boss.pk}/password/").status_code == 403
    assert browser.post(f"/admin/auth/user/{boss.pk}/delete/", {"post": "yes"}).status_code == 403


def test_a_password_set_for_somebody_is_audited(grace, ada):
    secret = "a long and secret phrase"
    fields = {"password1": secret, "password2": secret, "usable_password": "true"}
    assert client_of(grace).post(f"/admin/auth/user/{ada.pk}/password/", fields).status_code == 302
    entry = AuditEntry.objects.first()
    assert (entry.actor, entry.action, entry.target) == ("grace", "user.password", "ada")


def test_addresses_of_people_accounts_and_the_audit_log_are_for_administering(ada, grace, incident):
    for model in ("auth/user", "pages/auditentry", "subscribers/subscriber", "subscribers/suppression"):
        assert client_of(ada).get(f"/admin/{model}/").status_code == 403, model
        assert client_of(grace).get(f"/admin/{model}/").status_code == 200, model


def test_suppressions_are_for_administering(ada):
    assert client_of(ada).post("/admin/subscribers/suppression/add/", {}).status_code == 403
    assert not Suppression.objects.exists()


# A status set by hand


def test_a_status_set_by_hand_is_shown_until_an_incident_says_more(acme, chat, grace):
    address = f"/admin/components/component/{chat.pk}/change/"
    fields = {
        "name": chat.name,
        "group": chat.group_id,
        "position": 1,
        "base_status": Status.DEGRADED_PERFORMANCE.value,
    }
    assert client_of(grace).post(address, fields).status_code == 302
    chat.refresh_from_db()
    assert (chat.status, chat.spans.count()) == (Status.DEGRADED_PERFORMANCE, 2)
    assert AuditEntry.objects.first().action == "component.change"

    Incident.open(acme, "Errors", Post("Looking.", components={chat: Status.MAJOR_OUTAGE}))
    assert client_of(grace).post(address, fields | {"base_status": 0}).status_code == 302
    chat.refresh_from_db()
    assert (chat.status, chat.base_status) == (Status.MAJOR_OUTAGE, Status.OPERATIONAL)


@pytest.mark.parametrize("model", ["group", "component"])
def test_what_is_new_comes_last(acme, chat, grace, model):
    Component.objects.update(position=7)
    Group.objects.update(position=4)
    shown = client_of(grace).get(f"/admin/components/{model}/add/").context["adminform"].form
    assert shown["position"].value() == (5 if model == "group" else 8)
