"""Notices: the messages that the ledger delivers."""

from datetime import datetime

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.text import BodyField, TitleField
from pages.models import Page


class NoticeQuerySet(models.QuerySet["Notice"]):
    def for_people(self) -> "NoticeQuerySet":
        """The notices to the page's people: no heartbeats, letters or test messages."""
        return self.filter(audience=Notice.Audience.PAGE)

    def matching(self, words: str) -> "NoticeQuerySet":
        """Those with these words in their title, and those of the update or incident with this code; all for ""."""
        return self.filter(Q(title__icontains=words) | Q(code=words) | Q(thread=words)) if words else self

    def to_prune(self, before: datetime) -> "NoticeQuerySet":
        """Notices created before that moment that may be pruned, the oldest of each thread first.

        An older notice of the thread must be pruned first: claims.py suppresses a late row when a newer one of its thread
        was sent to the address, and only the newer one's row shows that.
        """
        older = Notice.objects.filter(thread=OuterRef("thread"), pk__lt=OuterRef("pk"), pruned_at=None)
        counted = self.for_people().filter(expanded_at__isnull=False, miscounted=0)
        ripe = counted.filter(pruned_at=None, created_at__lt=before)
        return ripe.exclude(Exists(older)).order_by("pk")

    def being_pruned(self) -> "NoticeQuerySet":
        return self.filter(pruned_at__isnull=False, emptied_at=None).order_by("pk")


class Notice(models.Model):
    """A message to deliver. It is frozen when the update is posted: later edits do not change what goes out."""

    class Stage(models.TextChoices):
        """The notice's place in its thread. By default only the first and the last post on X have a link."""

        FIRST = "first", _("First")
        MIDDLE = "middle", _("Middle")
        LAST = "last", _("Last")

    class Audience(models.TextChoices):
        """The recipients it is for."""

        PAGE = "page", _("The page's people")
        CANARY = "canary", _("The canary")
        ACCOUNT = "account", _("One account")
        PERSON = "person", _("One person")
        STAFF = "staff", _("Staff on call")

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="notices")
    audience = models.CharField(
        max_length=7, choices=Audience.choices, default=Audience.PAGE, db_default=Audience.PAGE, editable=False
    )
    code = models.CharField(max_length=12, unique=True, help_text=_("The code of the update it tells of."))
    thread = models.CharField(max_length=12, db_index=True, help_text=_("Notices of one incident share it."))
    stage = models.CharField(max_length=6, choices=Stage.choices)
    title = TitleField()
    status = models.CharField(
        max_length=13, blank=True, help_text=_("Such as “identified”; empty for what is no update.")
    )
    status_label = models.CharField(max_length=32, help_text=_("Such as “Identified”."))
    severity = models.CharField(max_length=12, help_text=_("The incident's impact."))
    body = BodyField(help_text=_("Markdown source."))
    body_html = models.TextField(help_text=_("The same as safe HTML."))
    link = models.URLField(max_length=400)
    component_codes = models.JSONField(default=list, help_text=_("Of the whole incident: who asked for one is told."))
    components = models.JSONField(
        default=list,
        help_text=_("What the update did to each: code, name, old_status, new_status (null: announced only)."),
    )
    incident = models.JSONField(
        default=dict, encoder=DjangoJSONEncoder, help_text=_("The incident with all its updates as they were then.")
    )
    letter = models.CharField(
        max_length=20,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text=_("To staff: which letter (delivery/mail/letters.py); empty for those of the subscribe form."),
    )
    created_at = models.DateTimeField(default=timezone.now)
    cancelled_at = models.DateTimeField(null=True, blank=True)

    # Fan-out: where it stands, stored in the transaction that inserts the deliveries.
    cursor = models.BigIntegerField(default=0, help_text=_("The last subscriber whose delivery was inserted."))
    expanded_at = models.DateTimeField(null=True, blank=True, help_text=_("When every recipient had a row."))

    # Whether its tallies are right: delivery/ledger/reconcile.py.
    checked_at = models.DateTimeField(
        null=True, blank=True, help_text=_("When its deliveries were last counted and compared with the receipt.")
    )
    miscounted = models.PositiveIntegerField(
        default=0, db_default=0, help_text=_("By how many deliveries the receipt was wrong then.")
    )

    # When only the receipt is left: delivery/ledger/retention.py.
    pruned_at = models.DateTimeField(
        null=True, blank=True, help_text=_("Since when its subscribers' deliveries are being deleted. The counts stay.")
    )
    emptied_at = models.DateTimeField(null=True, blank=True, help_text=_("When the last of those was deleted."))

    objects = NoticeQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-pk")
        indexes = (
            models.Index(fields=["id"], condition=Q(expanded_at=None), name="notice_to_expand"),
            models.Index(fields=["id"], condition=Q(miscounted__gt=0), name="notice_miscounted"),
            models.Index(fields=["created_at"], condition=Q(pruned_at=None), name="notice_to_prune"),
            models.Index(
                fields=["created_at"], condition=Q(audience__in=("account", "person")), name="notice_of_one_to_prune"
            ),
            models.Index(fields=["id"], condition=Q(pruned_at__isnull=False, emptied_at=None), name="notice_pruning"),
        )

    def __str__(self) -> str:
        return f"{self.status_label}: {self.title}"

    @property
    def is_heartbeat(self) -> bool:
        """Whether it goes to the canary's destinations only, to prove that messages arrive."""
        return self.audience == self.Audience.CANARY

    @property
    def is_letter(self) -> bool:
        """Whether it goes to one person, who waits for it."""
        return self.audience == self.Audience.PERSON
