"""Who asked to be told, about what; and who must never be told again."""

import hashlib
import hmac
from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from components.models import Component
from pages.models import Page
from statuspage.text import new_code


def address_hash(channel: str, address: str) -> str:
    """Keyed hash of a normalised address: it can be compared, but not read back (64 hex digits)."""
    key = settings.SECRET_KEY.encode() + b"subscribers.address_hash"
    return hmac.new(key, f"{channel}:{address}".encode(), hashlib.sha256).hexdigest()


class SubscriberQuerySet(models.QuerySet["Subscriber"]):
    def active(self) -> "SubscriberQuerySet":
        return self.filter(state=Subscriber.State.ACTIVE)

    def about(self, page: Page, component_codes: list[str], incident_code: str) -> "SubscriberQuerySet":
        """Active subscribers of a page who want to hear of these components or of this incident."""
        choices = Subscriber.components.through.objects.filter(subscriber_id=OuterRef("pk"))
        chosen = choices.filter(component__code__in=component_codes)
        everything = ~Exists(choices)
        whole_page = Q(incident_code="") & (Q(everything) | Q(Exists(chosen)))
        return self.active().filter(whole_page | Q(incident_code=incident_code), page=page)


class Subscriber(models.Model):
    class State(models.TextChoices):
        PENDING = "pending", "Waiting for confirmation"
        ACTIVE = "active", "Active"
        UNSUBSCRIBED = "unsubscribed", "Unsubscribed"

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="subscribers")
    code = models.CharField(max_length=12, unique=True, default=new_code, editable=False)
    channel = models.CharField(max_length=20, default="email")
    address = models.CharField(max_length=320, help_text="Normalised: lower-case domain, as it is sent to.")
    state = models.CharField(max_length=12, choices=State.choices, default=State.PENDING)
    components = models.ManyToManyField(Component, blank=True, related_name="+",
                                        help_text="None chosen means all of them.")
    incident_code = models.CharField(max_length=12, blank=True, help_text="Set: only about this one incident.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    unsubscribed_at = models.DateTimeField(null=True, blank=True)

    objects = SubscriberQuerySet.as_manager()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["page", "channel", "address", "incident_code"],
                                               name="one_subscription_per_address"),)
        indexes = (models.Index(fields=["page", "state", "id"]),)

    def __str__(self) -> str:
        return self.address

    def confirm(self, now: datetime) -> bool:
        """Become active; False when that was already so. A link scanner never gets here: POST only."""
        changed = Subscriber.objects.filter(pk=self.pk).exclude(state=self.State.ACTIVE).update(
            state=self.State.ACTIVE, confirmed_at=now, unsubscribed_at=None)
        self.refresh_from_db()
        return bool(changed)

    def unsubscribe(self, now: datetime) -> bool:
        """Leave; False when that was already so."""
        changed = Subscriber.objects.filter(pk=self.pk).exclude(state=self.State.UNSUBSCRIBED).update(
            state=self.State.UNSUBSCRIBED, unsubscribed_at=now)
        self.refresh_from_db()
        return bool(changed)


class Confirmation(models.Model):
    """A confirmation mail that somebody asked for. The row is the queue; delivery sends what is due.

    It keeps no address of its own but a hash, so that the limits hold after a subscriber is deleted.
    """

    class State(models.TextChoices):
        PENDING = "pending", "Waiting"
        SENDING = "sending", "Being sent"
        SENT = "sent", "Sent"
        DEAD = "dead", "Failed"

    subscriber = models.ForeignKey(Subscriber, null=True, on_delete=models.SET_NULL, related_name="confirmations")
    address_hash = models.CharField(max_length=64, db_index=True)
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    requested_at = models.DateTimeField(default=timezone.now, db_index=True)
    error = models.CharField(max_length=255, blank=True)

    def __str__(self) -> str:
        return f"confirmation {self.pk} ({self.state})"


class SuppressionQuerySet(models.QuerySet["Suppression"]):
    def covers(self, channel: str, address: str) -> bool:
        return self.filter(channel=channel, address_hash=address_hash(channel, address)).exists()


class Suppression(models.Model):
    """An address that must not be written to. Only a hash, so it may outlive the subscriber."""

    class Reason(models.TextChoices):
        HARD_BOUNCE = "hard_bounce", "The address does not exist"
        COMPLAINT = "complaint", "Marked as spam"
        MANUAL = "manual", "Added by staff"

    channel = models.CharField(max_length=20, default="email")
    address_hash = models.CharField(max_length=64)
    reason = models.CharField(max_length=12, choices=Reason.choices)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = SuppressionQuerySet.as_manager()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["channel", "address_hash"], name="one_suppression"),)

    def __str__(self) -> str:
        return f"{self.channel} {self.address_hash[:8]} ({self.reason})"
