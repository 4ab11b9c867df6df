"""What came back after a mail was handed over. Addresses are kept as hashes only, and for 90 days."""

from django.db import models
from django.utils import timezone


class EventKind(models.TextChoices):
    HARD = "hard", "Returned: no such address"
    SOFT = "soft", "Returned for now"
    COMPLAINT = "complaint", "Marked as spam"
    UNSUBSCRIBE = "unsubscribe", "Unsubscribed at the provider"
    UNREADABLE = "unreadable", "Could not be read"


class BounceEvent(models.Model):
    """One thing that a mailbox or a provider told us of one recipient, once, however often it is told.

    Or one post of a provider's of which something could not be read; that names nobody.
    """

    class Outcome(models.TextChoices):
        IGNORED = "ignored", "None: not a mail or a subscriber of ours"
        NOTED = "noted", "Counted"
        SUPPRESSED = "suppressed", "Address suppressed"
        UNSUBSCRIBED = "unsubscribed", "Unsubscribed"

    source = models.CharField(max_length=40, help_text="“mailbox”, or the provider whose webhook it was.")
    event_id = models.CharField(max_length=100, help_text="The source's own id of it; long ones are hashed.")
    kind = models.CharField(max_length=12, choices=EventKind.choices)
    address_hash = models.CharField(max_length=64, db_index=True)
    delivery_pk = models.BigIntegerField("delivery", null=True, help_text="Empty when no delivery of ours was named.")
    mailed_at = models.DateTimeField(help_text="When that mail was handed over; when it came back, where unknown.")
    outcome = models.CharField(max_length=12, choices=Outcome.choices, default=Outcome.IGNORED)
    reason = models.CharField(max_length=255, blank=True, help_text="The other side's words, without addresses.")
    noted_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ("-pk",)
        constraints = (
            models.UniqueConstraint(fields=["source", "event_id", "kind", "address_hash"], name="one_bounce_event"),
        )

    def __str__(self) -> str:
        return f"{self.source}: {self.get_kind_display()}"
