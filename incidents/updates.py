"""What was told: the updates of an incident, and the components that each of them touched."""

from __future__ import annotations

from itertools import groupby

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Prefetch
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from components.models import Component
from components.status import Impact, Status, roll_up
from core.markdown import render_markdown
from core.text import BodyField, TitleField, clean_text, new_code
from incidents.phases import Phase
from pages.models import record_audit


class StaleUpdateError(Exception):
    """Somebody else posted meanwhile. `newer` holds their updates, oldest first."""

    def __init__(self, newer: list[Update]) -> None:
        super().__init__("The incident has newer updates than the one you were looking at.")
        self.newer = newer


class Update(models.Model):
    """One timestamped message on an incident."""

    incident = models.ForeignKey("incidents.Incident", on_delete=models.CASCADE, related_name="updates")
    code = models.CharField(max_length=12, unique=True, default=new_code, editable=False)
    status = models.CharField(max_length=13, choices=Phase.choices)
    body = BodyField(help_text=_("Markdown."))
    body_html = models.TextField(editable=False)
    author = TitleField(help_text=_("Who posted it; staff see this, visitors do not."))
    token = models.CharField(max_length=64, null=True, blank=True, unique=True, editable=False)
    deliver_notifications = models.BooleanField(default=True)
    display_at = models.DateTimeField(default=timezone.now, help_text=_("The time shown to visitors."))
    listed_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text=_("Its place among the others, where that is not its time.")
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        app_label = "incidents"
        ordering = (Coalesce("listed_at", "display_at").desc(), "-pk")

    def __str__(self) -> str:
        return f"{self.get_status_display()} on {self.incident}"

    @property
    def is_announcement(self) -> bool:
        """Of maintenance that lies ahead: it changes no component yet."""
        return self.status == Phase.SCHEDULED

    def rewrite(self, body: str, *, actor: str) -> None:
        """Correct the text of a posted update. Nobody is told again. Raises ValidationError when it is empty."""
        body = clean_text(body)
        if not body:
            raise ValidationError({"body": _("Write what visitors should know.")})
        with transaction.atomic():
            page = self.incident.page.raise_generation()
            before, self.body, self.body_html = self.body, body, render_markdown(body)
            self.updated_at = timezone.now()
            self.save(update_fields=["body", "body_html", "updated_at"])
            self.incident.updated_at = self.updated_at
            self.incident.save(update_fields=["updated_at"])
            record_audit(page, actor, "update.rewrite", self.incident.name, update=self.code, before=before, after=body)


class AffectedQuerySet(models.QuerySet["Affected"]):
    def labelled(self) -> AffectedQuerySet:
        """With what `label` needs."""
        return self.prefetch_related(Prefetch("component", Component.objects.labelled()))

    def worst_impact(self) -> Impact:
        """The worst that an incident ever said of its components, taken together."""
        worst = Impact.NONE
        said: dict[str, Status] = {}
        for _update, rows in groupby(self.order_by("update_id", "pk"), key=lambda row: row.update_id):
            said |= {row.code: Status(row.effect) for row in rows}
            worst = max(worst, roll_up(said.values()).indicator, key=lambda impact: impact.rank)
        return worst


class Affected(models.Model):
    """A component that an update touched, as it was called then: the status that it showed before and after, and
    what the incident itself says of it (another one may say worse)."""

    update = models.ForeignKey(Update, on_delete=models.CASCADE, related_name="affected")
    component = models.ForeignKey(Component, null=True, on_delete=models.SET_NULL, related_name="+")
    code = models.CharField(max_length=12)
    name = TitleField(max_length=520)
    effect = models.IntegerField(choices=Status.choices, help_text=_("What the incident itself says."))
    old_status = models.IntegerField(choices=Status.choices)
    new_status = models.IntegerField(choices=Status.choices)

    objects = AffectedQuerySet.as_manager()

    class Meta:
        app_label = "incidents"
        ordering = ("pk",)
        constraints = (models.UniqueConstraint(fields=["update", "code"], name="touched_once_per_update"),)

    def __str__(self) -> str:
        return f"{self.name}: {Status(self.new_status).label}"

    @property
    def label(self) -> str:
        """What people call the component now, unless it had another name then."""
        component = self.component
        return component.label if component and component.full_name == self.name else self.name
