"""Stores bounces, complaints and opt-outs, from the mailbox or a provider's webhooks, and acts on them.

An event may be reported repeatedly, late, or in any order. docs/delivery.md says what follows from each.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone

from delivery.ledger import moves
from delivery.mail import message_ids
from delivery.mail.bounces.models import BounceEvent, EventKind
from delivery.mail.bounces.reports import without_addresses
from delivery.models import Delivery, Notice, Tally
from pages.models import Page
from subscribers.addresses import normalise_address
from subscribers.models import Subscriber, SubscriberQuerySet, Suppression, address_hash, address_hashes

EMAIL = "email"
# Anybody can write to the mailbox, so its reports count only with a Message-ID that we signed.
MAILBOX = "mailbox"
SOFT_IN_A_ROW = 5
SOFT_FOR = timedelta(days=3)
KEPT_FOR = timedelta(days=90)
PRUNED_AT_ONCE = 1_000
PLAIN_ID = re.compile(r"[!-~]{1,100}")
Outcome = BounceEvent.Outcome
SUPPRESSION = {
    EventKind.HARD: Suppression.Reason.HARD_BOUNCE,
    EventKind.SOFT: Suppression.Reason.SOFT_BOUNCE,
    EventKind.COMPLAINT: Suppression.Reason.COMPLAINT,
}


@dataclass(frozen=True)
class _Mail:
    """The address that an event is about, and the delivery if that is known."""

    address: str
    """Normalised."""
    delivery: Delivery | None = None


def note(*, source: str, event_id: str, kind: EventKind, address: str, message_id: str = "", reason: str = "") -> bool:
    """Store an event and act on it, in one transaction; True when it was new.

    A report from the mailbox without a signed Message-ID may be forged and is not stored.

    `source`: at most 40 characters. `address`: the recipient's as reported, or "" for the one that the mail went to.
    `message_id`: of our mail, with or without <>; "" when it was not reported. `reason`: for staff; addresses are removed.
    """
    named = _normalised(address)
    mail = _mail_named(message_id, named)
    if source == MAILBOX and mail is None:
        return False
    mail = mail or _person(named)
    hashes = address_hashes(EMAIL, mail.address if mail else named)
    key = {"source": source, "event_id": _short(event_id), "kind": kind}
    with transaction.atomic():
        _lock_address(hashes[0])
        if BounceEvent.objects.filter(**key, address_hash__in=hashes).exists():
            return False
        now = timezone.now()
        delivery = mail.delivery if mail else None
        event, is_new = BounceEvent.objects.get_or_create(
            **key,
            address_hash=hashes[0],
            defaults={
                "delivery_pk": delivery.pk if delivery else None,
                "mailed_at": (delivery.sent_at if delivery else None) or now,
                "reason": without_addresses(reason),
                "noted_at": now,
            },
        )
        if is_new and mail:
            event.outcome = _follow(event, mail, now)
            event.save(update_fields=["outcome"])
    return is_new


def note_unreadable(source: str, body: bytes, why: str) -> None:
    """Store for staff that a part of a provider's post cannot be read; once, however often it is posted.

    `why`: such as "2 of 50 events: KeyError". It must contain nothing of the body, which names people.
    """
    BounceEvent.objects.get_or_create(
        source=source,
        event_id=hashlib.sha256(body).hexdigest(),
        kind=EventKind.UNREADABLE,
        address_hash="",
        defaults={"mailed_at": timezone.now(), "reason": why[:255]},
    )


def prune() -> int:
    """Delete up to PRUNED_AT_ONCE events that are older than KEPT_FOR; returns how many."""
    old = BounceEvent.objects.filter(noted_at__lt=timezone.now() - KEPT_FOR)
    return BounceEvent.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:PRUNED_AT_ONCE])).delete()[0]


def _lock_address(hashed: str) -> None:
    """Until the transaction ends, no other transaction stores an event of this address, because soft bounces that are not
    committed could not be counted. An advisory lock cannot deadlock with row locks. SQLite runs one writer at a time."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int(hashed[:15], 16)])


def _normalised(address: str) -> str:
    """The address as subscribers' addresses are stored; for one that is not valid, a text that can be hashed and
    compared."""
    try:
        return normalise_address(address)
    except ValidationError:
        return f"not an address: {address.encode('utf-8', 'replace').hex()}" if address else ""


