"""Inviting people, what they may do, and forgotten passwords: with the real mails, written to files."""

from __future__ import annotations

import re
from email import message_from_bytes, policy

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import Group, User
from django.test import Client

from delivery.ledger.sender import drain
from delivery.models import Delivery, Notice
from pages.models import AuditEntry, Page
from staff.settings.people import PersonForm
from tests.staff.conftest import PASSWORD, make_staff

PEOPLE = "/staff/people/"
NEW = "a much longer pass phrase"


@pytest.fixture
def staff(grace) -> Client:
    client = Client()
    client.force_login(grace)
    return client


@pytest.fixture
def mails(settings, tmp_path, acme):
    """Sends what waits, and gives the mails to an address."""
    settings.MAIL_DIR = tmp_path
    settings.PUBLIC_URL = "https://status.acme.example"

    def to(address):
        drain("email", 20.0)
        found = [
            message_from_bytes(path.read_bytes(), policy=policy.default) for path in sorted(tmp_path.glob("*.eml"))
        ]
        return [mail for mail in found if address in str(mail["To"])]

    return to


def link_in(mail):
    text = mail.get_body(("plain",)).get_content()
    (link,) = re.findall(r"https://status\.acme\.example(/staff/set-password/\S+)", text)
    return link


def invite(client, **fields):
    given = {"name": "Hedy", "email": "hedy@example.com", "rights": "Publishers"}
    return client.post(f"{PEOPLE}invite/", given | fields)


def test_an_invited_person_sets_a_password_and_is_signed_in(staff, mails):
    assert invite(staff).url == PEOPLE
    (mail,) = mails("hedy@example.com")
    assert "You sign in as Hedy." in mail.get_body(("plain",)).get_content()
    assert "You are invited" in mail.get_body(("html",)).get_content()
    browser = Client()
    shown = browser.get(link_in(mail), follow=True)
    assert "Set your password" in shown.text
    assert "/now/" in shown.request["PATH_INFO"]  # the token stands in no address any more
    answer = browser.post(shown.request["PATH_INFO"], {"new_password1": NEW, "new_password2": NEW})
    assert answer.url == "/staff/"
    assert browser.get("/staff/").status_code == 200
    hedy = User.objects.get(username="Hedy")
    assert hedy.has_perm("pages.publish")
    assert not hedy.has_perm("pages.administer")
    assert Client().get(link_in(mail)).status_code == 410  # once
    deeds = set(AuditEntry.objects.values_list("action", flat=True))
    assert {"user.add", "user.password"} <= deeds


@pytest.mark.parametrize("password", ["short", "password1234", "123456789012"])
def test_a_weak_password_is_refused_in_words(staff, mails, password):
    invite(staff)
    browser = Client()
    here = browser.get(link_in(mails("hedy@example.com")[0]), follow=True).request["PATH_INFO"]
    answer = browser.post(here, {"new_password1": password, "new_password2": password})
    assert answer.status_code == 422
    assert BeautifulSoup(answer.content, "html.parser").select(".problem")
    assert not User.objects.get(username="Hedy").has_usable_password()


def test_the_letter_stands_in_the_ledger_without_its_link(staff, mails):
    invite(staff)
    (mail,) = mails("hedy@example.com")
    token = link_in(mail).rstrip("/").rsplit("/", 1)[1]
    notice = Notice.objects.get()
    assert token not in str(Notice.objects.values()[0]) + str(Delivery.objects.values()[0])
    assert (notice.audience, notice.letter) == ("person", "invite")
    assert Delivery.objects.get().state == "sent"


def test_who_was_switched_off_meanwhile_gets_no_letter(staff, mails):
    invite(staff)
    User.objects.filter(username="Hedy").update(is_active=False)
    assert mails("hedy@example.com") == []
    assert Delivery.objects.get().state == "suppressed"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "This field is required"),
        ({"name": "GRACE"}, "Somebody has this name already."),
        ({"name": "a b/c"}, "Enter a valid username"),
        ({"email": "nonsense"}, "Enter a valid email address"),
        ({"email": "GRACE@example.com"}, "Somebody has this address already."),
        ({"rights": "Root"}, "Select a valid choice"),
    ],
)
def test_what_cannot_be_is_refused_at_its_field(staff, acme, grace, fields, words):
    grace.email = "grace@example.com"
    grace.save()
    answer = invite(staff, **fields)
    assert answer.status_code == 422
    assert words in " ".join(each.text for each in BeautifulSoup(answer.content, "html.parser").select(".problem"))
    assert Notice.objects.count() == 0


