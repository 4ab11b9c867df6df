"""What delays deliveries: pauses of channels and accounts that reach nobody, and token buckets for rates."""

from datetime import timedelta

from django.db import models
from django.db.models import ExpressionWrapper, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class PauseQuerySet(models.QuerySet["Pause"]):
    def closed(self) -> "PauseQuerySet":
        """The pauses whose next probe is not due yet."""
        return self.filter(probe_at__gt=Now())

    def by_key(self) -> dict[str, bool]:
        """By key of what is paused, whether it is closed: its next probe is not due yet."""
        closed = ExpressionWrapper(Q(probe_at__gt=Now()), output_field=models.BooleanField())
        return dict(self.annotate(is_closed=closed).values_list("key", "is_closed"))

    def begin(self, key: str, reason: str, retry_after: float | None = None) -> None:
        """Start a pause, or prolong it after a failed probe: `retry_after` seconds, or 10 s doubled each time up to 5
        minutes."""
        pause, is_new = self.get_or_create(key=key, defaults={"reason": reason[:255], "probe_at": timezone.now()})
        failures = 1 if is_new else pause.failures + 1
        seconds = retry_after or min(10 * 2 ** min(failures - 1, 10), 300)
        self.filter(key=key).update(reason=reason[:255], failures=failures, probe_at=Now() + timedelta(seconds=seconds))


class Pause(models.Model):
    """A channel ("email") or an account ("account:7") that can reach nobody now, for example because of refused
    credentials.

    Until `probe_at` nothing is claimed for it. Then a small batch, the probe, tries again; its first success deletes the
    pause.
    """

    key = models.CharField(max_length=40, primary_key=True)
    reason = models.CharField(max_length=255)
    failures = models.PositiveIntegerField(default=1)
    since = models.DateTimeField(default=timezone.now)
    probe_at = models.DateTimeField()

    objects = PauseQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.key}: {self.reason}"


class Bucket(models.Model):
    """A token bucket: how much a channel ("email") may send now, or a channel to one domain ("email:example.com"). See
    delivery/ledger/rates.py."""

    key = models.CharField(max_length=300, primary_key=True)
    tokens = models.FloatField(help_text=_("Messages that might go out at once, at `filled_at`."))
    filled_at = models.DateTimeField()
    booked_until = models.DateTimeField(help_text=_("When the last of those who had to wait has its turn."))

    def __str__(self) -> str:
        return self.key
