"""Incidents and planned maintenance: one model, told in updates. `Incident.post_update()` is the only writer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from components.models import Component
from components.status import Impact, Status, roll_up
from incidents.notices import publish_notice
from pages.models import Page, record_audit
from statuspage.markdown import render_markdown
from statuspage.text import BodyField, TitleField, clean_text, new_code

if TYPE_CHECKING:
    from delivery.models import Notice


class Kind(models.TextChoices):
    INCIDENT = "incident", "Incident"
    MAINTENANCE = "maintenance", "Maintenance"


class Phase(models.TextChoices):
    """How far an incident is: the first five for incidents, the last four for maintenance."""

    INVESTIGATING = "investigating", "Investigating"
    IDENTIFIED = "identified", "Identified"
    MONITORING = "monitoring", "Monitoring"
    RESOLVED = "resolved", "Resolved"
    POSTMORTEM = "postmortem", "Postmortem"
    SCHEDULED = "scheduled", "Scheduled"
    IN_PROGRESS = "in_progress", "In progress"
    VERIFYING = "verifying", "Verifying"
    COMPLETED = "completed", "Completed"


PHASES: dict[str, list[Phase]] = {Kind.INCIDENT: list(Phase)[:5], Kind.MAINTENANCE: list(Phase)[5:]}
CLOSED = frozenset({Phase.RESOLVED, Phase.POSTMORTEM, Phase.COMPLETED})
# The first time one of these is reached is kept in `monitoring_at`.
WATCHED = frozenset({Phase.MONITORING, Phase.IN_PROGRESS})


class StaleUpdateError(Exception):
    """Somebody else posted meanwhile. `newer` holds their updates, oldest first."""

    def __init__(self, newer: list[Update]) -> None:
        super().__init__("The incident has newer updates than the one you were looking at.")
        self.newer = newer


class IncidentQuerySet(models.QuerySet["Incident"]):
    def unresolved(self) -> IncidentQuerySet:
        """Real-time incidents that are still open."""
        return self.filter(kind=Kind.INCIDENT).exclude(status__in=CLOSED)

    def upcoming(self) -> IncidentQuerySet:
        return self.filter(kind=Kind.MAINTENANCE, status=Phase.SCHEDULED)

    def active_maintenance(self) -> IncidentQuerySet:
        return self.filter(kind=Kind.MAINTENANCE, status__in=(Phase.IN_PROGRESS, Phase.VERIFYING))

    def still_open(self) -> IncidentQuerySet:
        return self.exclude(status__in=CLOSED)


class Incident(models.Model):
    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="incidents")
    code = models.CharField(max_length=12, unique=True, default=new_code, editable=False)
    kind = models.CharField(max_length=11, choices=Kind.choices, default=Kind.INCIDENT)
    name = TitleField()
    status = models.CharField(max_length=13, choices=Phase.choices)
    impact = models.CharField(max_length=11, choices=Impact.choices, default=Impact.NONE)
    impact_override = models.CharField(max_length=11, choices=Impact.choices, blank=True)
    components = models.ManyToManyField(Component, blank=True, related_name="incidents")
    feed_number = models.BigIntegerField(null=True, blank=True, editable=False,
                                         help_text="The number in Atom ids; the primary key unless imported.")
    started_at = models.DateTimeField()
    monitoring_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    scheduled_for = models.DateTimeField(null=True, blank=True)
    scheduled_until = models.DateTimeField(null=True, blank=True)
    auto_start = models.BooleanField(default=True, help_text="Begin planned work by itself when its time has come.")
    auto_complete = models.BooleanField(default=True, help_text="Complete planned work by itself at its end.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = IncidentQuerySet.as_manager()

    class Meta:
        ordering = ("-started_at", "-pk")
        constraints = (
            models.CheckConstraint(condition=~Q(kind="maintenance") | Q(scheduled_for__isnull=False,
                                   scheduled_until__gt=models.F("scheduled_for")), name="maintenance_has_a_window"),
        )
        indexes = (models.Index(fields=["page", "kind", "status"]), models.Index(fields=["page", "-created_at"]))

    def __str__(self) -> str:
        return self.name

    @property
    def is_closed(self) -> bool:
        return self.status in CLOSED

    @property
    def path(self) -> str:
        return f"/incidents/{self.code}"

    @classmethod
    def open(
        cls,
        page: Page,
        name: str,
        body: str,
        *,
        status: Phase | str = Phase.INVESTIGATING,
        kind: Kind | str = Kind.INCIDENT,
        components: Mapping[Component, Status] | None = None,
        impact_override: str = "",
        scheduled_for: datetime | None = None,
        scheduled_until: datetime | None = None,
        notify: bool = True,
        actor: str = "system",
        token: str | None = None,
        at: datetime | None = None,
    ) -> Update:
        """Start an incident (or plan maintenance) with its first update; returns that update.

        Raises ValidationError for an empty name, a status of the other kind or a window that ends
        before it starts. The same `token` again gives the first call's update.
        """
        now = at or timezone.now()
        with transaction.atomic():
            page.raise_generation()
            if token and (posted := Update.objects.filter(token=token).first()):
                return posted
            incident = cls(page=page, name=clean_text(name, limit=255, multiline=False), kind=kind, status=status,
                           impact_override=impact_override, scheduled_for=scheduled_for,
                           scheduled_until=scheduled_until, started_at=now, created_at=now, updated_at=now)
            incident.full_clean()
            incident.save()
            return incident.post_update(body, status, components=components, notify=notify, actor=actor,
                                        token=token, at=at)

    def clean(self) -> None:
        if not self.name:
            raise ValidationError({"name": "Write a title."})
        if self.kind == Kind.MAINTENANCE:
            if self.scheduled_for is None or self.scheduled_until is None:
                raise ValidationError({"scheduled_for": "Planned work needs a start and an end."})
            if self.scheduled_until <= self.scheduled_for:
                raise ValidationError({"scheduled_until": "Planned work must end after it starts."})

    def post_update(
        self,
        body: str,
        status: Phase | str,
        *,
        components: Mapping[Component, Status] | None = None,
        notify: bool = True,
        actor: str = "system",
        token: str | None = None,
        seen: str | None = None,
        at: datetime | None = None,
    ) -> Update:
        """Tell the next thing about this incident. All of it happens, or nothing.

        `components` maps each touched component to the status it has from now on. `token` makes a
        doubled submit harmless: the second call returns the first one's update. `seen` is the code
        of the newest update the author had on screen; StaleUpdateError if there are newer ones.
        `at` backdates (history, demo). Raises ValidationError for an empty body, a status of the
        other kind or a component of another page.
        """
        now = at or timezone.now()
        body = clean_text(body)
        touched = dict(components or {})
        with transaction.atomic():
            self.page.raise_generation()  # locks the page's row: from here on posts come one by one
            if token and (posted := Update.objects.filter(token=token).first()):
                return posted
            self.refresh_from_db()
            self._refuse_stale(seen)
            self._check_post(body, status, touched)
            is_first = not self.updates.exists()
            update = self.updates.create(status=status, body=body, body_html=render_markdown(body), author=actor,
                                         token=token, deliver_notifications=notify, created_at=now, updated_at=now,
                                         display_at=now)
            self._move_components(update, touched, now)
            self._move_to(Phase(status), now)
            record_audit(self.page, actor, "incident.open" if is_first else "incident.update", self.name,
                         incident=self.code, update=update.code, status=str(status), notify=notify)
            if notify:
                publish_notice(update, is_first=is_first)
        return update

    def _refuse_stale(self, seen: str | None) -> None:
        if seen is None:
            return
        newer: list[Update] = []
        for update in self.updates.order_by("-pk"):
            if update.code == seen:
                break
            newer.insert(0, update)
        if newer:
            raise StaleUpdateError(newer)

    def _check_post(self, body: str, status: Phase | str, touched: dict[Component, Status]) -> None:
        if not body:
            raise ValidationError({"body": "Write what visitors should know."})
        if status not in PHASES[self.kind]:
            words = ", ".join(PHASES[self.kind])
            raise ValidationError({"status": f"“{status}” is not a status of this kind; use one of {words}."})
        if any(component.page_id != self.page_id for component in touched):
            raise ValidationError({"components": "Choose components of the same page."})

    def _move_components(self, update: Update, touched: dict[Component, Status], now: datetime) -> None:
        """Planned work that has not started yet only names its components; it moves nothing."""
        announced = update.status == Phase.SCHEDULED
        affected = []
        for component, status in touched.items():
            component.refresh_from_db(fields=["status"])
            old = Status(component.status) if announced else component.move_to(status, now)
            affected.append(Affected(update=update, component=component, code=component.code,
                                     name=component.full_name, old_status=old, new_status=component.status))
        Affected.objects.bulk_create(affected)
        self.components.add(*touched)

    def _move_to(self, status: Phase, now: datetime) -> None:
        self.status = status
        self.updated_at = now
        if status in WATCHED and self.monitoring_at is None:
            self.monitoring_at = now
        if status not in CLOSED:
            self.resolved_at = None
        elif self.resolved_at is None:
            self.resolved_at = now
        self.impact = self._derive_impact()
        self.save(update_fields=["status", "updated_at", "monitoring_at", "resolved_at", "impact"])

    def _derive_impact(self) -> Impact:
        """The worst it ever was: impact does not fall while an incident is being repaired."""
        if self.impact_override:
            return Impact(self.impact_override)
        if self.kind == Kind.MAINTENANCE:
            return Impact.MAINTENANCE
        now = roll_up(Status(component.status) for component in self.components.all()).indicator
        return max(Impact(self.impact), now, key=lambda impact: impact.rank)


class Update(models.Model):
    """One timestamped message on an incident."""

    incident = models.ForeignKey(Incident, on_delete=models.CASCADE, related_name="updates")
    code = models.CharField(max_length=12, unique=True, default=new_code, editable=False)
    status = models.CharField(max_length=13, choices=Phase.choices)
    body = BodyField(help_text="Markdown.")
    body_html = models.TextField(editable=False)
    author = TitleField(help_text="Who posted it; staff see this, visitors do not.")
    token = models.CharField(max_length=64, null=True, blank=True, unique=True, editable=False)
    deliver_notifications = models.BooleanField(default=True)
    display_at = models.DateTimeField(default=timezone.now, help_text="The time shown to visitors.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("-display_at", "-pk")

    def __str__(self) -> str:
        return f"{self.get_status_display()} on {self.incident}"


class Affected(models.Model):
    """A component that an update touched, as it was called then: old and new status."""

    update = models.ForeignKey(Update, on_delete=models.CASCADE, related_name="affected")
    component = models.ForeignKey(Component, null=True, on_delete=models.SET_NULL, related_name="+")
    code = models.CharField(max_length=12)
    name = TitleField(max_length=520)
    old_status = models.IntegerField(choices=Status.choices)
    new_status = models.IntegerField(choices=Status.choices)

    class Meta:
        ordering = ("pk",)
        constraints = (models.UniqueConstraint(fields=["update", "code"], name="touched_once_per_update"),)

    def __str__(self) -> str:
        return f"{self.name}: {Status(self.new_status).label}"


class Template(models.Model):
    """Prepared words for a kind of trouble. Plain text: nothing in it is ever evaluated."""

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="templates")
    kind = models.CharField(max_length=11, choices=Kind.choices, default=Kind.INCIDENT)
    name = TitleField(help_text="How staff find it.")
    title = TitleField(blank=True)
    status = models.CharField(max_length=13, choices=Phase.choices, blank=True)
    body = BodyField()
    components = models.ManyToManyField(Component, blank=True, related_name="+")

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Draft(models.Model):
    """A post that somebody has begun. Kept apart from incidents, so that no public query can meet it."""

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="drafts")
    incident = models.ForeignKey(Incident, null=True, blank=True, on_delete=models.CASCADE, related_name="drafts")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    fields = models.JSONField(default=dict, help_text="The posting form's fields as typed.")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("-updated_at",)

    def __str__(self) -> str:
        return self.fields.get("name") or f"Draft {self.pk}"
