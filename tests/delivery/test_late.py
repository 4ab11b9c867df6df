"""Staff are warned of notifications that nobody takes up, not of a fan-out that takes its time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone

from delivery.contract import SendResult
from delivery.ledger import claims, outbox, recording
from delivery.models import Delivery, Pause
from delivery.overview import LATE_WARNING, late_warnings

if TYPE_CHECKING:
    from delivery.models import Account, Notice
    from tests.delivery.conftest import AddSubscribers

pytestmark = pytest.mark.django_db


@pytest.fixture
def backlog(notice: Notice, add_subscribers: AddSubscribers) -> Notice:
    """Due for two minutes."""
    add_subscribers(10)
    outbox.expand(notice.pk)
    long_ago = timezone.now() - timedelta(minutes=2)
    notice.deliveries.update(next_attempt_at=long_ago, queued_at=long_ago)
    return notice


def test_deliveries_that_no_worker_takes_are_late(backlog: Notice):
    assert late_warnings() == [LATE_WARNING]


def test_what_a_worker_is_at_is_not_late(backlog: Notice):
    assert claims.claim("email", 3)

    assert late_warnings() == []


def test_what_leaves_slowly_is_not_late_until_it_stops(backlog: Notice):
    batch = claims.claim("email", 3)
    assert batch
    recording.record(batch, [SendResult(pk) for pk in list(batch.recipients)])
    assert late_warnings() == []

    backlog.deliveries.filter(state="sent").update(sent_at=timezone.now() - timedelta(minutes=2))
    assert late_warnings() == [LATE_WARNING]


def test_a_worker_that_holds_on_beyond_its_lease_is_no_excuse(backlog: Notice):
    assert claims.claim("email", 3)
    Delivery.objects.filter(state="sending").update(lease_until=timezone.now() - timedelta(seconds=1))

    assert late_warnings() == [LATE_WARNING]


def expect_a_minute_from_the_probe_on(key: str) -> None:
    """Between the probe's time and the probe itself no worker is at it, however well all of them are."""
    assert late_warnings() == [LATE_WARNING]
    Pause.objects.begin(key, "no server")
    Pause.objects.update(probe_at=timezone.now() - timedelta(seconds=4))
    assert late_warnings() == []
    Pause.objects.update(probe_at=timezone.now() - timedelta(seconds=61))
    assert late_warnings() == [LATE_WARNING]


def test_a_paused_channel_is_not_late_when_its_probe_is_due(backlog: Notice):
    expect_a_minute_from_the_probe_on("email")


def test_a_paused_account_is_not_late_when_its_probe_is_due(backlog: Notice, x_account: Account):
    long_ago = timezone.now() - timedelta(minutes=2)
    backlog.deliveries.all().delete()
    Delivery.objects.create(
        notice=backlog, channel="x", address=x_account.address, account=x_account, next_attempt_at=long_ago
    )
    Delivery.objects.update(queued_at=long_ago)
    expect_a_minute_from_the_probe_on(x_account.address)
