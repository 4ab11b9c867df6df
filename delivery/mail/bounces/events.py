"""The one way in for what comes back: bounces, complaints and opt-outs, from a mailbox or a provider's webhooks.

Every event may be told often, late, or in any order. What follows from each: docs/delivery.md.
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
# Anybody can write to it, so what it says counts only with a Message-ID that we signed.
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
    """Whom an event is about, and which of our mails if that is known."""

    address: str
    """Normalised."""
    delivery: Delivery | None = None


def note(*, source: str, event_id: str, kind: EventKind, address: str, message_id: str = "", reason: str = "") -> bool:
    """Store an event and do what follows from it, in one transaction; True when it was new.

    What nobody vouches for, a mailbox's without a signed Message-ID, is not even stored.
    `source`: at most 40 characters. `address`: of the recipient, as it came, or "" for the one that the mail went to.
    `message_id`: of our mail, with or without <>; "" when it was not told. `reason`: for staff; addresses are taken out.
    """
    named = _normalised(address)
    mail = _mail_named(message_id, named)
    if source == MAILBOX and mail is None:
        return False
    mail = mail or _person(named)
    hashes = address_hashes(EMAIL, mail.address if mail else named)
    key = {"source": source, "event_id": _short(event_id), "kind": kind}
    with transaction.atomic():
        _take_turns(hashes[0])
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
    """For staff to see: of what a provider posted, something cannot be read. Once, however often it is posted.

    `why`: such as "2 of 50 events: KeyError"; nothing of the body itself, which names people.
    """
    BounceEvent.objects.get_or_create(
        source=source,
        event_id=hashlib.sha256(body).hexdigest(),
        kind=EventKind.UNREADABLE,
        address_hash="",
        defaults={"mailed_at": timezone.now(), "reason": why[:255]},
    )


def prune() -> int:
    """Delete some of the events that are older than 90 days; how many."""
    old = BounceEvent.objects.filter(noted_at__lt=timezone.now() - KEPT_FOR)
    return BounceEvent.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:PRUNED_AT_ONCE])).delete()[0]


def _take_turns(hashed: str) -> None:
    """Until the transaction ends, nobody else notes anything of this address: what is not committed cannot be
    counted. No row is locked for it, since others lock rows in orders of their own. SQLite takes turns anyway."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [int(hashed[:15], 16)])


def _normalised(address: str) -> str:
    """As subscribers' addresses are stored. One that is none of those only so that it can be hashed and compared."""
    try:
        return normalise_address(address)
    except ValidationError:
        return f"not an address: {address.encode('utf-8', 'replace').hex()}" if address else ""


def _short(event_id: str) -> str:
    if PLAIN_ID.fullmatch(event_id):
        return event_id
    return hashlib.sha256(event_id.encode("utf-8", "surrogatepass")).hexdigest()


def _mail_named(message_id: str, named: str) -> _Mail | None:
    """The mail of that signed Message-ID, unless it went to somebody else than `named`."""
    ours = message_ids.read(message_id)
    if ours is None:
        return None
    mail = _of_delivery(ours)
    return mail if mail and named in ("", mail.address) else None


def _of_delivery(pk: int) -> _Mail | None:
    """None for a heartbeat's, and for one whose address was forgotten: nobody writes there again."""
    delivery = Delivery.objects.filter(pk=pk, channel=EMAIL).of_subscribers().first()
    return _Mail(delivery.address, delivery) if delivery and "@" in delivery.address else None


def _person(address: str) -> _Mail | None:
    return _Mail(address) if _subscribers(address).exists() else None


def _subscribers(address: str) -> SubscriberQuerySet:
    """On any page. The pages are named because the index of addresses begins with the page."""
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
    """From the page whose mail it was; from all pages when that is not known."""
    people = _subscribers(mail.address)
    if mail.delivery:
        people = people.filter(page=mail.delivery.notice.page_id)
    left = [person.unsubscribe(now) for person in people]
    return Outcome.UNSUBSCRIBED if any(left) else Outcome.NOTED


def _mark_bounced(delivery: Delivery) -> None:
    """Once, however often it comes back."""
    with moves.moving() as marking:
        marked = Delivery.objects.filter(pk=delivery.pk, bounced_at=None).update(bounced_at=timezone.now())
        marking.count(delivery.notice_id, delivery.channel, Tally.Outcome.BOUNCED, marked)


def _fails_for_days(event: BounceEvent, address: str) -> bool:
    """Whether the latest mails to this address all came back, and what was counted is used up by that.

    By when the mails went out, so that the order in which they come back does not matter.
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
    """Whether a mail that went out in between did not come back."""
    notices = Notice.objects.filter(created_at__gt=since - SOFT_FOR, created_at__lte=until)
    sent = Delivery.objects.filter(notice__in=notices, channel=EMAIL, address=address, state=Delivery.State.SENT)
    return sent.filter(sent_at__gt=since, sent_at__lt=until, bounced_at=None).exists()
