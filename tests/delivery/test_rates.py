"""Limits on mails a second: to the server in all, and to each recipient domain; shared by all workers."""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.db.models import F
from pytest_django import Settings

from delivery.channels.email import Email
from delivery.ledger import outbox, rates
from delivery.ledger.sender import drain
from delivery.models import Bucket, Delivery, Notice
from tests.delivery.ledger import assert_ledger_balances

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers

SLOW, FREE = "slow.example", "free.example"


def expand(notice: Notice, add_subscribers: AddSubscribers, **domains: int) -> None:
    for domain, count in domains.items():
        for subscriber in add_subscribers(count):
            subscriber.address = f"{subscriber.pk}@{domain}.example"
            subscriber.save(update_fields=["address"])
    outbox.expand(notice.pk)


def states(notice: Notice, domain: str) -> Counter[str]:
    return Counter(notice.deliveries.filter(address__endswith=f"@{domain}").values_list("state", flat=True))


def time_passes(seconds: float) -> None:
    """Everything in the ledger happened that much earlier."""
    ago = timedelta(seconds=seconds)
    Delivery.objects.update(next_attempt_at=F("next_attempt_at") - ago)
    Bucket.objects.update(filled_at=F("filled_at") - ago, booked_until=F("booked_until") - ago)


def test_a_channel_sends_no_faster_than_its_rate(
    notice: Notice, add_subscribers: AddSubscribers, settings: Settings, mail_dir: object
):
    settings.EMAIL_RATE = 60
    expand(notice, add_subscribers, free=150)
    started = time.monotonic()

    counts, out_of_time = drain("email", 30)

    assert counts == {"sent": 150}
    assert not out_of_time
    assert time.monotonic() - started >= 1.4, "60 at once, then 90 at 60 a second"
    assert_ledger_balances(notice)


def test_a_channel_that_has_had_its_share_stops_when_its_time_is_up(
    notice: Notice, add_subscribers: AddSubscribers, settings: Settings, mail_dir: object
):
    settings.EMAIL_RATE = 1
    expand(notice, add_subscribers, free=5)
    started = time.monotonic()

    counts, out_of_time = drain("email", 0.5)

    assert counts == {"sent": 1}
    assert out_of_time
    assert time.monotonic() - started < 5
    assert set(notice.deliveries.values_list("state", "attempts")) == {("sent", 1), ("pending", 0)}


def test_a_slow_domain_delays_no_other_and_its_rows_are_spread_over_seconds(
    notice: Notice, add_subscribers: AddSubscribers, settings: Settings, mail_dir: object
):
    settings.EMAIL_DOMAIN_RATES = {SLOW: 10}
    expand(notice, add_subscribers, slow=45, free=30)

    drain("email", 20)

    assert states(notice, FREE) == {"sent": 30}
    first = states(notice, SLOW)
    assert 10 <= first["sent"] <= 20
    late = notice.deliveries.filter(state="pending")
    assert set(late.values_list("attempts", flat=True)) == {0}
    assert max(Counter(late.values_list("next_attempt_at", flat=True)).values()) <= 10
    assert_ledger_balances(notice)

    for _ in range(20):
        if not notice.deliveries.waiting().exists():
            break
        before = states(notice, SLOW)["sent"]
        time_passes(1)
        drain("email", 20)
        assert states(notice, SLOW)["sent"] - before <= 20
    assert states(notice, SLOW) == {"sent": 45}
    assert_ledger_balances(notice)


def test_every_other_domain_has_a_limit_of_its_own(
    notice: Notice, add_subscribers: AddSubscribers, settings: Settings, mail_dir: object
):
    settings.EMAIL_DOMAIN_RATES = {"*": 5, FREE: 1_000}
    expand(notice, add_subscribers, slow=8, other=4, free=20)

    drain("email", 20)

    assert states(notice, FREE) == {"sent": 20}
    assert states(notice, "other.example") == {"sent": 4}
    assert states(notice, SLOW)["pending"] >= 1


@pytest.mark.django_db(transaction=True)
def test_workers_share_one_bucket(settings: Settings):
    settings.EMAIL_RATE = 100
    granted, lock = [], threading.Lock()
    until = time.monotonic() + 1.0

    def work() -> None:
        try:
            while time.monotonic() < until:
                got = rates.take("email", Email, 7)
                with lock:
                    granted.append(got)
        finally:
            connection.close()

    started = time.monotonic()
    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    allowed = 100 * (time.monotonic() - started) + 100
    assert 150 <= sum(granted) <= allowed + 1


def test_what_was_not_used_goes_back(db: None, settings: Settings):
    settings.EMAIL_RATE = 10
    assert rates.take("email", Email, 10) == 10
    assert rates.take("email", Email, 10) == 0

    rates.give_back("email", Email, 6)

    assert 6 <= rates.take("email", Email, 10) <= 8


def test_no_limit_asks_the_database_nothing(db: None, django_assert_num_queries: object):
    with django_assert_num_queries(0):  # type: ignore[operator]
        assert rates.take("email", Email, 500) == 500
        rates.give_back("email", Email, 1)
        assert rates.take_shared("email", Email, []) == {}
