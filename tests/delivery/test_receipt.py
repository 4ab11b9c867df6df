from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from delivery import receipt
from delivery.ledger import outbox
from delivery.models import Account, Delivery, Notice, Pause
from delivery.receipt import ChannelReceipt, build_receipt
from tests.delivery.ledger import assert_ledger_balances, retally

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers

State = Delivery.State


def email_row(notice: Notice) -> ChannelReceipt:
    notice.refresh_from_db()
    return next(each for each in build_receipt(notice).channels if each.channel == "email")


def move(notice: Notice, number: int, state: State, **columns: object) -> None:
    """Put one person's row into a state."""
    times = {State.SENT: {"sent_at": timezone.now()}, State.SENDING: {"lease_until": timezone.now()}}
    row = notice.deliveries.filter(address=f"person{number:04}@example.com")
    assert row.update(state=state, **times.get(state, {}), **columns) == 1
    retally()


def test_every_recipient_is_counted_in_one_place(notice: Notice, add_subscribers: AddSubscribers):
    add_subscribers(7)
    outbox.expand(notice.pk)
    for number, state in enumerate(State, start=1):
        move(notice, number, state)

    row = email_row(notice)

    counts = (row.expected, row.sent, row.suppressed, row.dead, row.unknown, row.pending, row.failed)
    assert counts == (7, 1, 1, 1, 1, 3, 2)
    assert_ledger_balances(notice)
    totals = build_receipt(notice)
    assert (totals.expected, totals.sent, totals.pending, totals.failed) == (7, 1, 3, 2)
    assert not totals.is_finished


def test_rows_that_came_after_the_notice_was_read_are_counted(notice: Notice, add_subscribers: AddSubscribers):
    add_subscribers(3)
    outbox.expand(notice.pk)

    totals = build_receipt(notice)  # this one still says that nobody is expected

    assert (totals.expected, totals.pending) == (3, 3)
    assert [(share.kind, share.start, share.width) for share in totals.shares] == [("pending", "0.000", "100.000")]


def test_lag_is_counted_from_the_post_to_the_hand_over(notice: Notice, add_subscribers: AddSubscribers):
    posted = timezone.now() - timedelta(hours=1)
    Notice.objects.update(created_at=posted)
    add_subscribers(100)
    outbox.expand(notice.pk)
    for number in range(1, 101):
        notice.deliveries.filter(address=f"person{number:04}@example.com").update(
            state=State.SENT, sent_at=posted + timedelta(seconds=number)
        )
    retally()

    row = email_row(notice)

    assert row.lag_p50_seconds == pytest.approx(51, abs=1)
    assert row.lag_p95_seconds == pytest.approx(96, abs=1)
    assert row.lag_max_seconds == pytest.approx(100, abs=0.1)
    assert build_receipt(notice).is_finished


def test_a_lag_is_never_negative(notice: Notice, add_subscribers: AddSubscribers):
    add_subscribers(1)
    outbox.expand(notice.pk)
    Notice.objects.update(created_at=timezone.now() + timedelta(hours=1))
    move(notice, 1, State.SENT)

    assert email_row(notice).lag_max_seconds == 0.0


def test_reasons_are_counted_most_frequent_first(notice: Notice, add_subscribers: AddSubscribers):
    add_subscribers(5)
    outbox.expand(notice.pk)
    for number, error in enumerate(("full", "gone", "full", "greylisted", "late"), start=1):
        move(notice, number, State.DEAD if error == "full" else State.PENDING, error=error, attempts=1)
    move(notice, 5, State.SENT)

    row = email_row(notice)

    assert row.errors == [("full", 2), ("gone", 1), ("greylisted", 1)]
    assert row.retrying == 2
    assert row.oldest_waiting_seconds is not None
    assert 0 <= row.oldest_waiting_seconds < 60


def test_staff_see_why_a_channel_or_an_account_is_paused(
    notice: Notice, add_subscribers: AddSubscribers, x_account: Account
):
    add_subscribers(1)
    outbox.expand(notice.pk)
    Pause.objects.begin("email", "the SMTP server does not answer")
    Pause.objects.begin(x_account.address, "X's credits are used up (402)")
    Pause.objects.begin("account:999", "somebody else's")
    notice.refresh_from_db()

    assert {each.label: each.paused for each in build_receipt(notice).channels} == {
        "E-mail": "the SMTP server does not answer",
        "X": "X's credits are used up (402)",
    }


def test_a_notice_that_no_worker_expands_says_so(notice: Notice):
    assert build_receipt(notice).notes == []

    notice.created_at = timezone.now() - timedelta(seconds=6)

    (note,) = build_receipt(notice).notes
    assert note.startswith("Notifications are waiting")
    assert "manage.py deliver" in note


def test_it_says_when_mail_goes_to_files(notice: Notice, add_subscribers: AddSubscribers, mail_dir: Path):
    add_subscribers(1)
    outbox.expand(notice.pk)

    assert email_row(notice).where == "Written to files, which reach nobody: no mail server is set up (EMAIL_URL)."


def test_a_notice_without_recipients_is_finished(notice: Notice):
    outbox.expand(notice.pk)
    notice.refresh_from_db()

    told = build_receipt(notice)
    assert (told.channels, told.expected, told.is_finished) == ([], 0, True)


def test_trying_again_takes_what_failed_and_nothing_else(
    notice: Notice, add_subscribers: AddSubscribers, monkeypatch: pytest.MonkeyPatch
):
    woken: list[tuple[object, ...]] = []
    add_subscribers(6)
    outbox.expand(notice.pk)
    for number, state in enumerate(State, start=1):
        move(notice, number, state, attempts=8)
    retally()
    notice.deliveries.update(queued_at=datetime(2020, 1, 1, tzinfo=UTC))
    Pause.objects.begin("email", "no server")
    monkeypatch.setattr(outbox, "wake_on_commit", lambda *args: woken.append(args))

    assert receipt.retry_failed(notice, "email") == 2

    retried = notice.deliveries.filter(attempts=0)
    assert [row.address[6:10] for row in retried.order_by("address")] == ["0005", "0006"]
    assert {row.state for row in retried} == {State.PENDING}
    assert all(timezone.now() - row.queued_at < timedelta(minutes=1) for row in retried), "age starts anew"
    assert Pause.objects.closed().count() == 0, "a paused channel is tried at once"
    assert woken == [("delivery.tasks.send", "email")]
    assert receipt.retry_failed(notice, "email") == 0
    assert_ledger_balances(notice)


def test_a_receipt_costs_a_few_queries_whatever_it_counts(
    notice: Notice, add_subscribers: AddSubscribers, django_assert_max_num_queries: DjangoAssertNumQueries
):
    add_subscribers(50)
    outbox.expand(notice.pk)
    notice.deliveries.update(state=State.SENT, sent_at=timezone.now())
    retally()
    notice.refresh_from_db()

    with django_assert_max_num_queries(5):
        build_receipt(notice)