def test_rights_are_changed_in_words(staff, acme, ada):
    form = {"name": "ada", "email": "ada@example.com", "rights": "Administrators"}
    staff.post(f"{PEOPLE}{ada.pk}/", form)
    assert User.objects.get(pk=ada.pk).has_perm("pages.administer")
    assert "Change everything" in staff.get(PEOPLE).text
    changed = AuditEntry.objects.get(action="user.change").detail["fields"]
    assert changed == {"email": ["", "ada@example.com"], "rights": ["Publishers", "Administrators"]}


def test_saving_somebody_without_rights_gives_none(staff, acme):
    eve = make_staff("eve")
    answer = staff.post(f"{PEOPLE}{eve.pk}/", {"name": "eve", "email": "eve@example.com"})
    assert answer.status_code == 422
    assert not eve.groups.exists()


def test_nobody_takes_rights_from_themselves_or_touches_a_superuser(staff, acme, grace):
    boss = make_staff("boss", is_superuser=True)
    for person in (grace, boss):
        assert staff.get(f"{PEOPLE}{person.pk}/").status_code == 404
        assert staff.post(f"{PEOPLE}{person.pk}/switch/").status_code == 404
        assert staff.post(f"{PEOPLE}{person.pk}/invite/").status_code == 404
    assert "you" in BeautifulSoup(staff.get(PEOPLE).content, "html.parser").select_one(".lines").text


@pytest.mark.parametrize(
    ("meanwhile", "typed", "right"),
    [
        ({"email": "new@example.com"}, {"name": "Ada"}, ("Ada", "new@example.com", "Publishers")),
        ({"username": "lovelace"}, {"email": "a@example.com"}, ("lovelace", "a@example.com", "Publishers")),
        ({"rights": "Administrators"}, {"name": "Ada"}, ("Ada", "ada@example.com", "Administrators")),
        ({"username": "lovelace"}, {"name": "Ada"}, ("Ada", "ada@example.com", "Publishers")),
        ({}, {"rights": "Administrators"}, ("ada", "ada@example.com", "Administrators")),
    ],
)
def test_only_what_was_changed_in_the_form_is_saved(staff, acme, ada, meanwhile, typed, right):
    """Two administrators have the same person open; the later one keeps what the earlier one saved."""
    User.objects.filter(pk=ada.pk).update(email="ada@example.com")
    shown = BeautifulSoup(staff.get(f"{PEOPLE}{ada.pk}/").content, "html.parser").select_one(
        "form[method=post][novalidate]"
    )
    sent = {
        field["name"]: field.get("value", "")
        for field in shown.select("input[type=hidden], input[type=text], input[type=email]")
    }
    sent["rights"] = shown.select_one("[type=radio][checked]")["value"]
    if rights := meanwhile.pop("rights", ""):
        ada.groups.set(Group.objects.filter(name=rights))
    User.objects.filter(pk=ada.pk).update(**meanwhile or {"is_staff": True})
    assert staff.post(f"{PEOPLE}{ada.pk}/", sent | typed).status_code == 302
    ada.refresh_from_db()
    assert (ada.username, ada.email, ada.groups.get().name) == right


def test_a_person_deleted_while_the_form_was_open_is_not_made_anew(staff, acme, ada, monkeypatch):
    checked = PersonForm.clean_email

    def delete_meanwhile(form):
        User.objects.filter(pk=ada.pk).delete()
        return checked(form)

    monkeypatch.setattr(PersonForm, "clean_email", delete_meanwhile)
    sent = {"name": "Ada", "email": "a@example.com", "rights": "Publishers"}
    assert staff.post(f"{PEOPLE}{ada.pk}/", sent).status_code == 404
    assert not User.objects.filter(username="Ada").exists()


