"""Heartbeats, their messages with the times of arrival, and alarms."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from core.text import new_code


def new_heartbeat_code() -> str:
    """A code one character shorter than a notice's: each notice of the heartbeat appends its number."""
    return new_code()[:-1]


class HeartbeatQuerySet(models.QuerySet["Heartbeat"]):
    def due(self) -> "HeartbeatQuerySet":
        """Heartbeats that must have arrived by now, newest first."""
        return self.filter(published_at__lte=Now() - deadline()).order_by("-pk")


class Heartbeat(models.Model):
    """Several notices to the canary's destinations at once, so that a relay that loses some mails is noticed as well."""

    code = models.CharField(max_length=11, unique=True, default=new_heartbeat_code)
    slot = models.BigIntegerField(
        null=True,
        unique=True,
        help_text=_("Half a period's number since 1970, so that two clocks make one; empty: asked for."),
    )
    published_at = models.DateTimeField(db_default=Now(), db_index=True)

    objects = HeartbeatQuerySet.as_manager()

    def __str__(self) -> str:
        return self.code


class ProbeQuerySet(models.QuerySet["Probe"]):
    def arrived_in_time(self) -> "ProbeQuerySet":
        return self.filter(arrived_at__lte=models.F("heartbeat__published_at") + deadline())


class Probe(models.Model):
    """One message of a heartbeat to one destination."""

    class Destination(models.TextChoices):
        MAIL = "email", _("Mail")
        WEBHOOK = "webhook", _("Webhook")

    heartbeat = models.ForeignKey(Heartbeat, on_delete=models.CASCADE, related_name="probes")
    code = models.CharField(max_length=12, help_text=_("The notice's."))
    destination = models.CharField(max_length=8, choices=Destination.choices)
    arrived_at = models.DateTimeField(null=True, blank=True)

    objects = ProbeQuerySet.as_manager()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["code", "destination"], name="one_probe_per_destination"),)

    def __str__(self) -> str:
        return f"{self.code} by {self.get_destination_display()}"


class AlarmQuerySet(models.QuerySet["Alarm"]):
    def open(self) -> "AlarmQuerySet":
        return self.filter(cleared_at=None)

    def claim(self, pk: int, lasting: timedelta) -> bool:
        """Claim an alarm in order to send it; False when another watch has claimed it."""
        free = Q(claimed_until=None) | Q(claimed_until__lte=Now())
        return self.filter(free, pk=pk).update(claimed_until=Now() + lasting) == 1


class Alarm(models.Model):
    """A fault that staff are told of: once when it is raised, again every hour, and once when it is cleared."""

    key = models.CharField(max_length=64, help_text=_("What is wrong; one open alarm each."))
    text = models.TextField(help_text=_("What is wrong now, in sentences."))
    raised_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now(), help_text=_("When a watcher last found it so."))
    cleared_at = models.DateTimeField(null=True, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True, help_text=_("A watcher tells of it until then."))
    told: Any = models.JSONField(
        default=dict, help_text=_("By alarm channel: what it was told last (raised, cleared) and when.")
    )
    trouble = models.TextField(blank=True, default="", help_text=_("Which alarm channels could not be told, and why."))

    objects = AlarmQuerySet.as_manager()

    class Meta:
        ordering = ("-pk",)
        constraints = (models.UniqueConstraint(fields=["key"], condition=Q(cleared_at=None), name="one_open_alarm"),)

    def __str__(self) -> str:
        return f"{self.key}: {self.text}"


def deadline() -> timedelta:
    return timedelta(seconds=settings.CANARY_DEADLINE_SECONDS)
