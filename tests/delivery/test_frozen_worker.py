"""A worker that hangs with a transaction open keeps PostgreSQL's locks. Nobody else may hang with it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from django.db import connection, transaction

from delivery.ledger import outbox
from delivery.ledger.claims import claim
from delivery.ledger.recording import release_expired
from delivery.models import Delivery, Notice

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers


@pytest.mark.django_db(transaction=True)
def test_rows_that_a_hanging_worker_has_locked_are_stepped_over(notice: Notice, add_subscribers: AddSubscribers):
    if connection.vendor == "sqlite":
        pytest.skip("SQLite locks no rows")
    add_subscribers(4)
    outbox.expand(notice.pk)
    assert claim("email", 10)
    notice.deliveries.update(lease_until=datetime(2020, 1, 1, tzinfo=UTC))
    is_locked, may_end = threading.Event(), threading.Event()

    def hang() -> None:
        with transaction.atomic():
            Delivery.objects.filter(address="person0001@example.com").update(error="half-way")
            is_locked.set()
            may_end.wait(5)
        connection.close()

    hanging = threading.Thread(target=hang)
    hanging.start()
    is_locked.wait(5)
    released = release_expired()
    may_end.set()
    hanging.join(10)

    assert released == 3
    assert release_expired() == 1


def test_a_transaction_that_hangs_loses_its_locks_before_its_deliveries_are_due_again(db: None):
    if connection.vendor == "sqlite":
        pytest.skip("a lock on SQLite ends with its process, and is waited for at most as long as its time-out says")
    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("1min",)
