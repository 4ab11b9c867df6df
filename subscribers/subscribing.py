"""Takes requests to subscribe, from the form and from POST /api/v2/subscribers.json.

The caller learns nothing about an address: a new, a known and a suppressed one take the same steps, and only the mail
answers. An active subscriber gets a link to manage the subscription, and nothing about it changes. Because an attacker
could flood a stranger with confirmation mails, there are limits for each mailbox, each visitor and the whole deployment;
a request beyond them is dropped silently.
"""

import logging
import re
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.dispatch import Signal
from django.utils import timezone
from django.utils.translation import gettext

from components.models import Component
from core.text import CODE_LENGTH
from pages.models import Page
from subscribers.addresses import mailbox, normalise_address
from subscribers.models import (
    CONFIRMATION_SLOT_SECONDS,
    Confirmation,
    Subscriber,
    address_hashes,
    visitor_hash,
)

log = logging.getLogger(__name__)

# Sent inside the transaction that stores a request, with `subscriber` and `code`. The app delivery, which this one cannot
# import, queues the letter.
letter_wanted = Signal()

PAUSE = timedelta(seconds=CONFIRMATION_SLOT_SECONDS)
PER_DAY = 3
INCIDENT_CODE = re.compile(f"[a-z0-9]{{{CODE_LENGTH}}}")


def request_subscription(
    page: Page,
    email: str,
    *,
    component_codes: Iterable[str] = (),
    incident_code: str = "",
    visitor: str = "",
    language: str = "",
) -> None:
    """Store a pending subscriber and queue the confirmation mail, in one transaction.

    `component_codes`: none means all components. `visitor`: the network address of the request (core/visitor.py), ""
    for no limit on it. `language`: that of the mails, "" for the page's own.

    Returns None whatever is known about the address. Raises ValidationError, with a text for visitors, for an address
    that cannot be mailed, for codes without any public component of the page, and for a malformed incident code.
    """
    address = normalise_address(email)
    components = find_components(page, component_codes)
    check_incident_code(incident_code)
    now = timezone.now()
    if not _is_below_hourly_limit(now) or not _is_below_visitors_limit(visitor, now):
        return
    with transaction.atomic():
        subscriber, is_new = Subscriber.objects.select_for_update().get_or_create(
            page=page, channel="email", address=address, incident_code=incident_code
        )
        subscriber.ask(components, language)
        if not queue_mail(subscriber, now, visitor) and is_new:
            subscriber.delete()  # who gets no mail cannot confirm: else anybody could fill the table


def find_components(page: Page, codes: Iterable[str]) -> list[Component]:
    """The public components with these codes. Raises ValidationError when codes were given but none was found."""
    wanted = set(codes)  # as many as a stranger likes: compared here, not by the database
    found = [each for each in page.components.public() if each.code in wanted] if wanted else []
    if wanted and not found:
        raise ValidationError(gettext("Choose at least one component."), code="components")
    return found


def check_incident_code(code: str) -> None:
    """Raises ValidationError for a malformed code. Whether the incident exists is not checked, because this app cannot
    import incidents; a subscription to a missing one gets no mail."""
    if code and not INCIDENT_CODE.fullmatch(code):
        raise ValidationError(gettext("This incident does not exist."), code="incident")


def queue_mail(subscriber: Subscriber, now: datetime, visitor: str = "") -> bool:
    """Queue the letter that subscribers.letters writes; False when a limit forbids one more.

    The suppression list is not read here, so that response times do not reveal who is on it; delivery reads it just before
    it sends.
    """
    hashes = address_hashes("email", mailbox(subscriber.address))
    recent = Confirmation.objects.filter(address_hash__in=hashes)
    if recent.filter(requested_at__gt=now - PAUSE).exists():
        return False
    if recent.filter(requested_at__gt=now - timedelta(days=1)).count() >= PER_DAY:
        return False
    confirmation, created = Confirmation.objects.get_or_create(
        address_hash=hashes[0],
        slot=int(now.timestamp()) // CONFIRMATION_SLOT_SECONDS,
        defaults={
            "subscriber": subscriber,
            "visitor_hash": visitor_hash(visitor),
            "requested_at": now,
        },
    )
    if created:
        letter_wanted.send(sender=Subscriber, subscriber=subscriber, code=confirmation.code)
    return created


def _is_below_hourly_limit(now: datetime) -> bool:
    """Counts without a lock, so simultaneous requests may exceed the limit by a few."""
    limit: int = settings.CONFIRMATIONS_PER_HOUR
    used = Confirmation.objects.filter(requested_at__gt=now - timedelta(hours=1)).count()
    if used + 1 == limit:
        log.warning(
            "hourly limit of confirmation mails reached, further requests are dropped; CONFIRMATIONS_PER_HOUR raises it: "
            "limit=%d",
            limit,
        )
    return used < limit


def _is_below_visitors_limit(visitor: str, now: datetime) -> bool:
    """A limit for each visitor, so that none can use up the hourly limit of all. Counts without a lock as well."""
    if not visitor:
        return True
    asked = Confirmation.objects.filter(visitor_hash=visitor_hash(visitor), requested_at__gt=now - timedelta(hours=1))
    return asked.count() < settings.CONFIRMATIONS_PER_VISITOR
