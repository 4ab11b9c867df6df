"""The one way to ask for mails: from the form, and from POST /api/v2/subscribers.json.

The caller learns nothing: a new, a known and a suppressed address run through the same steps, and the only
answer is the mail itself. Somebody who subscribed long ago gets a link to manage that subscription instead,
and nothing about them changes. The confirmation mail is what an attacker would flood a stranger with, so
there are limits per mailbox, per visitor and for the whole deployment; a request past them is dropped silently.
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
from core.text import CODE_LENGTH, clean_text
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

# Sent inside the transaction that stores a request, with `subscriber` and `code`: delivery writes the letter. This app
# cannot name it; imports run the other way.
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
    """Store a pending subscriber and the confirmation mail to send, in one transaction.

    No `component_codes` means all components. `visitor` is the network address that asks
    (core/visitor.py); "" is held to no limit of its own. `language` is that of the mails, "" the page's own. Raises ValidationError, with a text for visitors, for an
    address that cannot be mailed, for codes of which none is a public component of the page, and for an
    incident code of the wrong form. Returns None whatever is known about the address.
    """
    address = normalise_address(email)
    components = find_components(page, component_codes)
    check_incident_code(incident_code)
    now = timezone.now()
    if not _is_below_hourly_limit(now) or not _is_below_visitors_limit(visitor, now):
        return
    with transaction.atomic():
        subscriber, _ = Subscriber.objects.select_for_update().get_or_create(
            page=page, channel="email", address=address, incident_code=incident_code
        )
        subscriber.ask(components, language)
        queue_mail(subscriber, now, visitor)


def find_components(page: Page, codes: Iterable[str]) -> list[Component]:
    """The public components among `codes`; raises ValidationError when codes were given and none is one."""
    wanted = {clean_text(code, multiline=False) for code in codes}
    found = list(page.components.public().filter(code__in=wanted)) if wanted else []
    if wanted and not found:
        raise ValidationError(gettext("Choose at least one component."), code="components")
    return found


def check_incident_code(code: str) -> None:
    """Only the form: this app cannot see incidents, and a subscription to one that is not there hears nothing."""
    if code and not INCIDENT_CODE.fullmatch(code):
        raise ValidationError(gettext("This incident does not exist."), code="incident")


def queue_mail(subscriber: Subscriber, now: datetime, visitor: str = "") -> bool:
    """Ask for the mail that subscribers.letters builds; False when a limit forbids one more.

    A suppressed address is treated like any other, so that nobody can time the difference: delivery leaves it out
    when the mail is about to be sent.
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
    """Counted without a lock: requests of the same instant may pass it by a few."""
    limit: int = settings.CONFIRMATIONS_PER_HOUR
    used = Confirmation.objects.filter(requested_at__gt=now - timedelta(hours=1)).count()
    if used + 1 == limit:
        log.warning("hourly limit of confirmation mails reached, further requests are dropped: limit=%d", limit)
    return used < limit


def _is_below_visitors_limit(visitor: str, now: datetime) -> bool:
    """So that one visitor cannot use up the hour of all others. Counted without a lock, too."""
    if not visitor:
        return True
    asked = Confirmation.objects.filter(visitor_hash=visitor_hash(visitor), requested_at__gt=now - timedelta(hours=1))
    return asked.count() < settings.CONFIRMATIONS_PER_VISITOR
