"""Notices keep their tallies, old ones nothing else; at no moment does a receipt lose anybody."""

from __future__ import annotations

from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from delivery.contract import SendResult
from delivery.ledger import compaction, outbox, retention
from delivery.ledger.claims import claim
from delivery.ledger.counting import count_channels
from delivery.ledger.recording import record
from delivery.models import Account, Delivery, Notice
from delivery.overview import recent_notices
from delivery.receipt import PRUNED, Receipt, build_receipt, retry_failed
from tests.delivery.ledger import retally

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers, MakeNotice

State = Delivery.State
LONG_AGO = timedelta(days=100)


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention.time, "sleep", lambda seconds: None)


def finish(notice: Notice, *, age: timedelta = timedelta(0)) -> Notice:
    """Expand it and end every delivery, each state once; the rest is sent. It was posted `age` ago."""
    outbox.expand(notice.pk)
    posted = timezone.now() - age
    Notice.objects.filter(pk=notice.pk).update(created_at=posted)
    notice.deliveries.update(state=State.SENT, sent_at=posted + timedelta(seconds=7))
    ends = ((State.SUPPRESSED, "unsubscribed"), (State.DEAD, "550 no"), (State.UNKNOWN, "lost"))
    for pk, (state, error) in zip(notice.deliveries.order_by("-pk").values_list("pk", flat=True), ends, strict=False):
        Delivery.objects.filter(pk=pk).update(state=state, error=error, sent_at=None, ambiguous=state == State.UNKNOWN)
    retally()
    notice.refresh_from_db()
    return notice


def send_all() -> None:
    while batch := claim("email", 50):
        record(batch, [SendResult(pk) for pk in list(batch.recipients)])


def tidy() -> dict[str, int]:
    return retention.tidy(60)


def fresh(notice: Notice) -> Receipt:
    return build_receipt(Notice.objects.get(pk=notice.pk))


def balances(receipt: Receipt) -> bool:
    settled = receipt.sent + receipt.suppressed + receipt.dead + receipt.unknown
    return receipt.expected == settled + receipt.pending


