"""Staff sign-in: guessing is stopped, and nobody can lock the on-call out."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from axes.models import AccessAttempt, AccessLog
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.utils import timezone

from core.visitor import client_address
from staff import tasks

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-7"
ATTACKER, ONCALL = "192.0.2.66", "198.51.100.7"

SignIn = Callable[..., HttpResponse]


@pytest.fixture
def oncall() -> User:
    return User.objects.create_superuser("oncall", "oncall@example.com", PASSWORD)


@pytest.fixture
def sign_in(oncall: User) -> SignIn:
    def sign_in(password: str, address: str = ONCALL, name: str = "oncall", **headers: str) -> HttpResponse:
        fields = {"username": name, "password": password}
        return Client(REMOTE_ADDR=address, headers=headers).post("/admin/login/", fields)

    return sign_in


def test_the_right_password_signs_in(sign_in: SignIn) -> None:
    answer = sign_in(PASSWORD)
    assert answer.status_code == 302
    assert answer.cookies["sessionid"]["httponly"]
    assert answer.cookies["sessionid"]["samesite"] == "Lax"


def test_after_five_wrong_passwords_the_right_one_is_not_taken_either(sign_in: SignIn) -> None:
    answers = [sign_in("guess", ATTACKER).status_code for _ in range(5)]
    assert answers == [200, 200, 200, 200, 429]
    assert sign_in(PASSWORD, ATTACKER).status_code == 429


def test_an_attacker_does_not_lock_the_oncall_out(sign_in: SignIn) -> None:
    for _ in range(8):
        sign_in("guess", ATTACKER)
    assert sign_in(PASSWORD, ONCALL).status_code == 302


def test_a_colleague_at_the_same_address_is_not_locked_out(sign_in: SignIn) -> None:
    User.objects.create_superuser("colleague", "", PASSWORD)
    for _ in range(8):
        sign_in("guess", ONCALL)
    assert sign_in(PASSWORD, ONCALL, name="colleague").status_code == 302


def test_who_is_signed_in_stays_so_while_the_name_is_locked(sign_in: SignIn, oncall: User) -> None:
    browser = Client(REMOTE_ADDR=ONCALL)
    browser.post("/admin/login/", {"username": "oncall", "password": PASSWORD})
    for _ in range(8):
        sign_in("guess", ONCALL)
    assert sign_in(PASSWORD, ONCALL).status_code == 429
    assert browser.get("/staff/").status_code == 200


def test_the_lock_opens_after_a_while_however_often_one_tries_meanwhile(sign_in: SignIn, settings) -> None:
    for _ in range(5):
        sign_in("guess", ONCALL)
    AccessAttempt.objects.update(attempt_time=AccessAttempt.objects.get().attempt_time - timedelta(minutes=9))
    assert sign_in(PASSWORD, ONCALL).status_code == 429
    AccessAttempt.objects.update(attempt_time=AccessAttempt.objects.get().attempt_time - timedelta(minutes=2))
    assert sign_in(PASSWORD, ONCALL).status_code == 302


def test_a_forged_forwarded_header_does_not_escape_the_lock(sign_in: SignIn) -> None:
    answers = [
        sign_in("guess", ATTACKER, **{"X-Forwarded-For": f"203.0.113.{number}"}).status_code for number in range(5)
    ]
    assert answers[-1] == 429


@pytest.mark.parametrize(
    ("count", "header", "expected"),
    [
        (0, "203.0.113.1", "10.0.0.1"),  # nobody is trusted: the peer's own address
        (1, "203.0.113.1", "203.0.113.1"),
        (1, "1.2.3.4, 203.0.113.1", "203.0.113.1"),  # what stands left was written by the visitor
        (2, "1.2.3.4, 203.0.113.1, 10.0.0.9", "203.0.113.1"),
        (2, "203.0.113.1", "10.0.0.1"),  # fewer proxies than promised: believe none
        (1, "nonsense", "10.0.0.1"),
        (1, "2001:db8::7", "2001:db8::"),
        (1, "", "10.0.0.1"),
    ],
)
def test_the_visitors_address_is_what_the_outermost_trusted_proxy_saw(
    settings, count: int, header: str, expected: str
) -> None:
    settings.TRUSTED_PROXY_COUNT = count
    request = RequestFactory().get("/", REMOTE_ADDR="10.0.0.1", headers={"X-Forwarded-For": header})
    assert client_address(request) == expected


def test_staff_pages_carry_a_strict_policy(client: Client) -> None:
    headers = client.get("/admin/login/").headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": "'self'",
        "font-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"


def test_an_unknown_host_is_refused(client: Client) -> None:
    assert client.get("/admin/login/", headers={"host": "evil.example"}).status_code == 400


@pytest.mark.parametrize(
    ("peer", "expected"),
    [("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"), ("2001:db8:1:2::7", "2001:db8:1:2::"), ("fe80::1%eth0", "fe80::"),
     ("::ffff:192.0.2.66", "192.0.2.66"), ("192.0.2.66", "192.0.2.66"), ("", ""), ("a socket", "a socket")],
)  # fmt: skip
def test_all_addresses_of_one_ipv6_network_are_one_visitor(peer: str, expected: str) -> None:
    assert client_address(RequestFactory().get("/", REMOTE_ADDR=peer)) == expected


def test_a_new_ipv6_address_for_each_guess_gives_no_new_guesses(sign_in: SignIn) -> None:
    answers = [sign_in("guess", f"2001:db8::{number}").status_code for number in range(1, 7)]
    assert answers[-2:] == [429, 429]
    assert sign_in(PASSWORD, "2001:db8:0:1::1").status_code == 302


def test_an_address_that_tries_many_names_is_locked_for_all_of_them(sign_in: SignIn) -> None:
    answers = [sign_in("guess", ATTACKER, name=f"name{number}").status_code for number in range(31)]
    assert answers == [200] * 29 + [429, 429]
    assert sign_in(PASSWORD, ATTACKER).status_code == 429
    assert AccessAttempt.objects.count() == 30


def test_the_lock_of_an_address_spares_other_addresses_and_who_is_signed_in(sign_in: SignIn) -> None:
    browser = Client(REMOTE_ADDR=ATTACKER)
    browser.post("/admin/login/", {"username": "oncall", "password": PASSWORD})
    for number in range(30):
        sign_in("guess", ATTACKER, name=f"name{number}")
    assert sign_in(PASSWORD, ATTACKER).status_code == 429
    assert browser.get("/staff/").status_code == 200
    assert sign_in(PASSWORD, ONCALL).status_code == 302


def test_the_lock_of_an_address_opens_after_a_while(sign_in: SignIn) -> None:
    for number in range(30):
        sign_in("guess", ATTACKER, name=f"name{number}")
    assert sign_in(PASSWORD, ATTACKER).status_code == 429
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=11))
    assert sign_in(PASSWORD, ATTACKER).status_code == 302


def test_failures_that_no_longer_count_and_old_sign_ins_are_pruned(sign_in: SignIn) -> None:
    for name in ("old", "young"):
        sign_in(PASSWORD)
        sign_in("guess", ATTACKER, name=name)
    AccessAttempt.objects.filter(username="old").update(attempt_time=timezone.now() - timedelta(minutes=11))
    AccessLog.objects.filter(pk=AccessLog.objects.earliest("pk").pk).update(
        attempt_time=timezone.now() - timedelta(days=91)
    )
    tasks.prune.apply(throw=True)
    assert list(AccessAttempt.objects.values_list("username", flat=True)) == ["young"]
    assert AccessLog.objects.count() == 1
