"""Incidents and maintenance: one model, told in updates. `Incident.open` and `Incident.post` are the only writers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Case, OuterRef, Prefetch, Q, Subquery, Value, When
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from components.effects import end_effects
from components.models import Component
from components.status import Impact
from core.text import TitleField, clean_text, new_code
from incidents.phases import CLOSED, PHASES, WATCHED, Kind, Phase
from incidents.post import Post, Window
from incidents.posting import open_incident, post_update
from incidents.templates_and_drafts import Draft, Template
from incidents.updates import Affected, StaleUpdateError, Update
from pages.models import Page

__all__ = [
    "CLOSED",
    "PHASES",
    "Affected",
    "Draft",
    "Incident",
    "Kind",
    "Phase",
    "Post",
    "StaleUpdateError",
    "Template",
    "Update",
]


# Of maintenance. Near the ends of the calendar, sums of times fail, and with them the page of every visitor.
YEARS = range(1970, 2201)


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

    def closed(self) -> IncidentQuerySet:
        return self.filter(status__in=CLOSED)

    def matching(self, words: str) -> IncidentQuerySet:
        """Those with these words in the title or in an update, and the one with this code; all of them for ""."""
        if not words:
            return self
        said = Update.objects.filter(body__icontains=words).values("incident")
        return self.filter(Q(name__icontains=words) | Q(code=words) | Q(pk__in=said))

    def open_first(self) -> IncidentQuerySet:
        """What is open before what is closed, the newest first."""
        is_closed = Case(When(status__in=CLOSED, then=Value(1)), default=Value(0))
        return self.order_by(is_closed, "-started_at", "-pk")

    def for_lines(self) -> IncidentQuerySet:
        """With what a line in a list of the staff shows: page, components, and `last_told_at`."""
        newest = Update.objects.filter(incident=OuterRef("pk")).order_by("-pk").values("display_at")
        rows = self.select_related("page").annotate(last_told_at=Subquery(newest[:1]))
        return rows.prefetch_related(Prefetch("components", Component.objects.labelled()))

    def under_way(self) -> IncidentQuerySet:
        """Those that hold their components in some status now: open, and not merely planned."""
        return self.still_open().exclude(status=Phase.SCHEDULED)


class Incident(models.Model):
    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="incidents")
    code = models.CharField(max_length=12, unique=True, default=new_code, editable=False)
    kind = models.CharField(max_length=11, choices=Kind.choices, default=Kind.INCIDENT)
    name = TitleField()
    status = models.CharField(max_length=13, choices=Phase.choices)
    impact = models.CharField(max_length=11, choices=Impact.choices, default=Impact.NONE)
    impact_override = models.CharField(max_length=11, choices=Impact.choices, blank=True)
    components = models.ManyToManyField(Component, blank=True, related_name="incidents")
    feed_number = models.BigIntegerField(
        null=True, blank=True, editable=False, help_text=_("The number in Atom ids; the primary key unless imported.")
    )
    started_at = models.DateTimeField()
    monitoring_at = models.DateTimeField(null=True, blank=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    scheduled_for = models.DateTimeField(null=True, blank=True)
    scheduled_until = models.DateTimeField(null=True, blank=True)
    auto_start = models.BooleanField(default=True, help_text=_("Begin maintenance by itself when its time has come."))
    auto_complete = models.BooleanField(default=True, help_text=_("Complete maintenance by itself at its end."))
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = IncidentQuerySet.as_manager()

    class Meta:
        ordering = ("-started_at", "-pk")
        constraints = (
            models.CheckConstraint(
                condition=~Q(kind="maintenance")
                | Q(scheduled_for__isnull=False, scheduled_until__gt=models.F("scheduled_for")),
                name="maintenance_has_a_window",
            ),
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

    @property
    def window(self) -> Window | None:
        """When maintenance starts and ends; None for a real-time incident."""
        if self.scheduled_for is None or self.scheduled_until is None:
            return None
        return self.scheduled_for, self.scheduled_until

    @classmethod
    def open(
        cls, page: Page, name: str, post: Post, *, kind: Kind | str = Kind.INCIDENT, impact_override: Impact | str = ""
    ) -> Update:
        """Start an incident (or schedule maintenance, in the post's window) with its first update, which is returned.

        Raises ValidationError for an empty name or body, a status of the other kind, a window that ends
        before it starts or a component of another page.
        """
        now = post.at or timezone.now()
        scheduled_for, scheduled_until = post.window or (None, None)
        incident = cls(
            page=page,
            name=clean_text(name, limit=255, multiline=False),
            kind=kind,
            impact_override=impact_override,
            scheduled_for=scheduled_for,
            scheduled_until=scheduled_until,
            started_at=now,
            created_at=now,
            updated_at=now,
        )
        return open_incident(incident, post)

    def post(self, post: Post) -> Update:
        """Tell the next thing about this incident. All of it happens, or nothing.

        Raises StaleUpdateError, and ValidationError for an empty body, a status of the other kind, a postmortem
        of something open, a window of a real-time incident or a component of another page.
        """
        return post_update(self, post)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Its components go back to what others say of them."""
        with transaction.atomic():
            self.page.lock()
            end_effects(self.code)
            return super().delete(*args, **kwargs)

    def clean(self) -> None:
        if not self.name:
            raise ValidationError({"name": _("Write a title.")})
        if self.kind == Kind.INCIDENT and self.window:
            raise ValidationError({"scheduled_for": _("Only maintenance has a start and an end.")})
        if self.kind == Kind.MAINTENANCE:
            if self.window is None:
                raise ValidationError({"scheduled_for": _("Maintenance needs a start and an end.")})
            if self.window[1] <= self.window[0]:
                raise ValidationError({"scheduled_until": _("Maintenance must end after it starts.")})
            for name, moment in zip(("scheduled_for", "scheduled_until"), self.window, strict=True):
                if moment.year not in YEARS:
                    raise ValidationError(
                        {name: _("Choose a year from %(first)s to %(last)s.") % {"first": YEARS[0], "last": YEARS[-1]}}
                    )

    def override_impact(self, impact: Impact | str) -> None:
        """Set the impact by hand, or with "" go back to the worst that the updates said. Saves nothing."""
        self.impact_override = impact
        if not impact:
            self.impact = Impact.NONE
        self.impact = self._derive_impact()

    def move_window(self, window: Window | None) -> None:
        """Move maintenance to another time; None leaves it where it is."""
        if window is None or window == self.window:
            return
        self.scheduled_for, self.scheduled_until = window
        self.clean()
        self.save(update_fields=["scheduled_for", "scheduled_until"])

    def move_to(self, status: Phase, now: datetime) -> None:
        """Reach a phase, and keep when. Posting calls this; nobody else."""
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
        """The worst it ever was: impact does not fall while an incident is being repaired.

        Hidden components do not count, for the impact is public.
        """
        if self.impact_override:
            return Impact(self.impact_override)
        if self.kind == Kind.MAINTENANCE:
            return Impact.MAINTENANCE
        public = Affected.objects.filter(update__incident=self).exclude(component__hidden=True)
        return max(Impact(self.impact), public.worst_impact(), key=lambda impact: impact.rank)
