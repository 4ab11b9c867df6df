"""Where we post on a channel as ourselves."""

from datetime import datetime

from django.db import models
from django.db.models import Max

from core.text import TitleField
from delivery import registry
from delivery.credentials import CredentialsField
from delivery.models.notices import Notice
from pages.models import Page

ACCOUNT = "account:"


class AccountQuerySet(models.QuerySet["Account"]):
    def for_people(self) -> "AccountQuerySet":
        """Those that updates are posted on: switched on, and not the canary's."""
        return self.filter(enabled=True, audience=Notice.Audience.PAGE)


class Account(models.Model):
    """A staff-owned destination on a channel, such as our X account."""

    class Links(models.TextChoices):
        ENDS = "ends", "On the first and the last post of an incident"
        ALWAYS = "always", "On every post"
        NEVER = "never", "Never"

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="accounts")
    channel = models.CharField(max_length=20, choices=registry.choices)
    name = TitleField(help_text="How staff call it, such as @acmestatus.")
    credentials = CredentialsField(blank=True)
    enabled = models.BooleanField(default=True)
    links = models.CharField(
        max_length=6, choices=Links.choices, default=Links.ENDS, help_text="On X a post with a link costs far more."
    )
    daily_cap = models.PositiveIntegerField(default=100, help_text="Posts a day at most (UTC); each post costs money.")
    cap_spares_critical = models.BooleanField(
        "critical beyond the cap", default=True, help_text="Post about critical incidents even when the cap is reached."
    )
    audience = models.CharField(
        max_length=7,
        choices=Notice.Audience.choices,
        default=Notice.Audience.PAGE,
        db_default=Notice.Audience.PAGE,
        editable=False,
        help_text="Notices for whom are posted here. The canary's account hears of heartbeats, of no update.",
    )

    objects = AccountQuerySet.as_manager()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["page", "channel", "name"], name="one_account_per_name"),)

    def __str__(self) -> str:
        return self.name

    @property
    def address(self) -> str:
        """How deliveries and pauses call it."""
        return f"{ACCOUNT}{self.pk}"

    @property
    def is_connected(self) -> bool:
        """Whether it has all the credentials its channel needs."""
        return self.channel in registry.CHANNELS and registry.load(self.channel).is_connected(self)

    @property
    def last_post_at(self) -> datetime | None:
        """When a post last got through; None when none ever did, so that nobody knows whether it works."""
        from delivery.models.deliveries import Delivery  # which refers to accounts

        posted: datetime | None = Delivery.objects.posted_by(self).aggregate(last=Max("sent_at"))["last"]
        return posted
