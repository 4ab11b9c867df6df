"""Accounts: destinations on a channel that staff own."""

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from core.text import TitleField
from delivery import registry
from delivery.credentials import CredentialsField
from delivery.models.notices import Notice
from pages.models import Page

ACCOUNT = "account:"


class AccountQuerySet(models.QuerySet["Account"]):
    def for_people(self) -> "AccountQuerySet":
        """The accounts that updates are posted on: enabled, and not the canary's."""
        return self.filter(enabled=True, audience=Notice.Audience.PAGE)


class Account(models.Model):
    """A staff-owned destination on a channel, such as our X account."""

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="accounts")
    channel = models.CharField(max_length=20, choices=registry.choices)
    name = TitleField(help_text=_("How staff call it, such as @acmestatus."))
    credentials = CredentialsField(blank=True)
    enabled = models.BooleanField(default=True)
    options = models.JSONField(
        default=dict, blank=True, help_text=_("What its channel's form asks, without the secrets.")
    )
    refusal = models.CharField(
        max_length=255, blank=True, editable=False, help_text=_("Why the other side refused the secrets when asked.")
    )
    audience = models.CharField(
        max_length=7,
        choices=Notice.Audience.choices,
        default=Notice.Audience.PAGE,
        db_default=Notice.Audience.PAGE,
        editable=False,
        help_text=_("Notices for whom are posted here. The canary's account hears of heartbeats, of no update."),
    )

    objects = AccountQuerySet.as_manager()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["page", "channel", "name"], name="one_account_per_name"),)

    def __str__(self) -> str:
        return self.name

    @property
    def address(self) -> str:
        """The address in deliveries and pauses: “account:7”, or the option `address` on a channel that writes to people."""
        if self.channel in registry.CHANNELS and not registry.load(self.channel).for_accounts:
            return str(self.option("address"))
        return f"{ACCOUNT}{self.pk}"

    @property
    def is_connected(self) -> bool:
        """Whether it has all required secrets and the other side did not refuse them."""
        return self.channel in registry.CHANNELS and registry.load(self.channel).is_connected(self)

    def option(self, name: str) -> Any:
        """The stored option, or the initial value in the channel's form. Raises KeyError for an unknown name."""
        return self.options.get(name, registry.load(self.channel).Options.base_fields[name].initial)
