"""What follows from what comes back, whatever told us of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.conf import settings as django_settings
from django.utils import timezone
from pytest_django import Settings

from delivery.ledger import compaction, outbox, single_recipient
from delivery.ledger.counting import count_channels_in_detail
from delivery.mail import message_ids
from delivery.mail.bounces import events
from delivery.mail.bounces.events import MAILBOX, note
from delivery.mail.bounces.models import BounceEvent, EventKind
from delivery.models import Delivery, Notice
from delivery.receipt import build_receipt
from subscribers.models import Subscriber, Suppression
from tests.delivery.ledger import retally

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers, MakeNotice

ADDRESS = "person0001@example.com"
State = Delivery.State


@pytest.fixture
def person(add_subscribers: AddSubscribers) -> Subscriber:
    return add_subscribers(1)[0]


@pytest.fixture
def delivery(notice: Notice, person: Subscriber) -> Delivery:
    return mailed(notice)


def mailed(notice: Notice, days_ago: float = 0) -> Delivery:
    outbox.expand(notice.pk)
    notice.deliveries.update(state=State.SENT, sent_at=timezone.now() - timedelta(days=days_ago))
    retally()
    return notice.deliveries.get(address=ADDRESS)


def signed(delivery: Delivery) -> str:
    return message_ids.of_delivery(delivery.notice.code, delivery.pk, "acme.example")


def returned(delivery: Delivery, kind: EventKind = EventKind.HARD, address: str = "", source: str = "mailgun") -> bool:
    about = signed(delivery)
    return note(source=source, event_id=about, kind=kind, address=address, message_id=about)


def reasons() -> list[str]:
    return list(Suppression.objects.values_list("reason", flat=True))


def outcomes() -> list[str]:
    return list(BounceEvent.objects.order_by("pk").values_list("outcome", flat=True))


@pytest.mark.parametrize(("kind", "reason"), [(EventKind.HARD, "hard_bounce"), (EventKind.COMPLAINT, "complaint")])
def test_fifty_times_the_same_is_one(delivery: Delivery, kind: EventKind, reason: str):
    assert [returned(delivery, kind) for _ in range(50)] == [True] + [False] * 49

    assert reasons() == [reason]
    assert outcomes() == ["suppressed"]


def test_staff_lift_a_suppression_and_an_old_event_does_not_bring_it_back(delivery: Delivery, settings: Settings):
    returned(delivery)
    Suppression.objects.all().delete()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another " * 8, [django_settings.SECRET_KEY]

    assert not note(
        source="mailgun", event_id=BounceEvent.objects.earliest("pk").event_id, kind=EventKind.HARD, address=ADDRESS
    )
    assert reasons() == []


def test_a_mail_signed_with_a_retired_key_is_known(delivery: Delivery, settings: Settings):
    about = signed(delivery)
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "another " * 8

    note(source=MAILBOX, event_id=about, kind=EventKind.HARD, address=ADDRESS, message_id=about)

    assert Suppression.objects.covers("email", ADDRESS)


def test_a_mailbox_is_believed_only_with_a_signed_id(delivery: Delivery):
    for about in ("", f"<d-{delivery.notice.code}-{delivery.pk}@acme.example>", signed(delivery).replace("@", "0@")):
        assert not note(source=MAILBOX, event_id="1", kind=EventKind.HARD, address=ADDRESS, message_id=about)

    assert reasons() == []
    assert not BounceEvent.objects.exists()


def test_a_recipient_cannot_get_another_address_suppressed(delivery: Delivery, add_subscribers: AddSubscribers):
    add_subscribers(1)

    assert not returned(delivery, address="person0002@example.com", source=MAILBOX)

    assert reasons() == []
    delivery.refresh_from_db()
    assert delivery.bounced_at is None


def test_a_report_of_a_provider_counts_only_for_a_subscriber(person: Subscriber):
    assert note(
        source="ses", event_id="1", kind=EventKind.HARD, address="Person0001@Example.com", message_id="<their@id>"
    )
    assert note(source="ses", event_id="2", kind=EventKind.HARD, address="stranger@example.com")
    assert note(
        source="ses", event_id="3\0" * 200, kind=EventKind.HARD, address="\ud800 no address\0", reason="\0\ud800"
    )

    assert outcomes() == ["suppressed", "ignored", "ignored"]
    assert Suppression.objects.covers("email", ADDRESS)
    assert Suppression.objects.count() == 1


def test_no_address_is_kept(delivery: Delivery):
    note(source="ses", event_id="1", kind=EventKind.SOFT, address=ADDRESS, reason=f"552 <{ADDRESS}>: mailbox full")

    event = BounceEvent.objects.get()
    assert event.reason == "552 <the recipient>: mailbox full"
    assert not any("@" in str(value) for value in vars(event).values())


def test_a_returned_confirmation_suppresses_too(person: Subscriber):
    single_recipient.queue_letter(None, person, "abcdefghijkl")
    about = message_ids.of_delivery("letter", Delivery.objects.get().pk, "acme.example")

    assert note(source=MAILBOX, event_id=about, kind=EventKind.HARD, address="", message_id=about.strip("<>"))
    assert reasons() == ["hard_bounce"]


def test_leaving_at_the_provider_is_leaving_here(delivery: Delivery, person: Subscriber):
    assert returned(delivery, EventKind.UNSUBSCRIBE)

    person.refresh_from_db()
    assert person.state == Subscriber.State.UNSUBSCRIBED
    assert (outcomes(), reasons()) == (["unsubscribed"], [])


def test_the_receipt_counts_bounces_before_and_after_pruning(notice: Notice, add_subscribers: AddSubscribers):
    add_subscribers(3)
    mailed(notice)
    first, second, _ = notice.deliveries.order_by("pk")
    returned(first)
    assert count_channels_in_detail(notice)[0].bounced == 1

    assert compaction.compact(notice.pk)
    for _ in range(3):
        returned(second, EventKind.SOFT)
        returned(second)

    notice.refresh_from_db()
    [line] = build_receipt(notice).channels
    assert (line.sent, line.bounced, line.expected) == (3, 2, 3)


def soft_after(make_notice: MakeNotice, *days_ago: float) -> list[Delivery]:
    made = [mailed(make_notice(created_at=timezone.now() - timedelta(days=days)), days) for days in days_ago]
    for delivery in made:
        returned(delivery, EventKind.SOFT)
    return made


@pytest.mark.parametrize(
    ("days_ago", "found"),
    [
        ((4, 3, 2, 1, 0), ["soft_bounce"]),
        ((0, 2, 4, 1, 3), ["soft_bounce"]),
        ((2.5, 2, 1.5, 1, 0), []),
        ((9, 6, 3, 0), []),
    ],
)
def test_five_in_a_row_for_three_days_in_any_order(
    person: Subscriber, make_notice: MakeNotice, days_ago: tuple[float, ...], found: list[str]
):
    soft_after(make_notice, *days_ago)

    assert reasons() == found


def test_a_mail_that_got_through_ends_the_row(person: Subscriber, make_notice: MakeNotice):
    mailed(make_notice(created_at=timezone.now() - timedelta(days=2.5)), 2.5)

    soft_after(make_notice, 4, 3, 2, 1, 0)

    assert reasons() == []


def test_after_staff_lifted_it_the_count_begins_anew(person: Subscriber, make_notice: MakeNotice):
    soft_after(make_notice, 4, 3, 2, 1, 0.5)
    Suppression.objects.all().delete()

    soft_after(make_notice, 0)

    assert reasons() == []


def test_events_are_deleted_after_ninety_days(delivery: Delivery):
    returned(delivery)
    returned(delivery, EventKind.COMPLAINT)
    BounceEvent.objects.filter(kind=EventKind.HARD).update(noted_at=timezone.now() - timedelta(days=91))

    assert events.prune() == 1
    assert BounceEvent.objects.get().kind == EventKind.COMPLAINT
