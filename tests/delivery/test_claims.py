from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection, connections
from django.utils import timezone
from pytest_django import Settings

from delivery.channels.email import Email
from delivery.contract import DeliveryError, SendResult
from delivery.ledger import outbox, recording
from delivery.ledger.claims import claim
from delivery.ledger.recording import Batch, record, release_expired
from delivery.models import Account, Delivery, Notice, Pause
from subscribers.models import Subscriber, Suppression, address_hash
from tests.delivery.ledger import assert_ledger_balances, retally

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers, MakeNotice

PAST = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def expanded(notice: Notice, add_subscribers: AddSubscribers) -> Notice:
    """A notice with four waiting deliveries by mail."""
    add_subscribers(4)
    outbox.expand(notice.pk)
    return notice


def taken(channel: str = "email", size: int = 10) -> Batch:
    batch = claim(channel, size)
    assert batch is not None
    return batch


def addresses(batch: Batch | None) -> list[str]:
    return [each.address for _, recipients in batch.work for each in recipients] if batch else []


@pytest.mark.django_db(transaction=True)
def test_eight_threads_claim_each_row_once(notice: Notice, add_subscribers: AddSubscribers):
    add_subscribers(200)
    outbox.expand(notice.pk)
    claimed: Counter[str] = Counter()
    lock, start = threading.Lock(), threading.Barrier(8)

    def work() -> None:
        try:
            start.wait(10)
            while (batch := claim("email", 7)) is not None:
                with lock:
                    claimed.update(addresses(batch))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(claimed) == 200
    assert set(claimed.values()) == {1}
    assert set(notice.deliveries.values_list("state", "attempts")) == {("sending", 1)}
    assert_ledger_balances(notice)


def test_a_claim_takes_the_longest_due_first_and_no_more_than_asked(expanded: Notice):
    last = expanded.deliveries.order_by("pk").last()
    assert last
    Delivery.objects.filter(pk=last.pk).update(next_attempt_at=PAST)

    assert addresses(taken(size=2)) == [last.address, "person0001@example.com"]


def test_rows_whose_time_has_not_come_are_left(expanded: Notice):
    expanded.deliveries.update(next_attempt_at=timezone.now() + timedelta(minutes=1))

    assert claim("email", 10) is None


def test_a_sent_row_keeps_when_it_was_sent(expanded: Notice):
    batch = taken()

    counts = record(batch, [SendResult(pk) for pk in list(batch.recipients)])

    assert counts == {"sent": 4}
    row = expanded.deliveries.first()
    assert row
    assert row.sent_at
    assert abs(timezone.now() - row.sent_at) < timedelta(seconds=10)
    assert (row.claimed_by, row.lease_until, row.error) == ("", None, "")
    assert_ledger_balances(expanded)


def test_a_worker_that_returns_after_its_lease_changes_nothing(expanded: Notice):
    late = taken()
    expanded.deliveries.update(lease_until=PAST)
    assert release_expired() == 4
    other = taken()
    record(other, [SendResult(pk) for pk in list(other.recipients)])
    sent = list(expanded.deliveries.values_list("pk", "sent_at"))

    counts = record(late, [SendResult(pk, DeliveryError("no", permanent=True)) for pk in list(late.recipients)])

    assert counts.total() == 0
    assert list(expanded.deliveries.values_list("pk", "sent_at")) == sent
    assert_ledger_balances(expanded)


def test_a_late_worker_cannot_record_over_a_claim_that_is_still_running(expanded: Notice):
    late = taken()
    expanded.deliveries.update(lease_until=PAST)
    release_expired()
    taken()

    record(late, [SendResult(pk) for pk in list(late.recipients)])

    assert set(expanded.deliveries.values_list("state", "attempts")) == {("sending", 2)}


def test_rows_of_a_lost_worker_are_due_again_and_marked_as_possible_duplicates(expanded: Notice):
    taken(size=3)
    expanded.deliveries.filter(state="sending").update(lease_until=PAST)

    assert release_expired() == 3

    assert Counter(expanded.deliveries.values_list("state", "ambiguous", "attempts")) == {
        ("pending", True, 1): 3,
        ("pending", False, 0): 1,
    }
    assert len(addresses(claim("email", 10))) == 4


def test_a_row_that_costs_every_worker_its_life_ends_as_unknown(expanded: Notice):
    expanded.deliveries.update(attempts=Email.max_attempts - 1)
    retally()
    taken()
    expanded.deliveries.update(lease_until=PAST)

    release_expired()

    assert set(expanded.deliveries.values_list("state", flat=True)) == {"unknown"}
    assert claim("email", 10) is None
    assert_ledger_balances(expanded)


def test_where_a_repeat_is_worse_than_silence_a_lost_row_is_left_to_staff(
    expanded: Notice, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Email, "resend_ambiguous", False)
    taken()
    expanded.deliveries.update(lease_until=PAST)

    release_expired()

    assert set(expanded.deliveries.values_list("state", flat=True)) == {"unknown"}


def test_the_lease_is_as_long_as_the_setting_says(expanded: Notice, settings: Settings):
    settings.DELIVERY_LEASE_SECONDS = 30
    batch = taken()
    first = expanded.deliveries.earliest("pk").lease_until
    assert first
    assert timedelta(seconds=20) < first - timezone.now() <= timedelta(seconds=31)

    settings.DELIVERY_LEASE_SECONDS = 90
    recording.renew(batch)

    renewed = expanded.deliveries.earliest("pk").lease_until
    assert renewed
    assert renewed - first > timedelta(seconds=50)


