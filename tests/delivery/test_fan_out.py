from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from components.models import Component
from delivery.ledger import outbox
from delivery.ledger.moves import moving
from delivery.models import Account, Delivery, Notice
from delivery.receipt import build_receipt
from pages.models import Page
from subscribers.models import Subscriber
from tests.delivery.ledger import assert_ledger_balances, retally

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers, MakeNotice


def test_every_active_subscriber_gets_one_row(notice: Notice, add_subscribers: AddSubscribers):
    add_subscribers(3)
    add_subscribers(2, state=Subscriber.State.PENDING)
    add_subscribers(2, state=Subscriber.State.UNSUBSCRIBED)

    assert outbox.expand(notice.pk)

    notice.refresh_from_db()
    assert build_receipt(notice).expected == 3
    assert notice.expanded_at
    rows = notice.deliveries.order_by("pk")
    assert [row.address for row in rows] == [f"person000{n}@example.com" for n in (1, 2, 3)]
    assert {(row.state, row.attempts, row.subscriber is None) for row in rows} == {("pending", 0, False)}
    assert_ledger_balances(notice)


def test_running_it_again_adds_nothing(notice: Notice, add_subscribers: AddSubscribers):
    add_subscribers(3)
    outbox.expand(notice.pk)
    add_subscribers(1)

    outbox.expand(notice.pk)

    assert notice.deliveries.count() == 3
    assert_ledger_balances(notice)


def test_it_goes_on_where_a_lost_worker_stopped(
    notice: Notice, add_subscribers: AddSubscribers, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(outbox, "CHUNK", 4)
    add_subscribers(10)
    chunks = 0
    real = outbox._insert_subscribers

    def dies_in_the_third_chunk(*args: object) -> int:
        nonlocal chunks
        chunks += 1
        rows = real(*args)  # type: ignore[arg-type]
        if chunks == 3:
            raise KeyboardInterrupt
        return rows

    monkeypatch.setattr(outbox, "_insert_subscribers", dies_in_the_third_chunk)
    with pytest.raises(KeyboardInterrupt):
        outbox.expand(notice.pk)
    notice.refresh_from_db()
    assert build_receipt(notice).expected == 8
    assert notice.expanded_at is None
    assert_ledger_balances(notice)

    outbox.expand(notice.pk)

    assert notice.deliveries.count() == 10
    assert_ledger_balances(notice)


@pytest.mark.parametrize(("pause", "heard_of"), [(0.0, [4, 8, 10]), (60.0, [4, 10])])
def test_senders_hear_of_the_first_rows_at_once_and_in_the_end_of_all(
    pause: float, heard_of: list[int], notice: Notice, add_subscribers: AddSubscribers, monkeypatch: pytest.MonkeyPatch
):
    rows, woken = notice.deliveries.all(), list[tuple[str, int]]()
    monkeypatch.setattr(outbox, "CHUNK", 4)
    monkeypatch.setattr(outbox, "WAKE_EVERY_SECONDS", pause)
    monkeypatch.setattr(outbox, "wake_on_commit", lambda task, channel: woken.append((channel, rows.count())))
    add_subscribers(10)

    outbox.expand(notice.pk)

    assert woken == [("email", count) for count in heard_of]


def test_only_followers_of_a_component_or_of_everything_get_a_delivery(
    page: Page, make_notice: MakeNotice, add_subscribers: AddSubscribers
):
    chat, search = (Component.objects.create(page=page, name=name) for name in ("Chat", "Search"))
    everything, of_chat, of_search, of_this, of_another = add_subscribers(5)
    of_chat.choose([chat])
    of_search.choose([search])
    Subscriber.objects.filter(pk=of_this.pk).update(incident_code="incident0001")
    Subscriber.objects.filter(pk=of_another.pk).update(incident_code="incident0002")
    notice = make_notice(component_codes=[chat.code])

    assert outbox.count_audience(page, notice.component_codes, notice.thread) == {"email": 3}
    outbox.expand(notice.pk)

    told = set(notice.deliveries.values_list("subscriber", flat=True))
    assert told == {everything.pk, of_chat.pk, of_this.pk}


def test_an_address_with_two_subscriptions_gets_one_delivery(
    notice: Notice, page: Page, add_subscribers: AddSubscribers
):
    add_subscribers(1)
    twice = {"page": page, "state": "active", "address": "person0001@example.com"}
    Subscriber.objects.create(**twice, incident_code="incident0001")

    assert outbox.count_audience(page, [], "incident0001") == {"email": 1}
    outbox.expand(notice.pk)

    assert notice.deliveries.count() == 1
    assert_ledger_balances(notice)


def test_unfollowing_an_incident_during_fan_out_gives_one_delivery(
    notice: Notice, page: Page, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(outbox, "CHUNK", 1)
    both = {"page": page, "state": "active", "address": "person0001@example.com"}
    follower = Subscriber.objects.create(**both, incident_code=notice.thread)
    Subscriber.objects.create(**both)
    with moving() as listing:
        outbox._insert_chunk(notice, listing)
    follower.delete()

    outbox.expand(notice.pk)

    assert notice.deliveries.count() == 1
    assert_ledger_balances(notice)


def test_subscribers_of_another_page_get_nothing(notice: Notice, add_subscribers: AddSubscribers):
    other = Page.objects.create(name="Other", url="https://status.other.example")
    add_subscribers(1, page=other)
    Account.objects.create(page=other, channel="x", name="@other")

    outbox.expand(notice.pk)

    assert not notice.deliveries.exists()


def test_accounts_come_before_subscribers(notice: Notice, x_account: Account, add_subscribers: AddSubscribers):
    add_subscribers(2)

    outbox.expand(notice.pk)

    channels = list(notice.deliveries.order_by("pk").values_list("channel", flat=True))
    assert channels == ["x", "email", "email"]
    assert_ledger_balances(notice)


def test_an_account_without_credentials_gets_a_suppressed_delivery(notice: Notice, page: Page):
    account = Account.objects.create(page=page, channel="x", name="@acmestatus")
    Account.objects.create(page=page, channel="x", name="@off", enabled=False)

    assert outbox.count_audience(page, [], notice.thread) == {"x": 0}
    assert outbox.unconnected_accounts(page) == ["X: @acmestatus is not connected"]
    outbox.expand(notice.pk)

    row = notice.deliveries.get()
    assert (row.account, row.state, row.error) == (account, Delivery.State.SUPPRESSED, "not connected")
    assert_ledger_balances(notice)


def test_a_cancelled_notice_is_sent_to_no_further_recipient(notice: Notice, add_subscribers: AddSubscribers):
    add_subscribers(3)
    outbox.expand(notice.pk)
    notice.deliveries.filter(address="person0001@example.com").update(state=Delivery.State.SENT, sent_at=timezone.now())
    retally()

    assert outbox.cancel(notice) == 2

    add_subscribers(1)
    outbox.expand(notice.pk)
    assert notice.deliveries.filter(error="cancelled by staff").count() == 2
    assert_ledger_balances(notice)


def test_a_notice_cancelled_before_fan_out_has_no_deliveries(notice: Notice, add_subscribers: AddSubscribers):
    add_subscribers(3)
    outbox.cancel(notice)

    outbox.expand(notice.pk)

    notice.refresh_from_db()
    assert notice.expanded_at
    assert not notice.deliveries.exists()
