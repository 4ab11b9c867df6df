"""What the receipts are sums of: how many deliveries of a notice came to, or left, a state."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from delivery import registry
from delivery.models.notices import Notice


class Tally(models.Model):
    """Appended in the transaction that moves the deliveries (delivery/ledger/moves.py), never changed. Compaction
    replaces many by their sums (delivery/ledger/compaction.py).

    How many wait is not tallied: it is what was expected less what has ended.
    """

    class Outcome(models.TextChoices):
        """What a receipt counts. One delivery may count under several."""

        EXPECTED = "expected", "Listed by fan-out"
        SENT = "sent", "Sent; the reason says where to, when that is not the recipient"
        SUPPRESSED = "suppressed", "Not sent on purpose"
        DEAD = "dead", "Failed for good"
        UNKNOWN = "unknown", "Outcome unknown"
        TROUBLED = "troubled", "Waits, and the last attempt said why"
        RETRYING = "retrying", "Waits, and an attempt has failed"
        AMBIGUOUS = "ambiguous", "An attempt ended without an answer"
        BOUNCED = "bounced", "Came back after it was sent"
        REQUEUED = "requeued", "Put back by staff"

    ENDED = (Outcome.SENT, Outcome.SUPPRESSED, Outcome.DEAD, Outcome.UNKNOWN)

    # No constraint: checking it would lock the notice's row for each batch.
    notice = models.ForeignKey(
        Notice, on_delete=models.CASCADE, related_name="tallies", db_constraint=False, db_index=False
    )
    channel = models.CharField(max_length=20, choices=registry.choices)
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    reason = models.CharField(max_length=512, blank=True, default="", db_default="")
    count = models.IntegerField(help_text="Negative when deliveries have left the outcome.")
    is_timed = models.BooleanField(
        default=False, db_default=False, help_text="Handed over by itself at this time: part of the receipt's lags."
    )
    is_sum = models.BooleanField(default=False, db_default=False, help_text="Made by compaction.")
    created_at = models.DateTimeField(
        default=timezone.now, db_default=Now(), help_text="The database's time of the transaction, as in `sent_at`."
    )

    class Meta:
        verbose_name_plural = "tallies"
        indexes = (
            models.Index(fields=["notice"], name="tally_of_notice"),
            models.Index(fields=["notice"], condition=Q(is_sum=False), name="tally_to_compact"),
        )

    def __str__(self) -> str:
        return f"{self.channel}: {self.count:+} {self.outcome}"
