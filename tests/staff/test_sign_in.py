"""What the sign-in screen says: a wrong guess learns nothing. Who is locked: tests/statuspage/test_sign_in.py."""

from __future__ import annotations

import pytest
from django.test import Client

from pages.models import AuditEntry
from tests.staff.conftest import PASSWORD

LOGIN = "/admin/login/"


def attempt(client, name, password):
    return client.post(LOGIN, {"username": name, "password": password})


def test_a_right_password_leads_to_where_one_wanted_to_go(ada):
    client = Client()
    response = client.post(
        f"{LOGIN}?next=/staff/post/", {"username": "ada", "password": PASSWORD, "next": "/staff/post/"}
    )
    assert response.url == "/staff/post/"


def test_signing_in_never_leads_to_another_site(ada):
    response = Client().post(LOGIN, {"username": "ada", "password": PASSWORD, "next": "https://evil.example/"})
    assert response.url == "/staff/"


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_a_wrong_guess_does_not_say_which_part_was_wrong(ada, name):
    text = attempt(Client(), name, "wrong").text.replace(name, "…")
    assert "Please enter the correct username and password" in text
    assert text.count("wrong") == 0


def test_after_five_wrong_guesses_the_screen_says_for_how_long(ada):
    client = Client()
    for _ in range(4):
        assert attempt(client, "ada", "wrong").status_code == 200
    locked = attempt(client, "ada", "wrong")
    assert locked.status_code == 429
    assert "Try again in 10 minutes." in locked.text
    assert attempt(client, "ada", PASSWORD).status_code == 429


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_the_lock_tells_no_more_than_the_guess_did(ada, name):
    client = Client()
    for _ in range(5):
        locked = attempt(client, name, "wrong")
    assert locked.status_code == 429
    assert name not in locked.text


def test_who_changed_their_own_password_is_kept_without_the_password(signed_in, ada):
    new = "battery horse correct"
    fields = {"old_password": "wrong", "new_password1": new, "new_password2": new}
    assert signed_in.post("/admin/password_change/", fields).status_code == 200
    assert not AuditEntry.objects.exists()
    assert signed_in.post("/admin/password_change/", fields | {"old_password": PASSWORD}).status_code == 302
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.target, entry.detail) == ("ada", "user.password", "ada", {})
