"""Which rows leave first where several notices wait on one channel: the table in delivery/ledger/order.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.utils import timezone

from delivery.channels.email import Email
from delivery.contract import DeliveryError, SendResult
from delivery.ledger import order, outbox, single_recipient
from delivery.ledger.claims import claim
from delivery.ledger.recording import record
from delivery.models import Account, Delivery, Notice, Pause
from subscribers.models import Subscriber
from tests.delivery.ledger import assert_ledger_balances

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers, MakeNotice

OLDER, NEWER, WORK = "incident0001", "incident0002", "maintenance1"
PAST = datetime(2020, 1, 1, tzinfo=UTC)


def claimed_notices(size: int = 100, channel: str = "email") -> list[tuple[str, int]]:
    """Of one claim: each notice's code with how many of its rows are in it, in the order in which they leave."""
    batch = claim(channel, size)
    return [(notice.code, len(recipients)) for notice, recipients in batch.work] if batch else []


def claim_and_send(size: int) -> None:
    batch = claim("email", size)
    assert batch
    record(batch, [SendResult(pk) for pk in list(batch.recipients)])


def expanded(make_notice: MakeNotice, thread: str, **fields: object) -> Notice:
    notice = make_notice(thread=thread, **fields)
    outbox.expand(notice.pk)
    return notice


def test_of_two_incidents_partly_sent_the_newer_one_leaves_first(
    make_notice: MakeNotice, add_subscribers: AddSubscribers
):
    add_subscribers(10)
    older = expanded(make_notice, OLDER)
    claim_and_send(4)
    newer = expanded(make_notice, NEWER)
    claim_and_send(4)

    assert older.deliveries.filter(state="sent").count() == 4
    assert newer.deliveries.filter(state="sent").count() == 4
    assert claimed_notices(size=8) == [(newer.code, 6), (older.code, 2)]
    assert claimed_notices() == [(older.code, 4)]
    assert claimed_notices() == []
    assert_ledger_balances(older)
    assert_ledger_balances(newer)


def test_two_updates_of_one_incident_leave_as_they_were_posted(
    make_notice: MakeNotice, add_subscribers: AddSubscribers
):
    add_subscribers(3)
    first, second = (expanded(make_notice, OLDER) for _ in range(2))

    assert claimed_notices() == [(first.code, 3), (second.code, 3)]


def test_an_incident_is_as_new_as_its_first_update(make_notice: MakeNotice, add_subscribers: AddSubscribers):
    make_notice(thread=OLDER)
    add_subscribers(3)
    newer = expanded(make_notice, NEWER)
    late_update_of_the_older = expanded(make_notice, OLDER)

    assert claimed_notices() == [(newer.code, 3), (late_update_of_the_older.code, 3)]


def test_retries_of_an_older_incident_leave_after_what_is_due_of_the_newer(
    make_notice: MakeNotice, add_subscribers: AddSubscribers
):
    add_subscribers(3)
    older = expanded(make_notice, OLDER)
    older.deliveries.update(attempts=1, next_attempt_at=PAST)
    newer = expanded(make_notice, NEWER)

    assert claimed_notices() == [(newer.code, 3), (older.code, 3)]


def test_an_older_incident_is_not_held_up_by_rows_of_the_newer_that_wait_for_a_retry(
    make_notice: MakeNotice, add_subscribers: AddSubscribers
):
    add_subscribers(3)
    older = expanded(make_notice, OLDER)
    newer = expanded(make_notice, NEWER)
    batch = claim("email", 3)
    assert batch
    record(batch, [SendResult(pk, DeliveryError("450 later")) for pk in list(batch.recipients)])
    assert newer.deliveries.filter(state="pending", attempts=1).count() == 3

    assert claimed_notices() == [(older.code, 3)]


def test_an_older_incident_is_not_held_up_by_a_paused_account_of_the_newer(make_notice: MakeNotice, x_account: Account):
    older = expanded(make_notice, OLDER)
    other = Account.objects.create(
        page=x_account.page, channel="x", name="@second", credentials=x_account.credentials, enabled=True
    )
    newer = expanded(make_notice, NEWER)
    Pause.objects.begin(x_account.address, "the keys are refused")
    Delivery.objects.filter(notice=newer, address=other.address).update(state="suppressed")
    older.deliveries.update(address=other.address)

    assert claimed_notices(channel="x") == [(older.code, 1)]


