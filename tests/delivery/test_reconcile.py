"""Each receipt is compared with the deliveries once a day; staff and monitoring hear of it when they differ."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from delivery.contract import DeliveryError, SendResult
from delivery.ledger import outbox
from delivery.ledger.claims import claim
from delivery.ledger.reconcile import CHECKED_EVERY, check, differences, reconcile
from delivery.ledger.recording import record
from delivery.models import Delivery, Notice, Tally
from delivery.overview import delivery_warnings
from delivery.receipt import build_receipt
from delivery.tasks import check_receipts
from tests.delivery.ledger import assert_ledger_balances

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers, MakeNotice

BEFORE = timezone.now() - timedelta(days=2)


@pytest.fixture
def told(notice: Notice, add_subscribers: AddSubscribers) -> Notice:
    """Ten people: six are sent, two refused, two wait, of whom one is tried again."""
    add_subscribers(10)
    outbox.expand(notice.pk)
    batch = claim("email", 9)
    assert batch
    errors = [None] * 6 + [DeliveryError("550 no", permanent=True)] * 2 + [DeliveryError("450 later", ambiguous=True)]
    record(batch, [SendResult(pk, error) for pk, error in zip(list(batch.recipients), errors, strict=True)])
    return notice


def wrong_by(notice: Notice) -> int:
    notice.refresh_from_db()
    return notice.miscounted


def test_a_receipt_that_is_right_is_noted_as_such(told: Notice):
    assert reconcile(60) == (0, False)
    assert wrong_by(told) == 0
    assert told.checked_at
    assert not [each for each in delivery_warnings([]) if "disagrees" in each]


@pytest.mark.parametrize(
    ("falsify", "size"),
    [
        (lambda rows: rows.filter(state="sent")[:1].get().delete(), 1),
        (lambda rows: rows.filter(state="pending", attempts=0).delete(), 1),
        (lambda rows: rows.filter(state="sent").update(state="suppressed"), 6),
        (lambda rows: rows.filter(state="dead").update(error="another"), 2),
        (lambda rows: rows.update(ambiguous=True), 9),
        (lambda rows: rows.filter(state="sent").update(bounced_at=BEFORE), 6),
        (lambda rows: rows.filter(state="pending").update(attempts=3), 1),
        (lambda rows: Tally.objects.filter(outcome="sent").delete(), 6),
        (lambda rows: Tally.objects.all().delete(), 10),
    ],
    ids=["sent missing", "waiting missing", "moved", "reason", "marks", "bounced", "tried", "a tally", "all tallies"],
)
def test_a_difference_is_found_shown_and_repaired(told: Notice, falsify, size: int, caplog: pytest.LogCaptureFixture):
    falsify(told.deliveries)

    assert not check(told.pk)
    assert wrong_by(told) == size
    assert f"deliveries={size}" in caplog.text
    (warning,) = [each for each in delivery_warnings([]) if "disagrees" in each]
    assert f"“{told}” disagrees with its deliveries ({size} of them)" in warning

    assert not check(told.pk, repair=True)

    assert wrong_by(told) == 0
    assert_ledger_balances(told)
    assert not [each for each in delivery_warnings([]) if "disagrees" in each]
    assert check(told.pk)


def test_staff_read_of_it_on_the_overview(admin_client: Client, told: Notice):
    Delivery.objects.filter(state="sent")[:1].get().delete()
    check_receipts()

    assert "“manage.py reconcile --repair” corrects it" in admin_client.get("/staff/").text


def test_each_is_compared_once_a_day_and_pruned_ones_never(told: Notice, make_notice: MakeNotice):
    pruned = make_notice(thread="incident0002", pruned_at=timezone.now())
    assert reconcile(60) == (0, False)
    pruned.refresh_from_db()
    assert pruned.checked_at is None
    Delivery.objects.filter(state="sent")[:1].get().delete()

    assert reconcile(60) == (0, False), "it was compared a moment ago"
    Notice.objects.filter(pk=told.pk).update(checked_at=timezone.now() - CHECKED_EVERY)
    assert reconcile(60) == (1, False)


def test_a_run_that_is_out_of_time_says_so_and_the_next_goes_on(told: Notice, monkeypatch: pytest.MonkeyPatch):
    woken: list[str] = []
    monkeypatch.setattr("delivery.tasks.wake_worker", woken.append)
    monkeypatch.setattr("delivery.tasks.TIDY_SECONDS", 0.0)
    check_receipts()
    assert woken == ["delivery.tasks.check_receipts"]

    monkeypatch.setattr("delivery.tasks.TIDY_SECONDS", 5.0)
    check_receipts()
    assert woken == ["delivery.tasks.check_receipts"]
    assert reconcile(0) == (0, False)


def test_the_command_compares_everything_and_repairs_when_asked(told: Notice):
    said = StringIO()
    call_command("reconcile", stdout=said)
    assert said.getvalue() == "1 receipts were compared with their deliveries; 0 were corrected.\n"

    Tally.objects.filter(outcome="dead").delete()
    with pytest.raises(CommandError, match="1 of 1 receipts are wrong"):
        call_command("reconcile")
    call_command("reconcile", "--repair", stdout=said)

    assert said.getvalue().endswith("1 were corrected.\n")
    assert (build_receipt(told).dead, differences(told.pk)) == (2, {})