def test_switching_somebody_off_ends_their_session_and_can_be_taken_back(staff, acme, ada):
    browser = Client()
    browser.force_login(ada)
    staff.post(f"{PEOPLE}{ada.pk}/switch/", {"to": "off"})
    assert "/login/" in browser.get("/staff/").url
    staff.post(f"{PEOPLE}{ada.pk}/switch/", {"to": "on"})
    assert browser.get("/staff/").status_code == 200


# Forgotten passwords


def ask(address):
    return Client().post("/staff/forgotten-password/", {"email": address})


def test_a_forgotten_password_is_set_anew_by_mail(mails, ada):
    ada.email = "ada@example.com"
    ada.save()
    assert "If an account has this address" in ask("ADA@example.com").text
    (mail,) = mails("ada@example.com")
    browser = Client()
    here = browser.get(link_in(mail), follow=True).request["PATH_INFO"]
    browser.post(here, {"new_password1": NEW, "new_password2": NEW})
    ada.refresh_from_db()
    assert ada.check_password(NEW)


def test_the_answer_tells_nobody_whether_an_address_is_known(acme, ada):
    ada.email = "ada@example.com"
    ada.save()
    known, unknown = ask("ada@example.com"), ask("eve@example.com")
    plain = re.compile(r'value="[A-Za-z0-9]{64}"')  # the form's token
    assert plain.sub("", known.text) == plain.sub("", unknown.text)
    assert Notice.objects.count() == 1


def test_an_address_is_written_to_once_in_five_minutes(acme, ada):
    ada.email = "ada@example.com"
    ada.save()
    for _ in range(5):
        ask("ada@example.com")
    assert Notice.objects.count() == 1


@pytest.mark.parametrize("fields", [{"is_active": False}, {"is_staff": False}])
def test_who_may_not_sign_in_gets_no_link(acme, fields):
    make_staff("eve", email="eve@example.com", **fields)
    ask("eve@example.com")
    assert Notice.objects.count() == 0


def test_an_address_that_is_none_is_refused_in_words(acme):
    answer = ask("nonsense")
    assert answer.status_code == 422
    assert "Write the e-mail address of your account." in answer.text


@pytest.mark.parametrize("path", ["MQ/abc-def", "x/y", "%00/now", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5/now", "MQ/now"])
def test_a_made_up_link_says_that_it_does_not_work(acme, ada, path):
    answer = Client().get(f"/staff/set-password/{path}/", follow=True)
    assert answer.status_code == 410
    assert "Send me another link" in answer.text


def test_a_link_stops_working_once_the_password_was_changed_otherwise(mails, ada):
    ada.email = "ada@example.com"
    ada.save()
    ask("ada@example.com")
    link = link_in(mails("ada@example.com")[0])
    ada.set_password(PASSWORD + "!")
    ada.save()
    assert Client().get(link).status_code == 410


def test_a_link_never_leads_to_an_address_that_staff_can_change(mails, acme, ada):
    """Or an administrator could have a superuser's token sent to a server of their own."""
    ada.email = "ada@example.com"
    ada.save()
    Page.objects.update(url="https://evil.example", host="evil.example")
    ask("ada@example.com")
    (mail,) = mails("ada@example.com")
    for kind in ("plain", "html"):
        assert "evil.example/staff/" not in mail.get_body((kind,)).get_content()
    assert Client().get(link_in(mail)).status_code == 302


def test_setting_a_password_lets_nobody_in_who_was_switched_off_meanwhile(mails, ada, monkeypatch):
    ada.email = "ada@example.com"
    ada.save()
    ask("ada@example.com")
    browser = Client()
    here = browser.get(link_in(mails("ada@example.com")[0]), follow=True).request["PATH_INFO"]
    hash_password = User.set_password

    def switch_off_meanwhile(user, password):
        User.objects.filter(pk=user.pk).update(is_active=False)
        hash_password(user, password)

    monkeypatch.setattr(User, "set_password", switch_off_meanwhile)
    browser.post(here, {"new_password1": NEW, "new_password2": NEW})
    assert not User.objects.get(pk=ada.pk).is_active
    assert "/login/" in browser.get("/staff/").url
