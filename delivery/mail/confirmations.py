"""The mails that the subscribe form asks for. Their rows, in `subscribers`, are the queue; no broker is needed.

While a row is being sent, `next_attempt_at` is its lease: past it, another sender may try.
"""

import time
from datetime import timedelta
from email.utils import format_datetime

from django.conf import settings
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from delivery.channels.email import (
    ADDRESS,
    Transport,
    domain_of,
    from_header,
    hand_over,
    open_transport,
    sender_address,
)
from delivery.contract import DeliveryError
from delivery.ledger.retry import wait_seconds
from delivery.mail import message_ids
from delivery.mail.mime import prebuild
from delivery.models import Pause
from subscribers.letters import build_letter
from subscribers.models import Confirmation

State = Confirmation.State
MAX_ATTEMPTS = 6


def due() -> QuerySet[Confirmation]:
    """Waiting mails whose time has come, and those whose sender has not come back; none while mail is paused."""
    if Pause.objects.closed().filter(key="email").exists():
        return Confirmation.objects.none()
    waiting = Confirmation.objects.filter(state__in=(State.PENDING, State.SENDING), next_attempt_at__lte=Now())
    return waiting.order_by("next_attempt_at", "pk")


def send_due(seconds: float) -> bool:
    """Send what is due, one mail at a time; False when time ran out first."""
    until = time.monotonic() + seconds
    _bury()
    transport = open_transport()
    try:
        while row := due().first():
            if time.monotonic() >= until:
                return False
            if claim(row):
                _send(transport, row)
    finally:
        transport.close()
    return True


def _bury() -> None:
    """A mail whose sender never came back, time after time, must not cost another worker its life."""
    lost = Confirmation.objects.filter(state=State.SENDING, next_attempt_at__lte=Now(), attempts__gte=MAX_ATTEMPTS)
    lost.update(state=State.DEAD, error="Every attempt lost its worker.")


def claim(row: Confirmation) -> bool:
    """Take one row; False if another sender has it."""
    lease = timedelta(seconds=settings.DELIVERY_LEASE_SECONDS)
    mine = due().order_by().filter(pk=row.pk, attempts=row.attempts)
    row.attempts += 1
    return mine.update(state=State.SENDING, attempts=row.attempts, next_attempt_at=Now() + lease) == 1


def _send(transport: Transport, row: Confirmation) -> None:
    held = Confirmation.objects.filter(pk=row.pk, state=State.SENDING, attempts=row.attempts)
    try:
        _hand_over(transport, row)
    except DeliveryError as error:
        if error.pause:
            Pause.objects.begin("email", str(error), error.retry_after)
            held.update(state=State.PENDING, attempts=F("attempts") - 1, next_attempt_at=Now(), error=str(error)[:255])
        elif error.permanent or row.attempts >= MAX_ATTEMPTS:
            held.update(state=State.DEAD, error=str(error)[:255])
        else:
            wait = timedelta(seconds=wait_seconds(row.attempts, error.retry_after))
            held.update(state=State.PENDING, next_attempt_at=Now() + wait, error=str(error)[:255])
    else:
        held.update(state=State.SENT, error="")
        Pause.objects.filter(key="email").delete()


def _hand_over(transport: Transport, row: Confirmation) -> None:
    """Raises DeliveryError. The same Message-ID every time, so that a repeat can be recognised."""
    subscriber = row.subscriber
    if subscriber is None:
        raise DeliveryError("The subscriber was deleted.", permanent=True)
    if not ADDRESS.fullmatch(subscriber.address):
        raise DeliveryError("This address cannot be written to.", permanent=True)
    letter = build_letter(subscriber)
    sender = sender_address()
    mail = prebuild(
        {"From": from_header(subscriber.page), "Subject": letter.subject, "Auto-Submitted": "auto-generated"},
        letter.text,
        letter.html,
    ).fill(
        headers={
            "To": f"<{subscriber.address}>",
            "Message-ID": message_ids.of_confirmation(row.pk, domain_of(sender)),
            "Date": format_datetime(timezone.now()),
        },
        slots={},
    )
    name = f"{row.requested_at:%Y%m%dT%H%M%S}-confirm-{row.pk:09d}"
    hand_over(transport, name, sender, subscriber.address, mail)
