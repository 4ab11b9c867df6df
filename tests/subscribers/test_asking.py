"""Asking for mails: what is stored, what is queued, and what a stranger cannot do."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext
from pytest_django import DjangoCaptureOnCommitCallbacks
from pytest_django.fixtures import Settings

from components.models import Component
from core import wake
from delivery.ledger.sender import drain
from delivery.models import Delivery
from pages.models import Page
from subscribers.models import Confirmation, Subscriber, Suppression, address_hash
from subscribers.subscribing import request_subscription
from tests.subscribers.waiting_mails import waiting

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def test_a_new_address_becomes_a_pending_subscriber_and_a_queued_mail(page: Page, chat_api: Component) -> None:
    request_subscription(page, "Ann@Example.com", component_codes=[chat_api.code])
    subscriber = page.subscribers.get()
    assert (subscriber.address, subscriber.state) == ("ann@example.com", "pending")
    assert list(subscriber.components.all()) == [chat_api]
    assert waiting() == ["ann@example.com"]


def test_the_worker_is_woken_after_commit(
    page: Page, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    rung: list[str] = []
    monkeypatch.setattr(wake, "wake_worker", lambda task, *args: rung.append(task))
    with django_capture_on_commit_callbacks(execute=True):
        request_subscription(page, "ann@example.com")
        assert rung == []
    assert rung == ["delivery.tasks.send"]


def test_a_bad_address_stores_nothing(page: Page) -> None:
    with pytest.raises(ValidationError):
        request_subscription(page, "ann@localhost")
    assert not page.subscribers.exists()


def test_hidden_foreign_and_unknown_components_cannot_be_chosen(
    page: Page, other_page: Page, website: Component, chat_api: Component
) -> None:
    hidden = page.components.create(name="Secret", hidden=True)
    foreign = other_page.components.create(name="Theirs")
    with pytest.raises(ValidationError, match="at least one component"):
        request_subscription(page, "ann@example.com", component_codes=[hidden.code, foreign.code, "nothing"])
    request_subscription(page, "ann@example.com", component_codes=[hidden.code, foreign.code, chat_api.code])
    assert list(page.subscribers.get().components.all()) == [chat_api]


@pytest.mark.parametrize("code", ["x", "ABCDEFGHIJKL", "abcdefghijk\n", "abcdefghijklm", "'; drop table"])
def test_an_incident_code_of_another_form_is_refused(page: Page, code: str) -> None:
    with pytest.raises(ValidationError):
        request_subscription(page, "ann@example.com", incident_code=code)


def test_one_incident_is_a_subscription_of_its_own(page: Page, subscriber: Subscriber) -> None:
    request_subscription(page, subscriber.address, incident_code="abcdefghijkl")
    states = dict(page.subscribers.values_list("incident_code", "state"))
    assert states == {"": "active", "abcdefghijkl": "pending"}


def test_who_gets_no_mail_now_takes_no_row(page: Page) -> None:
    for code in ("abcdefghijk0", "abcdefghijk1", "abcdefghijk2"):
        request_subscription(page, "ann@example.com", incident_code=code)
    assert list(page.subscribers.values_list("incident_code", flat=True)) == ["abcdefghijk0"]
    assert waiting() == ["ann@example.com"]


def test_the_latest_request_counts_until_one_is_confirmed(page: Page, website: Component, chat_api: Component) -> None:
    request_subscription(page, "ann@example.com", component_codes=[website.code])
    request_subscription(page, "ann@example.com", component_codes=[chat_api.code])
    assert list(page.subscribers.get().components.all()) == [chat_api]
    assert len(waiting()) == 1


def test_a_stranger_cannot_change_an_active_subscription(
    page: Page, subscriber: Subscriber, website: Component, chat_api: Component
) -> None:
    subscriber.choose([website])
    request_subscription(page, subscriber.address, component_codes=[chat_api.code])
    request_subscription(page, subscriber.address)
    subscriber.refresh_from_db()
    assert subscriber.is_active
    assert list(subscriber.components.all()) == [website]
    assert waiting() == [subscriber.address]


def test_coming_back_after_leaving_asks_for_consent_again(page: Page, subscriber: Subscriber) -> None:
    subscriber.unsubscribe(NOW)
    request_subscription(page, subscriber.address)
    subscriber.refresh_from_db()
    assert subscriber.state == Subscriber.State.PENDING
    assert subscriber.unsubscribed_at == NOW
    assert waiting() == [subscriber.address]


def test_a_suppressed_address_leaves_the_same_traces_but_gets_no_mail(
    page: Page, settings: Settings, tmp_path: Path
) -> None:
    settings.MAIL_DIR = tmp_path
    request_subscription(page, "new@example.com")
    Suppression.objects.create(address_hash=address_hash("email", "gone@example.com"), reason="hard_bounce")
    request_subscription(page, "Gone@example.com")
    assert waiting() == ["new@example.com", "gone@example.com"]
    drain("email", 20.0)
    assert list(Delivery.objects.order_by("pk").values_list("state", flat=True)) == ["sent", "suppressed"]
    assert len(list(tmp_path.glob("*.eml"))) == 1


def test_a_suppression_outlives_the_key_it_was_hashed_with(page: Page, settings: Settings) -> None:
    Suppression.objects.create(address_hash=address_hash("email", "gone@example.com"), reason="complaint")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a new key"
    assert Suppression.objects.among("email", ["gone@example.com", "new@example.com"]) == {"gone@example.com"}


def test_new_and_suppressed_addresses_run_the_same_queries(page: Page) -> None:
    def queries(address: str) -> list[str]:
        with CaptureQueriesContext(connection) as seen:
            request_subscription(page, address)
        return [" ".join(query["sql"].split()[:3]).rstrip('0123456789"_x') for query in seen.captured_queries]

    Suppression.objects.create(address_hash=address_hash("email", "gone@example.com"), reason="manual")
    assert queries("gone@example.com") == queries("new@example.com")


def test_one_mail_a_quarter_of_an_hour_and_three_a_day(page: Page) -> None:
    def mails_after(wait: timedelta) -> int:
        with time_machine.travel(NOW + wait, tick=False):
            request_subscription(page, "ann@example.com")
        return len(waiting())

    waits = [0 * MINUTE, 1 * MINUTE, 14 * MINUTE, 16 * MINUTE, 40 * MINUTE, 60 * MINUTE, 23 * 60 * MINUTE]
    assert [mails_after(wait) for wait in waits] == [1, 1, 1, 2, 3, 3, 3]
    assert mails_after(timedelta(days=1, minutes=1)) == 4


def test_tags_dots_and_incidents_do_not_evade_the_limit(page: Page) -> None:
    request_subscription(page, "ann@example.com")
    request_subscription(page, "ann+1@example.com")
    request_subscription(page, "a.n.n@example.com")
    request_subscription(page, "ann@example.com", incident_code="abcdefghijkl")
    assert waiting() == ["ann@example.com"]


def test_the_limit_holds_after_the_subscriber_is_deleted(page: Page) -> None:
    request_subscription(page, "ann@example.com")
    page.subscribers.all().delete()
    request_subscription(page, "ann@example.com")
    assert Confirmation.objects.count() == 1


def test_the_hourly_limit_drops_requests_and_warns_once(
    page: Page, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.CONFIRMATIONS_PER_HOUR = 2
    with caplog.at_level(logging.WARNING, "subscribers.subscribing"):
        for number in range(5):
            request_subscription(page, f"reader{number}@example.com")
    assert waiting() == ["reader0@example.com", "reader1@example.com"]
    assert len(caplog.records) == 1
    assert "limit=2" in caplog.text
    assert "@" not in caplog.text


def test_one_visitor_cannot_use_up_the_hour_of_the_others(page: Page, settings: Settings) -> None:
    settings.CONFIRMATIONS_PER_VISITOR = 2
    for number in range(4):
        request_subscription(page, f"flood{number}@example.com", visitor="192.0.2.66")
    request_subscription(page, "ann@example.com", visitor="198.51.100.7")
    request_subscription(page, "nobody-knows-whose@example.com")
    assert waiting() == ["flood0@example.com", "flood1@example.com", "ann@example.com",
                         "nobody-knows-whose@example.com"]  # fmt: skip
    assert page.subscribers.count() == 4
    assert not Confirmation.objects.filter(visitor_hash__contains="192.0.2.66").exists()


def test_a_visitor_may_ask_again_after_an_hour(page: Page, settings: Settings) -> None:
    settings.CONFIRMATIONS_PER_VISITOR = 1
    for hours, name in enumerate(["first", "next"]):
        with time_machine.travel(NOW + hours * timedelta(hours=1, seconds=1), tick=False):
            request_subscription(page, f"{name}@example.com", visitor="192.0.2.66")
    assert waiting() == ["first@example.com", "next@example.com"]


@pytest.mark.django_db(transaction=True)
def test_many_requests_at_once_queue_one_mail(page: Page, website: Component, chat_api: Component) -> None:
    codes = [website.code, chat_api.code]

    def ask(number: int) -> None:
        request_subscription(page, f"ann+{number % 3}@example.com", component_codes=codes[: 1 + number % 2])

    assert run_together(ask, 12) == []
    assert waiting() == [page.subscribers.get().address]


def run_together(work: Callable[[int], None], count: int) -> list[BaseException]:
    """Run `work(0)` … `work(count - 1)` in threads that start at the same moment; what they raised."""
    start, raised = threading.Barrier(count), []

    def run(number: int) -> None:
        try:
            start.wait(10)
            work(number)
        except BaseException as error:
            raised.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return raised
