"""Links cannot be forged, lent to another purpose, or used past their time."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from pytest_django.fixtures import Settings

from subscribers import signing
from subscribers.models import Subscriber
from subscribers.signing import BadLinkError, Purpose

NOW = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize("purpose", Purpose)
def test_a_link_tells_whose_it_is_and_when_it_was_made(purpose: Purpose) -> None:
    with time_machine.travel(NOW, tick=False):
        link = signing.read(purpose, signing.sign(purpose, "abc123abc123"))
    assert link == signing.Link("abc123abc123", NOW)


@pytest.mark.parametrize("purpose", Purpose)
def test_a_link_serves_its_own_purpose_only(purpose: Purpose) -> None:
    token = signing.sign(purpose, "abc123abc123")
    for other in set(Purpose) - {purpose}:
        with pytest.raises(BadLinkError):
            signing.read(other, token)


def test_a_changed_link_is_refused_wherever_it_was_changed() -> None:
    token = signing.sign(Purpose.MANAGE, "abc123abc123")
    for position, character in enumerate(token):
        other = "0" if character != "0" else "1"
        with pytest.raises(BadLinkError):
            signing.read(Purpose.MANAGE, token[:position] + other + token[position + 1 :])


@pytest.mark.parametrize("token", ["", ".", "..", "a.b", "a.b.c", "x" * 10_000, "ü.ü.ü", "\x00", "a.zz." + "0" * 32])
def test_nonsense_is_refused_as_a_bad_link(token: str) -> None:
    with pytest.raises(BadLinkError):
        signing.read(Purpose.CONFIRM, token)


@pytest.mark.parametrize(
    ("purpose", "works_after", "fails_after"),
    [(Purpose.CONFIRM, 47 * HOUR, 49 * HOUR), (Purpose.MANAGE, 2159 * HOUR, 2161 * HOUR)],
)
def test_links_that_can_do_harm_grow_old(purpose: Purpose, works_after: timedelta, fails_after: timedelta) -> None:
    with time_machine.travel(NOW, tick=False):
        token = signing.sign(purpose, "abc123abc123")
    with time_machine.travel(NOW + works_after, tick=False):
        assert signing.read(purpose, token).code == "abc123abc123"
    with time_machine.travel(NOW + fails_after, tick=False), pytest.raises(BadLinkError, match="too old"):
        signing.read(purpose, token)


def test_the_way_out_never_grows_old() -> None:
    with time_machine.travel(NOW, tick=False):
        token = signing.unsubscribe_token("abc123abc123")
    with time_machine.travel(NOW + timedelta(days=3650), tick=False):
        assert signing.read(Purpose.UNSUBSCRIBE, token).code == "abc123abc123"


def test_a_retired_key_still_verifies_and_a_removed_one_does_not(settings: Settings) -> None:
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "old", []
    token = signing.manage_token("abc123abc123")
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "new", ["older", "old"]
    assert signing.read(Purpose.MANAGE, token).code == "abc123abc123"
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(BadLinkError):
        signing.read(Purpose.MANAGE, token)


def test_links_begin_with_the_pages_own_address(subscriber: Subscriber) -> None:
    assert signing.confirm_url(subscriber).startswith("http://acme.localhost/subscribe/confirm/")
    assert signing.manage_url(subscriber).startswith("http://acme.localhost/subscriptions/")


def test_a_link_ends_in_what_mail_programs_keep() -> None:
    token = signing.manage_token("abc123abc123")
    assert token.replace(".", "").isalnum()
    assert token[-1].isalnum()
    assert len(token) < 64
