"""The ledger: what is to be told (Notice), to whom (Delivery), and how it went.

For each notice, at every moment: expected = sent + suppressed + dead + unknown + pending, where "pending"
counts rows that wait or are in a worker's hands. States only move forward; see docs/architecture.md.
"""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Exists, F, Max, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone

from core.text import BodyField, TitleField
from delivery import registry
from delivery.credentials import CredentialsField
from delivery.mail.bounces.models import BounceEvent  # noqa: F401 (one of this app's)
from pages.models import Page
from subscribers.models import Subscriber

ACCOUNT = "account:"


class NoticeQuerySet(models.QuerySet["Notice"]):
    def for_people(self) -> "NoticeQuerySet":
        """Without heartbeats, which tell nobody anything."""
        return self.filter(heartbeat=False)

    def unsettled(self) -> "NoticeQuerySet":
        """Those whose every recipient has a row, and whose counts are not kept yet; oldest first."""
        return self.for_people().filter(settled_at=None, expanded_at__isnull=False).order_by("pk")

    def to_prune(self, before: datetime) -> "NoticeQuerySet":
        """Settled ones from before that moment, in a thread the oldest first: who is told an old update late is
        spared it when a newer one got there (claims.py), and only the newer one's row says so."""
        older = Notice.objects.filter(thread=OuterRef("thread"), pk__lt=OuterRef("pk"), pruned_at=None)
        ripe = self.filter(pruned_at=None, settled_at__isnull=False, created_at__lt=before)
        return ripe.exclude(Exists(older)).order_by("pk")

    def being_pruned(self) -> "NoticeQuerySet":
        return self.filter(pruned_at__isnull=False, emptied_at=None).order_by("pk")


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
    heartbeat = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Goes to the canary's own destinations alone, to show that messages arrive.",
    )
    created_at = models.DateTimeField(default=timezone.now)
    cancelled_at = models.DateTimeField(null=True, blank=True)

    # Fan-out: where it stands, stored in the transaction that inserts the deliveries.
    cursor = models.BigIntegerField(default=0, help_text="The last subscriber whose delivery was inserted.")
    expected = models.JSONField(default=dict, help_text="Rows inserted so far, by channel.")
    expanded_at = models.DateTimeField(null=True, blank=True, help_text="When every recipient had a row.")

    # The receipt's way from rows to counts: delivery/ledger/retention.py.
    settled_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when its counts are kept; empty while any recipient waits."
    )
    pruned_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when its subscribers' deliveries are being deleted. The counts stay."
    )
    emptied_at = models.DateTimeField(null=True, blank=True, help_text="When the last of those was deleted.")

    objects = NoticeQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-pk")
        indexes = (
            models.Index(fields=["id"], condition=Q(expanded_at=None), name="notice_to_expand"),
            models.Index(fields=["id"], condition=Q(settled_at=None, heartbeat=False), name="notice_to_settle"),
            models.Index(fields=["created_at"], condition=Q(pruned_at=None), name="notice_to_prune"),
            models.Index(fields=["id"], condition=Q(pruned_at__isnull=False, emptied_at=None), name="notice_pruning"),
        )

    def __str__(self) -> str:
        return f"{self.status_label}: {self.title}"