def test_a_subscriber_who_left_after_fan_out_gets_no_mail(expanded: Notice):
    left, bounced, deleted, _ = Subscriber.objects.order_by("pk")
    left.unsubscribe(timezone.now())
    Suppression.objects.create(
        channel="email", address_hash=address_hash("email", bounced.address), reason=Suppression.Reason.HARD_BOUNCE
    )
    deleted.delete()

    assert addresses(claim("email", 10)) == ["person0004@example.com"]

    reasons = dict(expanded.deliveries.filter(state="suppressed").values_list("address", "error"))
    assert reasons == {
        "person0001@example.com": "unsubscribed",
        "person0002@example.com": "the address is on the suppression list",
        "person0003@example.com": "deleted",
    }
    assert_ledger_balances(expanded)


def test_what_is_too_old_is_given_up(expanded: Notice):
    expanded.deliveries.update(queued_at=timezone.now() - timedelta(hours=25))

    assert addresses(claim("email", 10)) == []

    assert set(expanded.deliveries.values_list("state", "error")) == {("dead", "not sent within 24 hours")}
    assert_ledger_balances(expanded)


def test_after_an_hour_without_a_server_people_hear_the_latest_only(
    make_notice: MakeNotice, add_subscribers: AddSubscribers
):
    add_subscribers(1)
    first, second = make_notice(), make_notice()
    outbox.expand(first.pk)
    add_subscribers(1)
    outbox.expand(second.pk)
    other = make_notice(thread="incident0002")
    outbox.expand(other.pk)
    Delivery.objects.filter(notice=first).update(queued_at=timezone.now() - timedelta(hours=2))
    Delivery.objects.filter(notice=other).update(queued_at=timezone.now() - timedelta(hours=2))

    batch = taken()

    told = sorted((notice.pk, each.address) for notice, recipients in batch.work for each in recipients)
    assert told == [
        (notice.pk, address)
        for notice in (second, other)
        for address in ("person0001@example.com", "person0002@example.com")
    ]
    assert first.deliveries.get().error == "overtaken by a newer update"
    assert_ledger_balances(first)


def test_a_late_update_without_a_newer_one_is_still_sent(expanded: Notice):
    expanded.deliveries.update(queued_at=timezone.now() - timedelta(hours=2))

    assert len(addresses(claim("email", 10))) == 4


def test_a_late_update_is_sent_when_the_newer_one_is_not(make_notice: MakeNotice, add_subscribers: AddSubscribers):
    add_subscribers(1)
    first, failed, cancelled = (make_notice() for _ in range(3))
    for each in (first, failed, cancelled):
        outbox.expand(each.pk)
    failed.deliveries.update(state="dead")
    Notice.objects.filter(pk=cancelled.pk).update(cancelled_at=timezone.now())
    Delivery.objects.update(queued_at=timezone.now() - timedelta(hours=2))

    assert [notice for notice, _ in taken().work] == [first]


def test_on_an_account_the_first_post_is_not_dropped_for_later_ones_that_reply_to_it(
    make_notice: MakeNotice, x_account: Account
):
    first, middle, last = (make_notice(stage=stage) for stage in ("first", "middle", "last"))
    for each in (first, middle, last):
        outbox.expand(each.pk)
    Delivery.objects.exclude(notice=last).update(queued_at=timezone.now() - timedelta(hours=2))

    assert [notice for notice, _ in taken("x").work] == [first, last]

    assert middle.deliveries.get().error == "overtaken by a newer update"


def test_on_an_account_a_first_post_that_comes_after_a_newer_one_is_dropped(
    make_notice: MakeNotice, x_account: Account
):
    first, last = make_notice(stage="first"), make_notice(stage="last")
    for each in (first, last):
        outbox.expand(each.pk)
    first.deliveries.update(queued_at=timezone.now() - timedelta(hours=2))
    last.deliveries.update(state="sent", sent_at=timezone.now())

    assert taken("x").work == []

    assert first.deliveries.get().error == "overtaken by a newer update"


def test_an_account_switched_off_after_the_fan_out_posts_nothing(notice: Notice, x_account: Account):
    outbox.expand(notice.pk)
    Account.objects.update(enabled=False)

    assert addresses(claim("x", 10)) == []

    assert notice.deliveries.get().error == "account switched off"


def test_nothing_is_claimed_for_a_paused_channel_until_a_probe_is_due(expanded: Notice):
    Pause.objects.begin("email", "the SMTP server does not answer")
    assert claim("email", 10) is None

    Pause.objects.update(probe_at=PAST)
    probe = taken()
    assert probe.is_probe
    assert len(addresses(probe)) == 4


def test_a_pause_grows_with_each_probe_that_fails(db: None):
    waits = []
    for _ in range(8):
        Pause.objects.begin("email", "no answer")
        waits.append(round((Pause.objects.get().probe_at - timezone.now()).total_seconds(), -1))

    assert waits == [10, 20, 40, 80, 160, 300, 300, 300]


def test_an_address_that_does_not_exist_is_never_written_to_again(expanded: Notice):
    batch = taken(size=1)
    (recipient,) = batch.recipients.values()

    record(batch, [SendResult(recipient.delivery_id, DeliveryError("550 5.1.1 no such user", gone=True))])

    assert expanded.deliveries.get(pk=recipient.delivery_id).state == "dead"
    assert Suppression.objects.covers("email", recipient.address)


def test_claiming_and_recording_cost_the_same_number_of_queries_for_any_size(
    notice: Notice, add_subscribers: AddSubscribers
):
    add_subscribers(300)
    outbox.expand(notice.pk)

    def queries(size: int) -> int:
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as captured:
            batch = taken(size=size)
            record(batch, [SendResult(pk) for pk in list(batch.recipients)])
        return len(captured)

    assert queries(10) == queries(200)