def test_a_receipt_is_the_same_word_for_word_after_compaction(
    notice: Notice, add_subscribers: AddSubscribers, x_account: Account, page, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(compaction, "MOST_LOOSE", 3)
    Account.objects.create(page=page, channel="x", name="@nobody")
    add_subscribers(20)
    finish(notice)
    notice.deliveries.filter(account__name="@nobody").update(
        state=State.SUPPRESSED, error=outbox.NOT_CONNECTED, sent_at=None
    )
    retally()
    counted = fresh(notice)

    assert tidy() == {"compacted": 1, "pruned": 0, "deleted": 0}

    assert fresh(notice) == counted
    assert counted.is_finished
    assert counted.channels[1].unconnected
    assert tidy()["compacted"] == 0
    assert notice.deliveries.count() == 22


def test_what_waits_or_is_being_listed_is_not_pruned(make_notice: MakeNotice, add_subscribers: AddSubscribers):
    add_subscribers(4)
    unlisted, waiting, held = make_notice(), make_notice(), make_notice()
    for each in (unlisted, waiting, held):
        finish(each, age=LONG_AGO)
    waiting.deliveries.filter(state=State.SENT).update(state=State.PENDING)
    held.deliveries.filter(state=State.DEAD).update(state=State.SENDING, lease_until=timezone.now())
    Notice.objects.filter(pk=unlisted.pk).update(expanded_at=None)
    retally()

    assert tidy()["pruned"] == 0
    assert not any(retention.mark_pruned(each.pk) for each in (unlisted, waiting, held))
    assert not Notice.objects.exclude(pruned_at=None).exists()


def test_a_notice_of_which_rows_are_missing_is_never_pruned(
    notice: Notice, add_subscribers: AddSubscribers, caplog: pytest.LogCaptureFixture
):
    add_subscribers(5)
    finish(notice, age=LONG_AGO)
    notice.deliveries.filter(state=State.SUPPRESSED).delete()

    assert tidy() == {"compacted": 0, "pruned": 0, "deleted": 0}
    assert "deliveries=1" in caplog.text
    assert fresh(notice).expected == 5
    assert tidy()["pruned"] == 0
    assert caplog.text.count("deliveries=1") == 1, "nor is it counted again twice a minute"


def test_a_notice_that_nobody_asked_for_is_pruned(notice: Notice):
    finish(notice, age=LONG_AGO)

    assert tidy() == {"compacted": 0, "pruned": 1, "deleted": 0}
    receipt = fresh(notice)
    assert (receipt.expected, receipt.channels, receipt.is_finished) == (0, [], True)


def test_staff_may_try_again_until_a_notice_is_pruned(notice: Notice, add_subscribers: AddSubscribers):
    add_subscribers(4)
    finish(notice)
    tidy()

    assert retry_failed(notice, "email") == 2

    receipt = fresh(notice)
    assert (receipt.pending, receipt.failed, receipt.is_finished) == (2, 0, False)
    assert balances(receipt)
    send_all()
    assert (fresh(notice).sent, fresh(notice).suppressed) == (3, 1)


def test_an_old_notice_becomes_its_counts(notice: Notice, add_subscribers: AddSubscribers, x_account: Account):
    add_subscribers(20)
    finish(notice, age=LONG_AGO)
    counted = fresh(notice)

    assert tidy() == {"compacted": 0, "pruned": 1, "deleted": 20}

    kept = fresh(notice)
    assert [vars(each) | {"retryable": 0} for each in counted.channels] == [vars(each) for each in kept.channels]
    assert (kept.expected, kept.sent, kept.failed, kept.suppressed) == (21, 18, 2, 1)
    assert kept.notes == [PRUNED]
    assert kept.is_finished
    assert tidy() == {"compacted": 0, "pruned": 0, "deleted": 0}
    assert Notice.objects.get().emptied_at


def test_deliveries_of_a_pruned_notice_cannot_be_retried(notice: Notice, add_subscribers: AddSubscribers):
    add_subscribers(5)
    finish(notice, age=LONG_AGO)
    retention.mark_pruned(notice.pk)  # and no row is deleted yet

    assert retry_failed(notice, "email") == 0
    assert outbox.requeue(Delivery.objects.all()) == 0

    receipt = fresh(notice)
    assert (receipt.pending, receipt.failed) == (0, 2)
    assert [each.retryable for each in receipt.channels] == [0]


def test_what_accounts_posted_stays(
    make_notice: MakeNotice, notice: Notice, add_subscribers: AddSubscribers, x_account: Account
):
    """Later posts of the incident reply to the first one, however long ago that was."""
    add_subscribers(3)
    finish(notice, age=LONG_AGO)
    notice.deliveries.filter(account=x_account).update(remote={"id": "1234"}, state=State.SENT, sent_at=timezone.now())
    gone = Account.objects.create(page=notice.page, channel="x", name="@gone")
    Delivery.objects.create(
        notice=notice, channel="x", address=gone.address, account=gone, state=State.SENT, sent_at=timezone.now()
    )
    retally()
    address = gone.address
    gone.delete()

    assert tidy()["deleted"] == 3

    assert Delivery.objects.first_post(x_account, make_notice().thread) == {"id": "1234"}
    assert set(notice.deliveries.values_list("address", flat=True)) == {x_account.address, address}


@pytest.mark.parametrize(("days", "deleted"), [(90, 0), (0, 0), (89, 3)])
def test_age_and_setting_decide(
    notice: Notice, add_subscribers: AddSubscribers, settings: Settings, days: int, deleted: int
):
    settings.DELIVERY_RETENTION_DAYS = days
    add_subscribers(3)
    finish(notice, age=timedelta(days=89, hours=12))

    assert tidy()["deleted"] == deleted


def test_of_a_thread_the_oldest_goes_first(make_notice: MakeNotice, add_subscribers: AddSubscribers):
    """Someone told the first update late is spared it when the second one got there: that row must still be here."""
    add_subscribers(3)
    first, second, other = make_notice(), make_notice(), make_notice(thread="incident0002")
    for each in (first, second, other):
        finish(each, age=LONG_AGO)
    later = timezone.now() + timedelta(hours=1)
    first.deliveries.filter(state=State.DEAD).update(state=State.PENDING, next_attempt_at=later)
    retally()

    assert tidy()["deleted"] == 3
    assert [each.deliveries.count() for each in (first, second, other)] == [3, 3, 0]

    first.deliveries.waiting().update(state=State.DEAD)
    retally()
    tidy()
    tidy()
    assert [each.deliveries.count() for each in (first, second, other)] == [0, 0, 0]


def test_nothing_is_deleted_while_somebody_waits_to_be_told(
    make_notice: MakeNotice, notice: Notice, add_subscribers: AddSubscribers
):
    add_subscribers(3)
    finish(notice, age=LONG_AGO)
    news = make_notice(thread="incident0002")

    assert tidy() == {"compacted": 0, "pruned": 1, "deleted": 0}, "recipients are to be listed"
    outbox.expand(news.pk)
    assert tidy()["deleted"] == 0, "three wait"
    assert balances(fresh(notice))
    finish(news)
    assert tidy()["deleted"] == 3


def test_time_that_runs_out_leaves_a_receipt_that_balances(
    notice: Notice, add_subscribers: AddSubscribers, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(retention, "CHUNK", 2)
    add_subscribers(9)
    finish(notice, age=LONG_AGO)
    before = fresh(notice)
    retention.mark_pruned(notice.pk)

    for left in (7, 5, 3, 1, 0):
        assert retention._delete_chunk(notice.pk) == (2 if left else 1)
        assert notice.deliveries.count() == left
        after = fresh(notice)
        assert (after.expected, after.sent, after.failed) == (before.expected, before.sent, before.failed)
        assert recent_notices(1)[0].summary == "6 of 9 written to files, 2 failed, 1 not sent on purpose"
    assert retention.delete_rows(notice.pk, monotonic() + 9) == 0


def test_a_receipt_begun_before_the_pruning_loses_nobody(
    notice: Notice, add_subscribers: AddSubscribers, monkeypatch: pytest.MonkeyPatch
):
    """The notice was read as one that still moves; then it is pruned and half emptied under the reader."""
    monkeypatch.setattr(retention, "CHUNK", 4)
    add_subscribers(9)
    stale = finish(notice, age=LONG_AGO)
    retention.mark_pruned(notice.pk)
    retention._delete_chunk(notice.pk)

    assert stale.pruned_at is None
    receipt = build_receipt(stale)
    assert (receipt.expected, receipt.sent, receipt.failed) == (9, 6, 2)
    assert balances(receipt)
    (line,) = count_channels([stale])[stale.pk]
    assert (line.expected, line.sent, line.failed) == (9, 6, 2)


def test_finished_receipts_cost_the_overview_two_queries(
    make_notice: MakeNotice, add_subscribers: AddSubscribers, django_assert_num_queries: DjangoAssertNumQueries
):
    add_subscribers(4)
    for number in range(3):
        finish(make_notice(thread=f"incident000{number}"), age=LONG_AGO)
    counted = [told.summary for told in recent_notices(3)]
    tidy()

    with django_assert_num_queries(2):
        assert [told.summary for told in recent_notices(3)] == counted
