"""What comes back at the same moment, told by several processes: nothing counts twice, and nothing gets lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connections
from django.utils import timezone

from delivery.ledger import compaction, outbox
from delivery.mail import message_ids
from delivery.mail.bounces.events import note
from delivery.mail.bounces.models import BounceEvent, EventKind
from delivery.models import Delivery, Notice
from delivery.receipt import build_receipt
from subscribers.models import Subscriber, Suppression
from tests.delivery.ledger import assert_ledger_balances, retally

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers, MakeNotice

pytestmark = pytest.mark.django_db(transaction=True)
ADDRESS = "person0001@example.com"
ROUNDS = 5


@pytest.fixture(autouse=True)
def _no_bells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "wake_on_commit", lambda *args: None)


@pytest.fixture(autouse=True)
def person(add_subscribers: AddSubscribers) -> Subscriber:
    return add_subscribers(1)[0]


def mailed(notice: Notice, days_ago: float = 0) -> Delivery:
    outbox.expand(notice.pk)
    notice.deliveries.update(state=Delivery.State.SENT, sent_at=timezone.now() - timedelta(days=days_ago))
    retally()
    return notice.deliveries.get()


def telling(delivery: Delivery, kind: EventKind = EventKind.HARD, source: str = "mailgun") -> Callable[[], bool]:
    about = message_ids.of_delivery(delivery.notice.code, delivery.pk, "acme.example")
    return lambda: note(source=source, event_id=about, kind=kind, address=ADDRESS, message_id=about)


def at_once(works: Sequence[Callable[[], bool]]) -> list[bool]:
    """Each on a connection of its own, begun together; what each returned."""
    start = threading.Barrier(len(works))

    def run(work: Callable[[], bool]) -> bool:
        try:
            connections["default"].ensure_connection()
            start.wait(10)
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return [done.result(30) for done in [pool.submit(run, work) for work in works]]


def reasons() -> list[str]:
    return list(Suppression.objects.values_list("reason", flat=True))


@pytest.mark.parametrize("is_compacted", [False, True])
def test_the_same_event_is_counted_once_and_suppresses_once(make_notice: MakeNotice, is_compacted: bool) -> None:
    for round_number in range(ROUNDS):
        Suppression.objects.all().delete()
        notice = make_notice()
        delivery = mailed(notice)
        assert not is_compacted or compaction.compact(notice.pk)

        assert sorted(at_once([telling(delivery)] * 4)) == [False, False, False, True]

        assert BounceEvent.objects.count() == round_number + 1
        assert set(BounceEvent.objects.values_list("outcome", flat=True)) == {"suppressed"}
        assert reasons() == ["hard_bounce"]
        notice.refresh_from_db()
        assert build_receipt(notice).channels[0].bounced == 1
        assert_ledger_balances(notice)


def test_different_events_for_one_address_neither_deadlock_nor_get_lost(make_notice: MakeNotice) -> None:
    """Two of one mail, by two providers, and two of other mails."""
    for _ in range(ROUNDS):
        Suppression.objects.all().delete()
        BounceEvent.objects.all().delete()
        first, second = mailed(make_notice()), mailed(make_notice())
        assert compaction.compact(first.notice_id)
        works = [
            telling(first),
            telling(first, EventKind.COMPLAINT),
            telling(first, source="brevo"),
            telling(second),
            telling(second, EventKind.SOFT),
        ]

        assert at_once(works) == [True] * 5

        assert BounceEvent.objects.count() == 5
        assert BounceEvent.objects.filter(outcome="suppressed").count() == 4
        assert len(reasons()) == 1
        for delivery in (first, second):
            notice = Notice.objects.get(pk=delivery.notice_id)
            assert build_receipt(notice).channels[0].bounced == 1


def test_leaving_and_bouncing_at_once_do_both(make_notice: MakeNotice, person: Subscriber) -> None:
    for _ in range(ROUNDS):
        Suppression.objects.all().delete()
        Subscriber.objects.update(state=Subscriber.State.ACTIVE)
        delivery = mailed(make_notice())
        works = [
            telling(delivery, EventKind.UNSUBSCRIBE),
            telling(delivery),
            telling(delivery, EventKind.UNSUBSCRIBE, "brevo"),
        ]

        assert at_once(works) == [True] * 3

        person.refresh_from_db()
        assert person.state == Subscriber.State.UNSUBSCRIBED
        assert reasons() == ["hard_bounce"]


def test_five_soft_ones_at_once_are_five_in_a_row(make_notice: MakeNotice) -> None:
    """None of them may count only those that it can see."""
    for _ in range(ROUNDS):
        Suppression.objects.all().delete()
        BounceEvent.objects.all().delete()
        Notice.objects.all().delete()
        days = (4, 3, 2, 1, 0.5)
        mails = [mailed(make_notice(created_at=timezone.now() - timedelta(days=ago)), ago) for ago in days]

        assert at_once([telling(each, EventKind.SOFT) for each in mails]) == [True] * 5

        assert reasons() == ["soft_bounce"]
        assert set(BounceEvent.objects.values_list("outcome", flat=True)) == {"suppressed"}
