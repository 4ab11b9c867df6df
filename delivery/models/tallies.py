"""Tallies: how many deliveries of a notice reached or left a state. Receipts are sums of tallies."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from delivery import registry
from delivery.models.notices import Notice


class Tally(models.Model):
    """A count that is appended in the transaction that changes the deliveries (delivery/ledger/moves.py). It is never
    changed; compaction replaces many by their sums (delivery/ledger/compaction.py).

    Pending deliveries are not tallied: they are the expected ones less those that have ended.
    """

    class Outcome(models.TextChoices):
        """What a receipt counts. One delivery may count under several outcomes."""

        EXPECTED = "expected", _("Listed by fan-out")
        SENT = "sent", _("Sent; the reason says where to, when that is not the recipient")
        SUPPRESSED = "suppressed", _("Not sent on purpose")
        DEAD = "dead", _("Failed for good")
        UNKNOWN = "unknown", _("Outcome unknown")
        TROUBLED = "troubled", _("Waits, and the last attempt said why")
        RETRYING = "retrying", _("Waits, and an attempt has failed")
        AMBIGUOUS = "ambiguous", _("An attempt ended without an answer")
        BOUNCED = "bounced", _("Came back after it was sent")
        REQUEUED = "requeued", _("Put back by staff")

    ENDED = (Outcome.SENT, Outcome.SUPPRESSED, Outcome.DEAD, Outcome.UNKNOWN)

    # No constraint: checking it would lock the notice's row for each batch.
    notice = models.ForeignKey(
        Notice, on_delete=models.CASCADE, related_name="tallies", db_constraint=False, db_index=False
    )
    channel = models.CharField(max_length=20, choices=registry.choices)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    reason = models.CharField(max_length=512, blank=True, default="", db_default="")
    count = models.IntegerField(help_text=_("Negative when deliveries have left the outcome."))
    is_timed = models.BooleanField(
        default=False, db_default=False, help_text=_("Handed over by itself at this time: part of the receipt's lags.")
    )
    is_sum = models.BooleanField(default=False, db_default=False, help_text=_("Made by compaction."))
    created_at = models.DateTimeField(
        default=timezone.now, db_default=Now(), help_text=_("The database's time of the transaction, as in `sent_at`.")
    )

    class Meta:
        verbose_name_plural = _("tallies")
        indexes = (
            models.Index(fields=["notice"], name="tally_of_notice"),
            models.Index(fields=["notice"], condition=Q(is_sum=False), name="tally_to_compact"),
        )

    def __str__(self) -> str:
        return f"{self.channel}: {self.count:+} {self.outcome}"
