"""One round through the mailbox that bounces go to."""

import logging
import time
from collections import Counter

from django.conf import settings

from delivery import message_ids
from delivery.bounces import reports
from delivery.models import Delivery
from statuspage.mailbox import Mail, Mailbox, MailboxError
from subscribers.models import Suppression, address_hash

log = logging.getLogger(__name__)
MOST_AT_ONCE = 200
Reason = Suppression.Reason


def read_mailbox(seconds: float) -> Counter[str]:
    """Act on what came back, for so many seconds at most; how many mails of which kind.

    Reports about our mails are deleted once they are acted on, all others flagged: people may look at them.
    """
    counts: Counter[str] = Counter()
    if settings.BOUNCE_MAILBOX is None:
        return counts
    until = time.monotonic() + seconds
    try:
        with Mailbox(settings.BOUNCE_MAILBOX) as mailbox:
            for mail in mailbox.unread(MOST_AT_ONCE):
                kind = _handle(mail)
                counts[kind] += 1
                (mailbox.flag if kind == "left" else mailbox.delete)([mail.uid])
                if time.monotonic() > until:
                    break
    except MailboxError as error:
        log.warning("the bounce mailbox could not be read: %s", error)
    if counts:
        log.info("bounce mailbox read: %s", dict(counts))
    return counts


def _handle(mail: Mail) -> str:
    """What it was: "suppressed", "noted" (of ours, without consequence) or "left" (not of ours)."""
    try:
        report = reports.read(mail.message)
    except Exception:  # whatever a stranger's mail does to the parser, the next one is to be read
        log.warning("a mail in the bounce mailbox could not be understood: uid=%d", mail.uid)
        return "left"
    delivery_id = message_ids.read(report.message_id) if report else None
    if report is None or delivery_id is None:
        return "left"
    delivery = Delivery.objects.filter(pk=delivery_id, account=None).first()
    reason = _reason(report, delivery.address) if delivery else None
    if delivery is None or reason is None:
        return "noted"
    _suppress(delivery, reason)
    return "suppressed"


def _reason(report: reports.MailReport, address: str) -> Suppression.Reason | None:
    if report.complaint:
        return Reason.COMPLAINT
    # Behind a list's address others may be gone; the address itself is there.
    ours = [each for each in report.failures if not each.recipients or address.lower() in each.recipients]
    return Reason.HARD_BOUNCE if any(each.is_gone for each in ours) else None


def _suppress(delivery: Delivery, reason: Suppression.Reason) -> None:
    hashed = address_hash(delivery.channel, delivery.address)
    Suppression.objects.get_or_create(channel=delivery.channel, address_hash=hashed, defaults={"reason": reason})
