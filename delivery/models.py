"""The ledger: what is to be told (Notice), to whom (Delivery), and how it went.

For each notice, at every moment: expected = sent + suppressed + dead + unknown + pending, where "pending"
counts rows that wait or are in a worker's hands. States only move forward; see docs/architecture.md.
"""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from delivery.credentials import CredentialsField
from pages.models import Page
from statuspage.text import BodyField, TitleField, new_code
from subscribers.models import Subscriber


class Notice(models.Model):
    """What is to be told, frozen when the update was posted: later edits do not change what goes out."""

    class Stage(models.TextChoices):
        """Where in its thread this notice stands; X posts carry a link only at both ends by default."""

        FIRST = "first", "First"
        MIDDLE = "middle", "Middle"
        LAST = "last", "Last"

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="notices")
    code = models.CharField(max_length=12, unique=True, help_text="The code of the update it tells of.")
    thread = models.CharField(max_length=12, db_index=True, help_text="Notices of one incident share it.")
    stage = models.CharField(max_length=6, choices=Stage.choices)
    title = TitleField()
    status_label = models.CharField(max_length=32, help_text="Such as “Identified”.")
    severity = models.CharField(max_length=12, help_text="The incident's impact.")
    body = BodyField(help_text="Markdown source.")
    body_html = models.TextField(help_text="The same as safe HTML.")
    link = models.URLField(max_length=400)
    component_codes = models.JSONField(default=list)
    component_lines = models.JSONField(default=list, help_text="Such as “Chat API: Partial outage”.")
    created_at = models.DateTimeField(default=timezone.now)
    cancelled_at = models.DateTimeField(null=True, blank=True)

    # Fan-out: where it stands, stored in the transaction that inserts the deliveries.
    cursor = models.BigIntegerField(default=0, help_text="The last subscriber whose delivery was inserted.")
    expanded_at = models.DateTimeField(null=True, blank=True, help_text="When every recipient had a row.")

    class Meta:
        ordering = ("-created_at", "-pk")
        indexes = (models.Index(fields=["id"], condition=Q(expanded_at=None), name="notice_to_expand"),)

    def __str__(self) -> str:
        return f"{self.status_label}: {self.title}"


class Account(models.Model):
    """A staff-owned destination on a channel, such as our X account."""

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="accounts")
    channel = models.CharField(max_length=20)
    name = TitleField(help_text="How staff call it, such as @acmestatus.")
    credentials = CredentialsField(blank=True)
    enabled = models.BooleanField(default=True)
    daily_cap = models.PositiveIntegerField(default=100, help_text="Posts a day at most (UTC); each post costs money.")
    paused_at = models.DateTimeField(null=True, blank=True, editable=False)
    pause_reason = models.CharField(max_length=255, blank=True, editable=False)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["page", "channel", "name"], name="one_account_per_name"),)

    def __str__(self) -> str:
        return self.name


class Delivery(models.Model):
    """One notice to one address."""

    class State(models.TextChoices):
        PENDING = "pending", "Waiting"
        SENDING = "sending", "Being sent"
        SENT = "sent", "Sent"
        SUPPRESSED = "suppressed", "Not sent on purpose"
        DEAD = "dead", "Failed for good"
        UNKNOWN = "unknown", "Outcome unknown"

    notice = models.ForeignKey(Notice, on_delete=models.CASCADE, related_name="deliveries")
    channel = models.CharField(max_length=20)
    address = models.CharField(max_length=320, help_text="An e-mail address, or “account:7” for an account.")
    subscriber = models.ForeignKey(Subscriber, null=True, on_delete=models.SET_NULL, related_name="+")
    account = models.ForeignKey(Account, null=True, on_delete=models.SET_NULL, related_name="+")
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    claimed_by = models.CharField(max_length=64, blank=True, help_text="The batch that holds it; new for each claim.")
    lease_until = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    ambiguous = models.BooleanField(default=False, help_text="An attempt ended without an answer: "
                                                             "the recipient may see it twice.")
    remote_id = models.CharField(max_length=64, blank=True, help_text="The other side's id, such as a post's.")
    error = models.CharField(max_length=255, blank=True, help_text="Why the last attempt failed.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints = (models.UniqueConstraint(fields=["notice", "channel", "address"], name="one_delivery_per_address"),)
        indexes = (
            models.Index(fields=["channel", "next_attempt_at", "id"], condition=Q(state="pending"), name="delivery_due"),
            models.Index(fields=["lease_until"], condition=Q(state="sending"), name="delivery_leased"),
            models.Index(fields=["notice", "channel", "state"], name="delivery_receipt"),
        )

    def __str__(self) -> str:
        return f"{self.channel} to {self.address}: {self.state}"
