"""Bounces and complaints about mails, and whether the bounce mailbox can be read.

Addresses are stored as hashes only, and for 90 days.
"""

from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.db.models import Value
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

# The mailbox is read once a minute.
NOT_READ_AFTER = timedelta(minutes=10)


class EventKind(models.TextChoices):
    HARD = "hard", _("Returned: no such address")
    SOFT = "soft", _("Returned for now")
    COMPLAINT = "complaint", _("Marked as spam")
    UNSUBSCRIBE = "unsubscribe", _("Unsubscribed at the provider")
    UNREADABLE = "unreadable", _("Could not be read")


class BounceEvent(models.Model):
    """One report of the mailbox or a provider about one recipient; stored once, however often it is reported.

    A row of the kind UNREADABLE is one post of a provider that could not be read whole; it names nobody.
    """

    class Outcome(models.TextChoices):
        IGNORED = "ignored", _("None: not a mail or a subscriber of ours")
        NOTED = "noted", _("Counted")
        SUPPRESSED = "suppressed", _("Address suppressed")
        UNSUBSCRIBED = "unsubscribed", _("Unsubscribed")

    source = models.CharField(max_length=40, help_text=_("“mailbox”, or the provider whose webhook it was."))
    event_id = models.CharField(max_length=100, help_text=_("The source's own id of it; long ones are hashed."))
    kind = models.CharField(max_length=12, choices=EventKind.choices)
    address_hash = models.CharField(max_length=64, db_index=True)
    delivery_pk = models.BigIntegerField(
        "delivery", null=True, help_text=_("Empty when no delivery of ours was named.")
    )
    mailed_at = models.DateTimeField(help_text=_("When that mail was handed over; when it came back, where unknown."))
    outcome = models.CharField(max_length=12, choices=Outcome.choices, default=Outcome.IGNORED)
    reason = models.CharField(max_length=255, blank=True, help_text=_("The other side's words, without addresses."))
    noted_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.UniqueConstraint(fields=["source", "event_id", "kind", "address_hash"], name="one_bounce_event"),
        )

    def __str__(self) -> str:
        return f"{self.source}: {self.get_kind_display()}"


class MailboxReadingQuerySet(models.QuerySet["MailboxReading"]):
    def note_success(self) -> None:
        self.update_or_create(pk=MailboxReading.ONLY, defaults={"read_at": timezone.now(), "failing_since": None})

    def note_failure(self, reason: str) -> None:
        now = timezone.now()
        self.get_or_create(pk=MailboxReading.ONLY)
        self.filter(pk=MailboxReading.ONLY).update(
            failed_at=now, failing_since=Coalesce("failing_since", Value(now)), reason=reason[:255]
        )

    def current(self) -> "MailboxReading | None":
        """None when no mailbox is configured, or it was never tried."""
        return self.first() if settings.BOUNCE_MAILBOX else None


class MailboxReading(models.Model):
    """The last attempts to read the bounce mailbox. The table has one row."""

    ONLY = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY, editable=False)
    read_at = models.DateTimeField(null=True, help_text=_("When it was last read."))
    failing_since = models.DateTimeField(
        null=True, help_text=_("Since when each try has failed; empty: the last did not.")
    )
    failed_at = models.DateTimeField(null=True, help_text=_("When a try last failed."))
    reason = models.CharField(max_length=255, blank=True, help_text=_("Why it did."))

    objects = MailboxReadingQuerySet.as_manager()

    def __str__(self) -> str:
        return self.trouble or "The bounce mailbox is read."

    @property
    def in_trouble_since(self) -> datetime | None:
        """Since when reading has failed, or was not tried; None when neither is so."""
        if self.failing_since or self.read_at is None:
            return self.failing_since
        return self.read_at if timezone.now() - self.read_at > NOT_READ_AFTER else None

    @property
    def trouble(self) -> str:
        """A sentence on what is wrong and one on what to do; "" when nothing is wrong."""
        if self.in_trouble_since is None:
            return ""
        at = timezone.localtime(self.in_trouble_since)
        since = f"{at:%H:%M %Z}" if timezone.now() - at < timedelta(hours=12) else f"{at:%-d %B, %H:%M %Z}"
        if self.failing_since:
            return (
                f"The bounce mailbox could not be read since {since}: {self.reason} Check BOUNCE_IMAP_URL; until then "
                "nobody knows which addresses are gone."
            )
        return (
            f"Nobody has read the bounce mailbox since {since}. Look at the clock (beat), at Redis, and at the worker of "
            "the queue “default”."
        )
