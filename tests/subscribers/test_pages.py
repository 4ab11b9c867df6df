"""The pages of a subscription, as a browser without cookies or script sees them."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from components.models import Component
from pages.models import AuditEntry, Page
from subscribers.models import Subscriber, Suppression, address_hash
from subscribers.signing import Purpose, sign, unsubscribe_token
from tests.subscribers.visits import FORM, ONE_CLICK, manage, state_of
from tests.subscribers.waiting_mails import waiting

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


# Subscribing


def test_the_form_asks_and_the_answer_is_to_check_the_mail(visitor: Client, page: Page) -> None:
    answer = visitor.post("/subscribe", FORM, follow=True)
    assert answer.redirect_chain == [("/subscribe/sent", 303)]
    assert "Check your mail" in answer.text
    assert waiting() == ["ann@example.com"]


def test_chosen_components_are_stored_and_ignored_when_everything_is_wanted(
    visitor: Client, page: Page, website: Component, chat_api: Component
) -> None:
    visitor.post("/subscribe", FORM | {"scope": "chosen", "components": [chat_api.code]})
    visitor.post("/subscribe", FORM | {"email": "bob@example.com", "components": [chat_api.code]})
    ann, bob = page.subscribers.order_by("address")
    assert [choice.component for choice in ann.choices.all()] == [chat_api]
    assert not bob.choices.exists()


def test_one_incident_can_be_followed(visitor: Client, page: Page) -> None:
    assert "Only this incident" in visitor.get("/subscribe?incident=abcdefghijkl").text
    visitor.post("/subscribe", FORM | {"scope": "incident", "incident": "abcdefghijkl"})
    assert page.subscribers.get().incident_code == "abcdefghijkl"


@pytest.mark.parametrize("query", ["", "?incident=", "?incident=<script>", "?incident=ABC"])
def test_without_a_proper_code_no_incident_is_offered(visitor: Client, page: Page, query: str) -> None:
    answer = visitor.get("/subscribe" + query)
    assert answer.status_code == 200
    assert "this incident" not in answer.text
    assert "<script>" not in answer.text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"email": ""}, "Write your e-mail address."),
        ({"email": "ann@localhost"}, "This is not an e-mail address"),
        ({"email": '"><script>@x.de'}, "This is not an e-mail address"),
        ({"scope": ""}, "Choose what you want to hear about."),
        ({"scope": "chosen"}, "Tick at least one component."),
        ({"scope": "chosen", "components": ["gone"]}, "no longer on this page"),
        ({"scope": "incident", "incident": "?"}, "This incident does not exist."),
    ],
)
def test_a_mistake_is_named_and_the_rest_is_kept(
    visitor: Client, page: Page, website: Component, change: dict[str, object], says: str
) -> None:
    answer = visitor.post("/subscribe", FORM | change)
    assert answer.status_code == 422
    assert says in answer.text
    assert "<script>@" not in answer.text
    assert not page.subscribers.exists()
    if "email" not in change:
        assert 'value="ann@example.com"' in answer.text


def test_hidden_components_are_not_offered(visitor: Client, page: Page, chat_api: Component) -> None:
    page.components.create(name="Secret project", hidden=True)
    text = visitor.get("/subscribe").text
    assert "Chat API" in text
    assert "Secret project" not in text


def test_a_program_that_fills_in_every_field_gets_the_same_answer_and_no_mail(visitor: Client, page: Page) -> None:
    answer = visitor.post("/subscribe", FORM | {"website": "https://spam.example"})
    assert (answer.status_code, answer["Location"]) == (303, "/subscribe/sent")
    assert not page.subscribers.exists()


def test_new_known_left_and_suppressed_addresses_get_one_answer_byte_for_byte(visitor: Client, page: Page) -> None:
    page.subscribers.create(address="known@example.com", state="active")
    page.subscribers.create(address="asked@example.com", state="pending")
    page.subscribers.create(address="left@example.com", state="unsubscribed", unsubscribed_at=NOW)
    Suppression.objects.create(address_hash=address_hash("email", "gone@example.com"), reason="complaint")
    names = ["new", "known", "asked", "left", "gone", "new"]  # the last one runs into the limit
    answers = [visitor.post("/subscribe", FORM | {"email": f"{name}@example.com"}) for name in names]
    seen = {(answer.status_code, answer.content, tuple(sorted(answer.items()))) for answer in answers}
    assert len(seen) == 1


# Confirming


@pytest.fixture
def asked(page: Page, website: Component) -> Subscriber:
    """Pending, about the website only."""
    subscriber = page.subscribers.create(address="ann@example.com")
    subscriber.choose([website])
    return subscriber


def test_confirming_takes_a_press_of_the_button(visitor: Client, asked: Subscriber) -> None:
    path = "/subscribe/confirm/" + sign(Purpose.CONFIRM, asked.code)
    shown = visitor.get(path)
    assert "Website" in shown.text
    assert '<button class="btn primary">Confirm</button>' in shown.text
    assert not state_of(asked)[1]
    assert "You are subscribed" in visitor.post(path).text
    assert state_of(asked)[0] == "active"


def test_confirming_twice_changes_nothing_more(visitor: Client, asked: Subscriber) -> None:
    path = "/subscribe/confirm/" + sign(Purpose.CONFIRM, asked.code)
    visitor.post(path)
    before = state_of(asked)
    assert "You are subscribed" in visitor.post(path).text
    assert state_of(asked) == before


def test_an_old_confirm_link_does_not_bring_back_who_left(visitor: Client, asked: Subscriber) -> None:
    path = "/subscribe/confirm/" + sign(Purpose.CONFIRM, asked.code)
    visitor.post(path)
    visitor.post("/unsubscribe/" + unsubscribe_token(asked.code), ONE_CLICK)
    assert visitor.post(path).status_code == 404
    assert state_of(asked)[0] == "unsubscribed"


def test_an_expired_confirm_link_says_so_and_offers_a_new_one(visitor: Client, asked: Subscriber) -> None:
    with time_machine.travel(NOW):
        path = "/subscribe/confirm/" + sign(Purpose.CONFIRM, asked.code)
    with time_machine.travel(NOW + timedelta(hours=49)):
        answer = visitor.post(path)
    assert answer.status_code == 404
    assert "too old" in answer.text
    assert 'href="/subscribe"' in answer.text
    assert state_of(asked)[0] == "pending"


# Managing


def test_choices_are_changed_by_the_manage_link(visitor: Client, subscriber: Subscriber, chat_api: Component) -> None:
    answer = visitor.post(manage(subscriber), {"action": "save", "scope": "chosen", "components": [chat_api.code]})
    assert "Saved." in answer.text
    assert list(subscriber.components.all()) == [chat_api]
    visitor.post(manage(subscriber), {"action": "save", "scope": "everything"})
    assert not subscriber.choices.exists()


def test_choosing_nothing_is_refused_and_changes_nothing(
    visitor: Client, subscriber: Subscriber, chat_api: Component
) -> None:
    subscriber.choose([chat_api])
    answer = visitor.post(manage(subscriber), {"action": "save", "scope": "chosen"})
    assert answer.status_code == 422
    assert "Tick at least one component." in answer.text
    assert list(subscriber.components.all()) == [chat_api]


def test_a_post_without_an_action_changes_nothing(visitor: Client, subscriber: Subscriber, website: Component) -> None:
    before = state_of(subscriber)
    assert visitor.post(manage(subscriber)).status_code == 422
    assert state_of(subscriber) == before


def test_a_subscriber_to_a_deleted_component_gets_no_other_updates(
    visitor: Client, subscriber: Subscriber, website: Component, chat_api: Component
) -> None:
    subscriber.choose([website])
    website.delete()
    audience = Subscriber.objects.about(subscriber.page, [chat_api.code], "abcdefghijkl")
    assert not audience.exists()
    shown = visitor.get(manage(subscriber)).text
    assert 'value="chosen" checked' in shown
    assert "Website" not in shown
    subscriber.choose([])
    assert audience.get() == subscriber


def test_an_incident_that_is_not_posted_yet_reaches_only_those_who_chose_what_it_touches(
    subscriber: Subscriber, website: Component, chat_api: Component
) -> None:
    subscriber.choose([website])
    assert not Subscriber.objects.about(subscriber.page, [chat_api.code], "").exists()
    assert Subscriber.objects.about(subscriber.page, [website.code], "").get() == subscriber


def test_leaving_and_taking_it_back(visitor: Client, subscriber: Subscriber) -> None:
    Subscriber.objects.update(confirmed_at=NOW)
    left = visitor.post(manage(subscriber), {"action": "leave"})
    assert "You have left" in left.text
    assert state_of(subscriber)[0] == "unsubscribed"
    undo = left.text.split('action="')[1].split('"')[0]
    assert "You are subscribed again" in visitor.post(undo).text
    assert state_of(subscriber)[0] == "active"


def test_taking_it_back_ends_after_an_hour(visitor: Client, subscriber: Subscriber) -> None:
    Subscriber.objects.update(confirmed_at=NOW)
    path = "/unsubscribe/" + unsubscribe_token(subscriber.code)
    with time_machine.travel(NOW):
        visitor.post(path, ONE_CLICK)
    with time_machine.travel(NOW + timedelta(minutes=61)):
        assert "Undo" not in visitor.get(path).text
        assert visitor.post(f"{path}/undo").status_code == 404
    assert state_of(subscriber)[0] == "unsubscribed"


def test_undo_does_not_activate_what_was_never_confirmed(visitor: Client, asked: Subscriber) -> None:
    path = "/unsubscribe/" + unsubscribe_token(asked.code)
    visitor.post(path, ONE_CLICK)
    assert visitor.post(f"{path}/undo").status_code == 404
    assert state_of(asked)[0] == "unsubscribed"


def test_the_manage_link_is_dead_after_leaving_and_stays_so_after_coming_back(
    visitor: Client, subscriber: Subscriber
) -> None:
    leaked = manage(subscriber)
    visitor.post(leaked, {"action": "leave"})
    assert visitor.get(leaked).status_code == 404
    visitor.post("/subscribe", FORM)
    visitor.post("/subscribe/confirm/" + sign(Purpose.CONFIRM, subscriber.code))
    assert state_of(subscriber)[0] == "active"
    assert visitor.get(leaked).status_code == 404
    assert visitor.get(manage(subscriber)).status_code == 200


def test_a_new_link_is_mailed_and_voids_the_old_one(visitor: Client, subscriber: Subscriber) -> None:
    leaked = manage(subscriber)
    assert "The old one no longer works" in visitor.post(leaked, {"action": "renew"}).text
    assert waiting() == [subscriber.address]
    assert visitor.get(leaked).status_code == 404
    fresh = manage(subscriber)
    assert "Not yet" in visitor.post(fresh, {"action": "renew"}).text
    assert visitor.get(fresh).status_code == 200


def test_deleting_the_data_leaves_no_address_but_keeps_a_suppression(visitor: Client, subscriber: Subscriber) -> None:
    subscriber.page.subscribers.create(address=subscriber.address, incident_code="abcdefghijkl", state="active")
    suppression = Suppression.objects.create(address_hash=address_hash("email", subscriber.address), reason="manual")
    path = manage(subscriber)
    assert "Nothing is left" in visitor.post(path, {"action": "forget"}).text
    assert not Subscriber.objects.exists()
    assert Suppression.objects.get() == suppression
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.target) == ("subscriber.forget", subscriber.code)
    assert visitor.post(path, {"action": "forget"}).status_code == 404