def _short(event_id: str) -> str:
    if PLAIN_ID.fullmatch(event_id):
        return event_id
    return hashlib.sha256(event_id.encode("utf-8", "surrogatepass")).hexdigest()


def _mail_named(message_id: str, named: str) -> _Mail | None:
    """The mail with that signed Message-ID; None if it went to another address than `named`."""
    ours = message_ids.read(message_id)
    if ours is None:
        return None
    mail = _of_delivery(ours)
    return mail if mail and named in ("", mail.address) else None


def _of_delivery(pk: int) -> _Mail | None:
    """The mail of a delivery; None for a heartbeat's, and for one whose address was erased."""
    delivery = Delivery.objects.filter(pk=pk, channel=EMAIL).of_subscribers().first()
    return _Mail(delivery.address, delivery) if delivery and "@" in delivery.address else None


def _person(address: str) -> _Mail | None:
    return _Mail(address) if _subscribers(address).exists() else None


def _subscribers(address: str) -> SubscriberQuerySet:
    """The subscribers with this address on any page. The query lists all pages, because the index begins with the page."""
    pages = list(Page.objects.values_list("pk", flat=True))
    return Subscriber.objects.filter(page__in=pages, channel=EMAIL, address=address)


def _follow(event: BounceEvent, mail: _Mail, now: datetime) -> Outcome:
    if event.kind == EventKind.UNSUBSCRIBE:
        return _unsubscribe(mail, now)
    if mail.delivery and event.kind in (EventKind.HARD, EventKind.SOFT):
        _mark_bounced(mail.delivery)
    if event.kind == EventKind.SOFT and not _fails_for_days(event, mail.address):
        return Outcome.NOTED
    if not Suppression.objects.covers(EMAIL, mail.address):
        hashed, reason = address_hash(EMAIL, mail.address), SUPPRESSION[EventKind(event.kind)]
        Suppression.objects.bulk_create(
            [Suppression(channel=EMAIL, address_hash=hashed, reason=reason)], ignore_conflicts=True
        )
    return Outcome.SUPPRESSED


def _unsubscribe(mail: _Mail, now: datetime) -> Outcome:
    """Unsubscribe the address from the mail's page; from all pages when the mail is not known."""
    people = _subscribers(mail.address)
    if mail.delivery:
        people = people.filter(page=mail.delivery.notice.page_id)
    left = [person.unsubscribe(now) for person in people]
    return Outcome.UNSUBSCRIBED if any(left) else Outcome.NOTED


def _mark_bounced(delivery: Delivery) -> None:
    """Mark and tally a delivery as bounced; once, however often it comes back."""
    with moves.moving() as marking:
        marked = Delivery.objects.filter(pk=delivery.pk, bounced_at=None).update(bounced_at=timezone.now())
        marking.count(delivery.notice_id, delivery.channel, Tally.Outcome.BOUNCED, marked)


def _fails_for_days(event: BounceEvent, address: str) -> bool:
    """Whether the last SOFT_IN_A_ROW mails to this address, over at least SOFT_FOR, all came back. If so, the counted
    events are marked, so that they do not count again.

    The mails are ordered by when they were sent, so that the order of the reports does not matter.
    """
    soft = BounceEvent.objects.filter(
        address_hash__in=address_hashes(EMAIL, address), kind=EventKind.SOFT, outcome=Outcome.NOTED
    )
    by_mail = {each.mailed_at: each.pk for each in (*soft, event)}
    moments = sorted(by_mail)[-SOFT_IN_A_ROW:]
    if len(moments) < SOFT_IN_A_ROW or moments[-1] - moments[0] < SOFT_FOR:
        return False
    if _got_through(address, moments[0], moments[-1]):
        return False
    soft.update(outcome=Outcome.SUPPRESSED)
    return True


def _got_through(address: str, since: datetime, until: datetime) -> bool:
    """Whether a mail that was sent in between did not come back."""
    notices = Notice.objects.filter(created_at__gt=since - SOFT_FOR, created_at__lte=until)
    sent = Delivery.objects.filter(notice__in=notices, channel=EMAIL, address=address, state=Delivery.State.SENT)
    return sent.filter(sent_at__gt=since, sent_at__lt=until, bounced_at=None).exists()
