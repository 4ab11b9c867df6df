"""Reading the mailbox that bounces go to."""

import logging
import time
from collections import Counter

from django.conf import settings

from core.imap import Mail, Mailbox, MailboxError
from delivery.mail import message_ids
from delivery.mail.bounces import reports
from delivery.mail.bounces.events import MAILBOX, note
from delivery.mail.bounces.models import EventKind, MailboxReading

log = logging.getLogger(__name__)
MOST_AT_ONCE = 200


def read_mailbox(seconds: float) -> Counter[str]:
    """Act on the mails in the mailbox, for at most so many seconds; returns how many there were of each kind.

    Reports about our mails are then deleted. All others are flagged and stay, so that people can read them.
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
        MailboxReading.objects.note_failure(str(error))
    else:
        MailboxReading.objects.note_success()
    if counts:
        log.info("bounce mailbox read: %s", dict(counts))
    return counts


def _handle(mail: Mail) -> str:
    """Returns a kind of event, "noted" (about our mail, without consequence) or "left" (not about our mail)."""
    try:
        report = reports.read(mail.message)
    except Exception:  # a stranger's mail may break the parser, and the next one must still be read
        log.warning("a mail in the bounce mailbox could not be parsed and was left there: uid=%d", mail.uid)
        return "left"
    if report is None or message_ids.read(report.message_id) is None:
        return "left"
    if report.complaint:
        kind = EventKind.UNSUBSCRIBE if report.complaint.is_opt_out else EventKind.COMPLAINT
        return str(kind) if _note(report, kind, "", report.complaint.feedback_type) else "noted"
    return next(filter(None, [_note_failure(report, failure) for failure in report.failures]), "noted")


def _note_failure(report: reports.MailReport, failure: reports.Failure) -> str:
    """The kind of a new event, else "". If the mail went to a list, the report may name its members; note() ignores
    those."""
    if failure.is_about_us:
        return ""
    kind = EventKind.HARD if failure.is_gone else EventKind.SOFT
    new = [_note(report, kind, address, failure.reason) for address in sorted(failure.recipients) or [""]]
    return str(kind) if any(new) else ""


def _note(report: reports.MailReport, kind: EventKind, address: str, reason: str) -> bool:
    """Store the event. The Message-ID is its id, so that a mail counts once for each kind, however often it is reported."""
    about = report.message_id
    return note(source=MAILBOX, event_id=about, kind=kind, address=address, message_id=about, reason=reason)