@pytest.mark.parametrize("is_announced_later", [False, True])
def test_maintenance_leaves_after_an_outage_whichever_began_last(
    is_announced_later: bool, make_notice: MakeNotice, add_subscribers: AddSubscribers
):
    add_subscribers(3)
    threads = [(OLDER, "major"), (WORK, "maintenance")]
    codes = {
        thread: expanded(make_notice, thread, severity=severity).code
        for thread, severity in (threads if is_announced_later else reversed(threads))
    }

    assert claimed_notices() == [(codes[OLDER], 3), (codes[WORK], 3)]


def test_letters_leave_as_they_were_asked_for_and_ahead_of_subscribers(
    make_notice: MakeNotice, add_subscribers: AddSubscribers
):
    people = add_subscribers(30)
    notice = expanded(make_notice, OLDER)
    for person in people[:15]:
        single_recipient.queue_letter(None, person, person.code)

    batch = claim("email", 12)
    assert batch
    (_, first), (told, others) = batch.work
    assert [each.address for each in first] == [person.address for person in people[:10]]
    assert (told, len(others)) == (notice, 2)


def test_a_letter_that_waits_for_a_retry_holds_up_no_other(add_subscribers: AddSubscribers):
    early, late = add_subscribers(2)
    for person in (early, late):
        single_recipient.queue_letter(None, person, person.code)
    Delivery.objects.filter(subscriber=early).update(next_attempt_at=timezone.now() + timedelta(minutes=5))

    batch = claim("email", 10)

    assert batch
    assert [each.address for each in batch.recipients.values()] == [late.address]


def test_all_accounts_of_one_update_are_claimed_together(make_notice: MakeNotice, webhook_account: Account):
    for number in range(20):
        Account.objects.create(
            page=webhook_account.page, channel="webhook", name=f"{number}", credentials=webhook_account.credentials
        )
    notice = expanded(make_notice, OLDER)

    assert claimed_notices(channel="webhook") == [(notice.code, 21)]


def test_many_notices_that_are_not_due_cost_no_further_query(
    make_notice: MakeNotice, add_subscribers: AddSubscribers, django_assert_num_queries: object
):
    from django.test.utils import CaptureQueriesContext

    add_subscribers(2)

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            batch = claim("email", 2)
        assert batch
        record(batch, [SendResult(pk) for pk in list(batch.recipients)])
        return len(captured)

    expanded(make_notice, "incident0000")
    before = queries()
    for number in range(5):
        expanded(make_notice, f"incident{number:04}")
    Delivery.objects.filter(state="pending").update(next_attempt_at=timezone.now() + timedelta(hours=1))
    expanded(make_notice, NEWER)

    assert queries() == before


def test_the_index_of_waiting_rows_serves_the_order_and_the_claim(
    make_notice: MakeNotice, add_subscribers: AddSubscribers
):
    add_subscribers(2_000)
    notice = expanded(make_notice, OLDER)
    expanded(make_notice, NEWER)
    Delivery.objects.filter(notice=notice).exclude(pk=notice.deliveries.latest("pk").pk).update(
        state="sent", sent_at=timezone.now()
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")

    due = Delivery.objects.due("email", [])
    claims = [
        due.filter(rank=Delivery.Rank.SUBSCRIBER, notice=notice)[:500],
        due.filter(rank__lt=Delivery.Rank.SUBSCRIBER)[:10],
    ]
    for plan in (query.explain() for query in claims):
        assert "delivery_due" in plan, plan
        assert "sort" not in plan.lower(), plan
        assert "b-tree" not in plan.lower(), plan
    explain = "EXPLAIN " if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN "
    with connection.cursor() as cursor:
        cursor.execute(explain + order._FIRST_ROWS, {"channel": "email"})
        assert str(cursor.fetchall()).count("delivery_due") == 2


def test_rows_of_an_address_that_left_do_not_change_the_order(make_notice: MakeNotice, add_subscribers: AddSubscribers):
    add_subscribers(2)
    older = expanded(make_notice, OLDER)
    newer = expanded(make_notice, NEWER)
    left = Subscriber.objects.earliest("pk")
    left.unsubscribe(timezone.now())

    assert claimed_notices(Email.batch_size) == [(newer.code, 1), (older.code, 1)]
