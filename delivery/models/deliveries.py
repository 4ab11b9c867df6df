"""Deliveries: one row for each recipient of a notice, with its state."""

from collections.abc import Collection
from datetime import datetime

from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from delivery import registry
from delivery.contract import Remote
from delivery.models.accounts import ACCOUNT, Account
from delivery.models.notices import Notice
from delivery.models.pauses import Pause
from subscribers.models import Subscriber


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def pending(self) -> "DeliveryQuerySet":
        return self.filter(state=Delivery.State.PENDING)

    def waiting(self) -> "DeliveryQuerySet":
        """The rows that a receipt counts as pending: waiting, or claimed by a worker."""
        return self.filter(state__in=Delivery.WAITING)

    def of_subscribers(self) -> "DeliveryQuerySet":
        """The deliveries to people. Those of accounts hold no personal address and are needed as long as the incident is
        shown: later posts reply to the first one, and public documents show a post's id."""
        return self.filter(account=None).exclude(address__startswith=ACCOUNT)

    def due(self, channel: str, closed: Collection[str] | None = None) -> "DeliveryQuerySet":
        """Pending rows of a channel whose `next_attempt_at` has come, except on paused accounts; ordered by rank and notice,
        longest due first. delivery/ledger/order.py says which notice goes first.

        `closed`: the keys of pauses that must not be probed yet; read from the database if not given.
        """
        ready = self.pending().filter(channel=channel, next_attempt_at__lte=Now())
        if closed is None:
            closed = list(Pause.objects.closed().values_list("key", flat=True))
        if channel in closed:
            return ready.none()
        return ready.exclude(address__in=closed).order_by("rank", "notice_id", "next_attempt_at")

    def expired(self) -> "DeliveryQuerySet":
        """Claimed rows whose lease has ended, because their worker died or hangs."""
        return self.filter(state=Delivery.State.SENDING, lease_until__lte=Now())

    def first_post(self, account: Account, thread: str) -> Remote:
        """The other side's ids of the first post in a thread; {} when there is none yet."""
        posted = self.filter(account=account, notice__thread=thread, state=Delivery.State.SENT)
        return posted.exclude(remote={}).order_by("pk").values_list("remote", flat=True).first() or {}

    def posted_by(self, account: Account) -> "DeliveryQuerySet":
        return self.filter(account=account, state=Delivery.State.SENT)

    def posted_since(self, account: Account, since: datetime) -> int:
        return self.posted_by(account).filter(sent_at__gte=since).count()


class Delivery(models.Model):
    """One notice to one address."""

    class State(models.TextChoices):
        PENDING = "pending", _("Waiting")
        SENDING = "sending", _("Being sent")
        SENT = "sent", _("Sent")
        SUPPRESSED = "suppressed", _("Not sent on purpose")
        DEAD = "dead", _("Failed for good")
        UNKNOWN = "unknown", _("Outcome unknown")

    class Rank(models.IntegerChoices):
        """The order of sending. A heartbeat that waits behind a million mails could not measure whether messages arrive."""

        HEARTBEAT = 0, _("Heartbeat")
        ACCOUNT = 10, _("Account")
        LETTER = 20, _("Letter")
        SUBSCRIBER = 30, _("Subscriber")

    WAITING = (State.PENDING, State.SENDING)

    # A row costs what its indexes and constraints cost, four times over: inserted, claimed, recorded, pruned. So the
    # database checks none of these keys (checking would lock and rewrite each subscriber's row: a quarter of the
    # fan-out). Fan-out holds the lock on its notice; a claim takes a subscriber or an account that is gone for deleted.
    notice = models.ForeignKey(
        Notice, on_delete=models.CASCADE, related_name="deliveries", db_constraint=False, db_index=False
    )
    channel = models.CharField(max_length=20, choices=registry.choices)
    address = models.CharField(max_length=320, help_text=_("An e-mail address, or “account:7” for an account."))
    subscriber = models.ForeignKey(
        Subscriber, null=True, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    account = models.ForeignKey(
        Account, null=True, on_delete=models.SET_NULL, related_name="+", db_constraint=False, db_index=False
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING, db_default=State.PENDING)
    rank = models.PositiveSmallIntegerField(choices=Rank.choices, default=Rank.SUBSCRIBER, db_default=Rank.SUBSCRIBER)
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    next_attempt_at = models.DateTimeField(default=timezone.now, db_default=Now())
    claimed_by = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text=_("The batch that holds it; new for each claim."),
    )
    lease_until = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    ambiguous = models.BooleanField(
        default=False,
        db_default=False,
        help_text=_("An attempt ended without an answer: the recipient may see it twice."),
    )
    remote = models.JSONField(
        default=dict, db_default=Value({}, models.JSONField()), blank=True, help_text=_("The other side's ids.")
    )
    error = models.CharField(
        max_length=255, blank=True, default="", db_default="", help_text=_("Why the last attempt failed.")
    )
    again = models.BooleanField(
        default=False,
        db_default=False,
        help_text=_("Staff queued it again, so how late it is says nothing of how quick we are."),
    )
    bounced_at = models.DateTimeField(null=True, blank=True, help_text=_("When it came back after it was sent."))
    queued_at = models.DateTimeField(
        default=timezone.now, db_default=Now(), help_text=_("When it began to wait; staff may queue it again.")
    )

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = _("deliveries")
        # Defaults live in the database too: fan-out inserts rows by INSERT … SELECT of four columns.
        constraints = (
            models.UniqueConstraint(fields=["notice", "channel", "address"], name="one_delivery_per_address"),
            models.CheckConstraint(condition=~Q(state="sent") | Q(sent_at__isnull=False), name="sent_has_a_time"),
            models.CheckConstraint(
                condition=~Q(state="sending") | Q(lease_until__isnull=False), name="sending_has_a_lease"
            ),
        )
        indexes = (
            models.Index(
                fields=["channel", "rank", "notice", "next_attempt_at"],
                condition=Q(state="pending"),
                name="delivery_due",
            ),
            models.Index(fields=["lease_until"], condition=Q(state="sending"), name="delivery_leased"),
            # All three columns: of a notice that is new to its statistics, PostgreSQL takes the index that matches most.
            models.Index(
                fields=["notice", "channel", "state"],
                condition=Q(state__in=("dead", "unknown")),
                name="delivery_failed",
            ),
            models.Index(fields=["account"], condition=Q(account__isnull=False), name="delivery_of_account"),
        )

    def __str__(self) -> str:
        return f"{self.channel} delivery {self.pk}: {self.state}"
