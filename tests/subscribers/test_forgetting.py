from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command

from pages.models import Page
from subscribers import tasks
from subscribers.forgetting import address_forgotten, forget, prune
from subscribers.models import Confirmation, Subscriber

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
DAY = timedelta(days=1)


def test_requests_nobody_confirmed_and_people_who_left_are_pruned(page: Page) -> None:
    def add(address: str, **fields: object) -> Subscriber:
        return page.subscribers.create(address=address, **fields)

    add("old@example.com", created_at=NOW - 8 * DAY)
    add("young@example.com", created_at=NOW - 6 * DAY)
    again = add("again@example.com", created_at=NOW - 80 * DAY)
    add("active@example.com", created_at=NOW - 800 * DAY, state="active")
    add("left@example.com", state="unsubscribed", unsubscribed_at=NOW - 31 * DAY)
    add("leaving@example.com", state="unsubscribed", unsubscribed_at=NOW - 29 * DAY)
    Confirmation.objects.create(subscriber=again, address_hash="a", requested_at=NOW - DAY)
    Confirmation.objects.create(subscriber=again, address_hash="b", requested_at=NOW - 8 * DAY)

    assert prune(NOW) == {"pending": 1, "left": 1, "confirmations": 1}
    kept = {"young@example.com", "again@example.com", "active@example.com", "leaving@example.com"}
    assert set(page.subscribers.values_list("address", flat=True)) == kept
    assert prune(NOW) == {"pending": 0, "left": 0, "confirmations": 0}


def test_pruning_runs_as_a_task_and_by_hand(page: Page, capsys: pytest.CaptureFixture[str]) -> None:
    old = datetime.now(UTC) - 8 * DAY
    page.subscribers.create(address="one@example.com", created_at=old)
    tasks.prune.apply(throw=True)
    assert tasks.prune.name == "subscribers.tasks.prune"
    assert not page.subscribers.exists()
    page.subscribers.create(address="two@example.com", created_at=old)
    call_command("prune_subscribers")
    assert "pending: 1, left: 0, confirmations: 0" in capsys.readouterr().out


def test_other_apps_erase_the_address_in_the_same_transaction(subscriber: Subscriber) -> None:
    told: list[tuple[object, ...]] = []

    def take_out(sender: object, page: Page, channel: str, address: str, **extra: object) -> None:
        told.append((page, channel, address))
        raise RuntimeError

    address_forgotten.connect(take_out)
    try:
        with pytest.raises(RuntimeError):
            forget(subscriber)
    finally:
        address_forgotten.disconnect(take_out)
    assert told == [(subscriber.page, "email", subscriber.address)]
    assert Subscriber.objects.filter(address=subscriber.address).exists()
