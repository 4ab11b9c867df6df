"""What links in mails do for mail programs, and what they do not for scanners and strangers."""

from datetime import UTC, datetime

import pytest
from django.test import Client

from components.models import Component
from pages.models import Page
from subscribers import signing
from subscribers.models import Confirmation, Subscriber
from subscribers.signing import Purpose, sign, unsubscribe_token
from tests.subscribers.visits import FORM, ONE_CLICK, manage, state_of

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def paths_of(subscriber: Subscriber) -> list[str]:
    """Every address under which something of a subscriber can be reached."""
    signed = [signing.PATHS[purpose] + sign(purpose, subscriber.code) for purpose in Purpose]
    return [*signed, f"{signed[-1]}/undo", "/subscribe", "/subscribe/sent", "/subscribe?incident=abcdefghijkl"]


# One-click (RFC 8058)


@pytest.mark.parametrize(
    "body",
    [
        {"data": "List-Unsubscribe=One-Click", "content_type": "application/x-www-form-urlencoded"},
        {"data": "List-Unsubscribe=One-Click\r\n", "content_type": "application/x-www-form-urlencoded"},
        {"data": ONE_CLICK},
        {"data": ONE_CLICK | {"more": "x"}},
    ],
)
def test_one_click_leaves_at_once_without_cookie_or_redirect(subscriber: Subscriber, body: dict[str, object]) -> None:
    mail_service = Client(enforce_csrf_checks=True, headers={"host": "acme.localhost", "origin": "null"})
    path = "/unsubscribe/" + unsubscribe_token(subscriber.code)
    for _ in range(3):
        answer = mail_service.post(path, **body)
        assert answer.status_code == 200
        assert not answer.cookies
        assert state_of(subscriber)[0] == "unsubscribed"


@pytest.mark.parametrize("data", [{}, {"List-Unsubscribe": "one-click"}, {"list-unsubscribe": "One-Click"}, {"x": "y"}])
def test_another_post_does_not_leave_but_shows_the_button(
    visitor: Client, subscriber: Subscriber, data: dict[str, str]
) -> None:
    answer = visitor.post("/unsubscribe/" + unsubscribe_token(subscriber.code), data)
    assert answer.status_code == 400
    assert "<button" in answer.text
    assert state_of(subscriber)[0] == "active"


def test_the_query_string_is_not_the_body(visitor: Client, subscriber: Subscriber) -> None:
    path = "/unsubscribe/" + unsubscribe_token(subscriber.code) + "?List-Unsubscribe=One-Click"
    visitor.get(path)
    visitor.post(path)
    assert state_of(subscriber)[0] == "active"


def test_one_click_ends_every_subscription_of_the_address_on_this_page_only(
    visitor: Client, subscriber: Subscriber, other_page: Page
) -> None:
    subscriber.page.subscribers.create(address=subscriber.address, incident_code="abcdefghijkl", state="active")
    elsewhere = other_page.subscribers.create(address=subscriber.address, state="active")
    visitor.post("/unsubscribe/" + unsubscribe_token(subscriber.code), ONE_CLICK)
    assert list(Subscriber.objects.active()) == [elsewhere]


def test_one_click_for_a_deleted_subscriber_is_fine(visitor: Client, subscriber: Subscriber) -> None:
    path = "/unsubscribe/" + unsubscribe_token(subscriber.code)
    subscriber.delete()
    assert visitor.post(path, ONE_CLICK).status_code == 200
    assert visitor.get(path).status_code == 200


# Strangers, scanners, and answers


SCANNERS = [
    {},
    {"user-agent": "Mozilla/5.0 (Windows NT 10.0) Outlook SafeLinks"},
    {"user-agent": "Barracuda Sentinel (EE)"},
    {"user-agent": "GoogleImageProxy"},
    {"user-agent": "python-requests/2.32", "accept": "*/*"},
    {"purpose": "prefetch", "sec-purpose": "prefetch;prerender", "x-moz": "prefetch"},
    {"cookie": "theme=dark"},
    {"x-http-method-override": "POST"},
]


@pytest.mark.parametrize("headers", SCANNERS)
@pytest.mark.parametrize("state", Subscriber.State)
def test_link_scanners_change_nothing(
    visitor: Client, subscriber: Subscriber, website: Component, headers: dict[str, str], state: str
) -> None:
    left = NOW if state == "unsubscribed" else None
    Subscriber.objects.update(state=state, confirmed_at=NOW, unsubscribed_at=left)
    subscriber.choose([website])
    before = state_of(subscriber)
    for path in paths_of(subscriber):
        for method in (visitor.get, visitor.head, visitor.options):
            answer = method(path, headers=headers)
            assert answer.status_code in (200, 404, 405), path
            assert not answer.cookies, path
    assert state_of(subscriber) == before
    assert not Confirmation.objects.exists()


@pytest.mark.parametrize("purpose", Purpose)
def test_a_link_of_another_page_or_purpose_or_hand_is_refused(
    visitor: Client, subscriber: Subscriber, other_page: Page, purpose: Purpose
) -> None:
    theirs = other_page.subscribers.create(address="eve@example.com", state="active")
    body = {"action": "forget"} | ONE_CLICK
    wrong_purpose = [sign(other, subscriber.code) for other in set(Purpose) - {purpose}]
    unknown = [sign(purpose, "nobody000000")] if purpose != Purpose.UNSUBSCRIBE else []
    for token in [sign(purpose, theirs.code), *wrong_purpose, *unknown, sign(purpose, theirs.code)[:-1] + "x", "x"]:
        for method in (visitor.get, visitor.post):
            answer = method(signing.PATHS[purpose] + token, body)
            assert answer.status_code == 404
            assert "eve@example.com" not in answer.text
            assert "This link does not work" in answer.text
    assert Subscriber.objects.active().count() == 2


def test_answers_keep_the_token_to_themselves(visitor: Client, subscriber: Subscriber) -> None:
    for path in paths_of(subscriber):
        answer = visitor.get(path)
        assert answer["Cache-Control"] == "no-store", path
        assert answer["Referrer-Policy"] == "no-referrer", path
        assert answer["X-Robots-Tag"] == "noindex", path
        assert "Set-Cookie" not in answer, path
        assert "Cookie" not in answer.get("Vary", ""), path
        assert "csrfmiddlewaretoken" not in answer.text, path


def test_posts_need_no_cookie_and_set_none(subscriber: Subscriber, website: Component) -> None:
    stranger = Client(enforce_csrf_checks=True, headers={"host": "acme.localhost"})
    posts = [("/subscribe", FORM), (manage(subscriber), {"action": "save", "scope": "everything"})]
    for path, data in posts:
        answer = stranger.post(path, data)
        assert answer.status_code in (200, 303)
        assert not answer.cookies


def test_an_unknown_host_gets_no_page(client: Client, page: Page, other_page: Page) -> None:
    assert client.get("/subscribe", headers={"host": "nobody.localhost"}).status_code == 404
    assert client.get("/subscribe", headers={"host": "evil.example"}).status_code == 400


def test_the_forms_cost_few_queries(
    visitor: Client, subscriber: Subscriber, chat_api: Component, django_assert_max_num_queries
) -> None:
    for number in range(20):
        subscriber.page.components.create(name=f"Part {number}", group=chat_api.group)
    with django_assert_max_num_queries(3):
        visitor.get("/subscribe")
    with django_assert_max_num_queries(6):
        visitor.get(manage(subscriber))
