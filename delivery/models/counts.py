"""The receipt of a notice whose deliveries are all done."""

from django.db import models
from django.db.models import F, Q

from delivery import registry
from delivery.models.notices import Notice


class FinalCount(models.Model):
    """One channel's line of a settled notice's receipt. It outlives the deliveries that it counts.

    Nothing is pending once it stands: expected = sent + suppressed + dead + unknown, and the database insists.
    """

    notice = models.ForeignKey(Notice, on_delete=models.CASCADE, related_name="final_counts")
    channel = models.CharField(max_length=20, choices=registry.choices)
    expected = models.PositiveIntegerField()
    sent = models.PositiveIntegerField()
    suppressed = models.PositiveIntegerField()
    dead = models.PositiveIntegerField()
    unknown = models.PositiveIntegerField()
    possible_duplicates = models.PositiveIntegerField()
    bounced = models.PositiveIntegerField(default=0, db_default=0)
    lag_p50_seconds = models.FloatField(null=True)
    lag_p95_seconds = models.FloatField(null=True)
    lag_max_seconds = models.FloatField(null=True)
    errors = models.JSONField(default=list, help_text="Why some failed: [reason, count], most frequent first.")
    spared = models.JSONField(default=list, help_text="Why some were not sent on purpose, likewise.")
    unconnected = models.JSONField(default=list, help_text="Accounts without credentials: [key, name].")
    where = models.CharField(
        max_length=400, blank=True, help_text="Set when messages went elsewhere, such as to files."
    )

    class Meta:
        ordering = ("channel",)
        constraints = (
            models.UniqueConstraint(fields=["notice", "channel"], name="one_final_count_per_channel"),
            models.CheckConstraint(
                condition=Q(expected=F("sent") + F("suppressed") + F("dead") + F("unknown")),
                name="final_count_balances",
            ),
        )

    def __str__(self) -> str:
        return f"{self.channel}: {self.sent} of {self.expected} sent"
