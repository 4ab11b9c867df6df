"""Receipts as JSON: the numbers that staff see, before and after the deliveries are gone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from api.receipts import RECENT
from delivery.ledger import compaction, outbox, retention
from delivery.models import Account, Delivery, Notice
from delivery.receipt import PRUNED
from tests.delivery.ledger import retally

if TYPE_CHECKING:
    from pages.models import Page
    from tests.delivery.conftest import AddSubscribers, MakeNotice

State = Delivery.State
TOKEN = "a token of more than twenty characters"


@pytest.fixture(autouse=True)
def _token(settings: Settings) -> None:
    settings.METRICS_TOKEN = TOKEN


def ask(client: Client, path: str) -> Any:
    response = client.get(path, headers={"Authorization": f"Bearer {TOKEN}"})
    assert response["Content-Type"] == "application/json"
    return response.json()


@pytest.fixture
def told(notice: Notice, add_subscribers: AddSubscribers, page: Page) -> Notice:
    """To ten people and an account: most is sent, the rest is not."""
    Account.objects.create(page=page, channel="x", name="@acme")
    add_subscribers(10)
    outbox.expand(notice.pk)
    posted = timezone.now() - timedelta(days=100)
    Notice.objects.update(created_at=posted)
    mails = notice.deliveries.filter(channel="email")
    mails.update(state=State.SENT, sent_at=posted + timedelta(seconds=4))
    ids = list(mails.values_list("pk", flat=True))
    Delivery.objects.filter(pk__in=ids[:2]).update(state=State.DEAD, error="550 no", sent_at=None)
    Delivery.objects.filter(pk=ids[2]).update(state=State.SUPPRESSED, error="unsubscribed", sent_at=None)
    retally()
    return Notice.objects.get()


def test_a_receipt_has_every_number_also_after_pruning(client: Client, told: Notice):
    path = f"/api/notices/{told.code}/receipt.json"
    before = ask(client, path)

    assert {name: before[name] for name in ("expected", "sent", "suppressed", "dead", "unknown", "pending")} == {
        "expected": 11,
        "sent": 7,
        "suppressed": 2,
        "dead": 2,
        "unknown": 0,
        "pending": 0,
    }
    assert (before["finished"], before["notes"]) == (True, [])
    mail, x = before["channels"]
    assert mail == {
        "channel": "email",
        "expected": 10,
        "sent": 7,
        "suppressed": 1,
        "dead": 2,
        "unknown": 0,
        "pending": 0,
        "retrying": 0,
        "possible_duplicates": 0,
        "bounced": 0,
        "oldest_waiting_seconds": None,
        "lag_p50_seconds": pytest.approx(4),
        "lag_p95_seconds": pytest.approx(4),
        "lag_max_seconds": pytest.approx(4),
        "errors": [{"reason": "550 no", "count": 2}],
        "not_sent": [{"reason": "unsubscribed", "count": 1}],
        "not_connected": [],
        "paused": None,
        "diverted": mail["diverted"],
    }
    assert mail["diverted"].startswith("Written to files")
    assert (x["suppressed"], x["not_connected"], x["lag_p50_seconds"]) == (1, ["@acme"], None)
    assert before["notice"]["code"] == told.code
    assert before["notice"]["pruned_at"] is None

    retention.tidy(60)

    after = ask(client, path)
    assert told.deliveries.count() == 1, "the account's"
    assert after["notice"].pop("pruned_at")
    assert after.pop("notes") == [PRUNED]
    assert {k: v for k, v in before.items() if k not in ("notes", "notice")} == {
        k: v for k, v in after.items() if k != "notice"
    }


def test_an_unknown_code_is_not_found(client: Client, db: None):
    assert ask(client, "/api/notices/abcdefghijkl/receipt.json") == {"error": "No notice has this code."}


def test_the_newest_notices_have_their_totals(client: Client, told: Notice, make_notice: MakeNotice):
    make_notice(thread="incident0002", audience="canary")
    compaction.compact(told.pk)
    outbox.expand(make_notice(thread="incident0003").pk)

    new, old = ask(client, "/api/notices.json")["notices"]

    assert (new["incident"], new["expected"], new["pending"], new["sent"]) == ("incident0003", 11, 10, 0)
    assert (old["incident"], old["expected"], old["sent"], old["dead"]) == (told.thread, 11, 7, 2)
    assert old["title"] == told.title
    assert old["page"] == "status.acme.example"


def test_the_list_is_short_and_cheap(
    client: Client, make_notice: MakeNotice, django_assert_num_queries: DjangoAssertNumQueries
):
    for number in range(RECENT + 2):
        make_notice(thread=f"incident{number:04}", expanded_at=timezone.now())
    with django_assert_num_queries(2):
        assert len(ask(client, "/api/notices.json")["notices"]) == RECENT