class AccountQuerySet(models.QuerySet["Account"]):
    def for_people(self) -> "AccountQuerySet":
        """Those that updates are posted on: switched on, and not the canary's."""
        return self.filter(enabled=True, heartbeats_only=False)


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
    heartbeats_only = models.BooleanField(
        default=False, db_default=False, editable=False, help_text="The canary's: it hears of heartbeats, of no update."
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
        posted: datetime | None = Delivery.objects.posted_by(self).aggregate(last=Max("sent_at"))["last"]
        return posted


class PauseQuerySet(models.QuerySet["Pause"]):
    def closed(self) -> "PauseQuerySet":
        """Those whose next probe is not due yet."""
        return self.filter(probe_at__gt=Now())

    def begin(self, key: str, reason: str, retry_after: float | None = None) -> None:
        """Start a pause, or prolong it after a probe that failed: 10 s, doubled each time up to 5 minutes."""
        pause, is_new = self.get_or_create(key=key, defaults={"reason": reason[:255], "probe_at": timezone.now()})
        failures = 1 if is_new else pause.failures + 1
        seconds = retry_after or min(10 * 2 ** min(failures - 1, 10), 300)
        self.filter(key=key).update(reason=reason[:255], failures=failures, probe_at=Now() + timedelta(seconds=seconds))


class Pause(models.Model):
    """A channel ("email") or an account ("account:7") that can reach nobody: refused credentials, no server.

    While it is closed nothing is claimed for it and no attempt is counted. From `probe_at` on a small batch
    tries again; the first success deletes the row.
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
    """How much may still be sent now: by a channel ("email"), or to a domain ("email:example.com"). See rates.py."""

    key = models.CharField(max_length=300, primary_key=True)
    tokens = models.FloatField(help_text="Messages that might go out at once, at `filled_at`.")
    filled_at = models.DateTimeField()
    booked_until = models.DateTimeField(help_text="When the last of those who had to wait has its turn.")

    def __str__(self) -> str:
        return self.key


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def pending(self) -> "DeliveryQuerySet":
        return self.filter(state=Delivery.State.PENDING)

    def waiting(self) -> "DeliveryQuerySet":
        """What a receipt calls pending: in a worker's hands, too."""
        return self.filter(state__in=Delivery.WAITING)

    def of_subscribers(self) -> "DeliveryQuerySet":
        """Without those of accounts: few, nobody's address, and asked for as long as the incident is shown (the
        first post that later ones reply to, a post's id in the public documents)."""
        return self.filter(account=None).exclude(address__startswith=ACCOUNT)

    def due(self, channel: str) -> "DeliveryQuerySet":
        """Waiting rows of a channel whose time has come, except on paused accounts; oldest first."""
        ready = self.pending().filter(channel=channel, next_attempt_at__lte=Now())
        closed = list(Pause.objects.closed().values_list("key", flat=True))
        if channel in closed:
            return ready.none()
        return ready.exclude(address__in=closed).order_by("next_attempt_at", "pk")

    def expired(self) -> "DeliveryQuerySet":
        """Rows whose worker has not come back in time."""
        return self.filter(state=Delivery.State.SENDING, lease_until__lte=Now())

    def first_post(self, account: Account, thread: str) -> str:
        """The other side's id of the first post in a thread; "" when there is none yet."""
        posted = self.filter(account=account, notice__thread=thread, state=Delivery.State.SENT)
        return posted.exclude(remote_id="").order_by("pk").values_list("remote_id", flat=True).first() or ""

    def posted_by(self, account: Account) -> "DeliveryQuerySet":
        return self.filter(account=account, state=Delivery.State.SENT)

    def posted_since(self, account: Account, since: datetime) -> int:
        return self.posted_by(account).filter(sent_at__gte=since).count()


class Delivery(models.Model):
    """One notice to one address."""

    class State(models.TextChoices):
        PENDING = "pending", "Waiting"
        SENDING = "sending", "Being sent"
        SENT = "sent", "Sent"
        SUPPRESSED = "suppressed", "Not sent on purpose"
        DEAD = "dead", "Failed for good"
        UNKNOWN = "unknown", "Outcome unknown"

    WAITING = (State.PENDING, State.SENDING)

    # A row costs what its indexes and constraints cost, four times over: inserted, claimed, recorded, pruned. So the
    # database checks none of these keys (checking would lock and rewrite each subscriber's row: a quarter of the
    # fan-out). Fan-out holds the lock on its notice; a claim takes a subscriber or an account that is gone for deleted.
    notice = models.ForeignKey(
        Notice, on_delete=models.CASCADE, related_name="deliveries", db_constraint=False, db_index=False
    )
    channel = models.CharField(max_length=20, choices=registry.choices)
    address = models.CharField(max_length=320, help_text="An e-mail address, or “account:7” for an account.")
    subscriber = models.ForeignKey(
        Subscriber, null=True, on_delete=models.DO_NOTHING, related_name="+", db_constraint=False, db_index=False
    )
    account = models.ForeignKey(
        Account, null=True, on_delete=models.SET_NULL, related_name="+", db_constraint=False, db_index=False
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING, db_default=State.PENDING)
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    next_attempt_at = models.DateTimeField(default=timezone.now, db_default=Now())
    claimed_by = models.CharField(
        max_length=64, blank=True, default="", db_default="", help_text="The batch that holds it; new for each claim."
    )
    lease_until = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    ambiguous = models.BooleanField(
        default=False,
        db_default=False,
        help_text="An attempt ended without an answer: the recipient may see it twice.",
    )
    remote_id = models.CharField(
        max_length=64, blank=True, default="", db_default="", help_text="The other side's id, such as a post's."
    )
    error = models.CharField(
        max_length=255, blank=True, default="", db_default="", help_text="Why the last attempt failed."
    )
    bounced_at = models.DateTimeField(null=True, blank=True, help_text="When it came back after it was sent.")
    queued_at = models.DateTimeField(
        default=timezone.now, db_default=Now(), help_text="When it began to wait; staff may queue it again."
    )

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "deliveries"
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
                fields=["channel", "next_attempt_at", "id"], condition=Q(state="pending"), name="delivery_due"
            ),
            models.Index(fields=["lease_until"], condition=Q(state="sending"), name="delivery_leased"),
            models.Index(fields=["account"], condition=Q(account__isnull=False), name="delivery_of_account"),
        )

    def __str__(self) -> str:
        return f"{self.channel} delivery {self.pk}: {self.state}"


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
