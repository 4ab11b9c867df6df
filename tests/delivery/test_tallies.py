"""Moves append what receipts are sums of: a few tallies for each batch, which compaction and staff never falsify."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import transaction
from django.utils import timezone

from delivery.channels.email import Email
from delivery.contract import DeliveryError, SendResult
from delivery.ledger import compaction, outbox
from delivery.ledger.claims import claim
from delivery.ledger.compaction import BUCKET_RATIO, SHORTEST_SECONDS, bucket
from delivery.ledger.recording import record, release, release_expired
from delivery.models import Delivery, Notice, Tally
from delivery.receipt import ChannelReceipt, build_receipt, retry_failed
from tests.delivery.ledger import assert_ledger_balances, retally

if TYPE_CHECKING:
    from pytest_django import Settings

    from tests.delivery.conftest import AddSubscribers, MakeNotice

REFUSED = DeliveryError("550 no", permanent=True)
LATER = DeliveryError("450 later")
PAUSED = DeliveryError("535 sign-in refused", pause=True)
SILENCE = DeliveryError("no answer", ambiguous=True)


@pytest.fixture
def six(notice: Notice, add_subscribers: AddSubscribers) -> Notice:
    add_subscribers(6)
    outbox.expand(notice.pk)
    return notice


def turn(*errors: DeliveryError | None) -> None:
    """One claim of as many rows, and what became of each; whatever waits is due again."""
    Delivery.objects.pending().update(next_attempt_at=timezone.now() - timedelta(hours=1))
    batch = claim("email", len(errors))
    assert batch
    record(batch, [SendResult(pk, error) for pk, error in zip(list(batch.recipients), errors, strict=True)])


def tallied() -> dict[tuple[str, str], int]:
    """The sums, by outcome and reason."""
    found: dict[tuple[str, str], int] = {}
    for outcome, reason, count in Tally.objects.values_list("outcome", "reason", "count"):
        found[outcome, reason] = found.get((outcome, reason), 0) + count
    return {key: count for key, count in found.items() if count}


def line(notice: Notice) -> ChannelReceipt:
    return build_receipt(notice).channels[0]


def test_a_batch_that_is_sent_costs_one_tally(six: Notice):
    turn(None, None, None, None)

    assert list(Tally.objects.order_by("pk").values_list("outcome", "count", "is_timed")) == [
        ("expected", 6, False),
        ("sent", 4, True),
    ]


@pytest.mark.parametrize(
    ("turns", "sums"),
    [
        # one row, and what each attempt ended with
        ([None], {("sent", ""): 1}),
        ([REFUSED], {("dead", "550 no"): 1}),
        ([LATER], {("troubled", "450 later"): 1, ("retrying", ""): 1}),
        ([LATER, LATER], {("troubled", "450 later"): 1, ("retrying", ""): 1}),
        ([LATER, REFUSED], {("dead", "550 no"): 1}),
        ([LATER, None], {("sent", ""): 1}),
        ([PAUSED], {("troubled", "535 sign-in refused"): 1}),
        ([PAUSED, None], {("sent", ""): 1}),
        ([LATER, PAUSED], {("troubled", "535 sign-in refused"): 1, ("retrying", ""): 1}),
        ([SILENCE], {("troubled", "no answer"): 1, ("retrying", ""): 1, ("ambiguous", ""): 1}),
        ([SILENCE, SILENCE], {("troubled", "no answer"): 1, ("retrying", ""): 1, ("ambiguous", ""): 1}),
        ([SILENCE, None], {("sent", ""): 1, ("ambiguous", ""): 1}),
    ],
)
def test_what_a_row_went_through_counts_once(
    notice: Notice,
    add_subscribers: AddSubscribers,
    settings: Settings,
    turns: list[DeliveryError | None],
    sums: dict[tuple[str, str], int],
):
    settings.MAIL_DIR = None
    add_subscribers(1)
    outbox.expand(notice.pk)
    for error in turns:
        turn(error)

    assert tallied() == {("expected", ""): 1} | sums
    assert_ledger_balances(notice)


def test_claiming_and_giving_back_tally_nothing(six: Notice):
    turn(LATER, None)
    before = tallied()

    batch = claim("email", 5)
    assert batch
    assert tallied() == before
    release(batch, list(batch.recipients))

    assert tallied() == before
    assert_ledger_balances(six)


def test_rows_of_a_lost_worker_are_tallied_under_their_new_state(six: Notice):
    Delivery.objects.filter(address__startswith="person0001").update(attempts=Email.max_attempts - 1)
    # Of rows that are due alike any five might be claimed; the one meant here must be among them.
    Delivery.objects.filter(address__startswith="person0005").update(
        next_attempt_at=timezone.now() + timedelta(hours=1)
    )
    retally()
    late = claim("email", 5)
    assert late
    Delivery.objects.filter(state="sending").update(lease_until=timezone.now() - timedelta(seconds=1))

    assert release_expired() == 5
    record(late, [SendResult(pk) for pk in list(late.recipients)])

    receipt = line(six)
    assert (receipt.unknown, receipt.pending, receipt.retrying, receipt.possible_duplicates) == (1, 5, 4, 5)
    assert receipt.sent == 0, "who comes back late changes nothing and tallies nothing"
    assert_ledger_balances(six)


def test_what_is_rolled_back_is_not_tallied(six: Notice):
    before = tallied()
    with pytest.raises(RuntimeError), transaction.atomic():
        turn(None, REFUSED)
        raise RuntimeError

    assert tallied() == before
    assert_ledger_balances(six)


def test_cancelling_removes_the_tallies_of_waiting_rows(six: Notice):
    turn(None, LATER, SILENCE)

    assert outbox.cancel(six) == 5

    receipt = line(six)
    assert (receipt.sent, receipt.suppressed, receipt.retrying, receipt.possible_duplicates) == (1, 5, 0, 1)
    assert (receipt.errors, receipt.spared) == ([], [("cancelled by staff", 5)])
    assert_ledger_balances(six)


def test_mail_that_went_to_files_stays_so_when_a_server_is_configured_later(
    six: Notice, settings: Settings, mail_dir: object
):
    turn(None, None)
    where = line(six).where
    settings.MAIL_DIR = None
    turn(None)

    receipt = line(six)
    assert (receipt.sent, receipt.diverted, receipt.where) == (3, 2, where)
    assert where.startswith("Written to files")


# Staff try again


def later(seconds: float) -> None:
    """As if all so far had been so much earlier."""
    earlier = timedelta(seconds=seconds)
    for tally in Tally.objects.all():
        Tally.objects.filter(pk=tally.pk).update(created_at=tally.created_at - earlier)
    for notice in Notice.objects.all():
        Notice.objects.filter(pk=notice.pk).update(created_at=notice.created_at - earlier)


def test_what_staff_try_again_days_later_does_not_change_the_lags(six: Notice):
    turn(None, None, None, None, REFUSED, REFUSED)
    later(86_400)
    six.refresh_from_db()
    before = line(six)
    assert retry_failed(six, "email") == 2
    turn(None, None)

    after = line(six)

    assert (after.sent, after.dead) == (6, 0)
    for name in ("lag_p50_seconds", "lag_p95_seconds", "lag_max_seconds"):
        assert getattr(after, name) == getattr(before, name) < 60


@pytest.mark.parametrize("is_compacted", [False, True])
def test_what_staff_put_back_waits_since_then(six: Notice, is_compacted: bool):
    turn(None, None, None, None, REFUSED, REFUSED)
    assert line(six).oldest_waiting_seconds is None
    later(86_400)
    retry_failed(six, "email")
    later(600)
    assert not is_compacted or compaction.compact(six.pk)

    assert line(six).oldest_waiting_seconds == pytest.approx(600, abs=60)


def test_a_mail_that_is_sent_again_is_sent_once_in_the_receipt(six: Notice):
    turn(None, None)
    assert outbox.requeue(Delivery.objects.filter(state="sent"), also_sent=True) == 2
    assert (line(six).sent, line(six).pending) == (0, 6)
    turn(None, None)

    assert line(six).sent == 2
    assert_ledger_balances(six)


# Compaction


def test_a_lag_is_at_most_a_bucket_above_the_one_before():
    edges = [SHORTEST_SECONDS * BUCKET_RATIO**number for number in range(150)]
    assert [bucket(edge * 0.999) for edge in edges] == list(range(150))
    assert bucket(-5) == bucket(0) == 0
    assert edges[-1] > 86_400, "a day takes fewer than 150 buckets"


@pytest.mark.parametrize("seconds_each", [0.001, 0.5, 7.0])
def test_compaction_tells_percentiles_at_most_a_tenth_too_long(
    notice: Notice, add_subscribers: AddSubscribers, seconds_each: float
):
    people = 300
    add_subscribers(people)
    outbox.expand(notice.pk)
    notice.deliveries.update(state="sent", sent_at=timezone.now())
    for number, pk in enumerate(notice.deliveries.values_list("pk", flat=True), start=1):
        sent_at = notice.created_at + timedelta(seconds=seconds_each * number)
        Delivery.objects.filter(pk=pk).update(sent_at=sent_at)
    retally()
    exact = line(notice)

    assert compaction.compact(notice.pk)

    kept = line(notice)
    assert Tally.objects.count() <= 1 + bucket(seconds_each * people) + 1
    assert kept.lag_max_seconds == exact.lag_max_seconds
    for name in ("lag_p50_seconds", "lag_p95_seconds"):
        now, before = getattr(kept, name), getattr(exact, name)
        assert before <= now <= max(before * BUCKET_RATIO, before + SHORTEST_SECONDS)
    assert kept.sent == people


@pytest.mark.parametrize(
    "then",
    [
        lambda: turn(None, REFUSED),
        lambda: turn(LATER, None),
        lambda: outbox.cancel(Notice.objects.get()),
        lambda: retry_failed(Notice.objects.get(), "email"),
    ],
    ids=["sent and refused", "later", "cancelled", "tried again"],
)
def test_compaction_falsifies_nothing_that_comes_later(six: Notice, then: Callable[[], object]):
    turn(None, REFUSED, LATER)
    compaction.compact(six.pk)
    assert_ledger_balances(six)
    then()
    assert_ledger_balances(six)
    compaction.compact(six.pk)
    assert_ledger_balances(six)
    assert not Tally.objects.filter(count=0).exists()


def test_only_what_has_become_long_is_compacted(make_notice: MakeNotice, six: Notice, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compaction, "MOST_LOOSE", 3)
    outbox.expand(make_notice(thread="incident0002").pk)
    for _ in range(4):
        turn(None)

    assert compaction.compact_all() == 1
    assert compaction.compact_all() == 0
