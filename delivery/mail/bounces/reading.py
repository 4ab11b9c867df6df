"""One round through the mailbox that bounces go to."""

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
        MailboxReading.objects.note_failure(str(error))
    else:
        MailboxReading.objects.note_success()
    if counts:
        log.info("bounce mailbox read: %s", dict(counts))
    return counts


def _handle(mail: Mail) -> str:
    """What it was: a kind of event, "noted" (of ours, without consequence) or "left" (not of ours)."""
    try:
        report = reports.read(mail.message)
    except Exception:  # whatever a stranger's mail does to the parser, the next one is to be read
        log.warning("a mail in the bounce mailbox could not be understood: uid=%d", mail.uid)
        return "left"
    if report is None or message_ids.read(report.message_id) is None:
        return "left"
    if report.complaint:
        kind = EventKind.UNSUBSCRIBE if report.complaint.is_opt_out else EventKind.COMPLAINT
        return str(kind) if _note(report, kind, "", report.complaint.feedback_type) else "noted"
    return next(filter(None, [_note_failure(report, failure) for failure in report.failures]), "noted")


def _note_failure(report: reports.MailReport, failure: reports.Failure) -> str:
    """The kind of a new event, else "". Behind a list's address others may be gone: note() passes those over."""
    if failure.is_about_us:
        return ""
    kind = EventKind.HARD if failure.is_gone else EventKind.SOFT
    new = [_note(report, kind, address, failure.reason) for address in sorted(failure.recipients) or [""]]
    return str(kind) if any(new) else ""


def _note(report: reports.MailReport, kind: EventKind, address: str, reason: str) -> bool:
    """A mail can come back once of each kind, whoever says so and however often."""
    about = report.message_id
    return note(source=MAILBOX, event_id=about, kind=kind, address=address, message_id=about, reason=reason)
