"""Incidents and planned maintenance: one model, told in updates. `Incident.post_update()` is the only writer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from components.models import Component, StatusSpan
from components.status import Impact, Status
from core.markdown import render_markdown
from core.text import TitleField, clean_text, new_code
from incidents.notices import publish_notice
from incidents.phases import CLOSED, PHASES, WATCHED, Kind, Phase, check_phase
from incidents.templates_and_drafts import Draft, Template
from incidents.updates import Affected, StaleUpdateError, Update
from pages.models import Page, record_audit

__all__ = [
    "CLOSED",
    "PHASES",
    "Affected",
    "Draft",
    "Incident",
    "Kind",
    "Phase",
    "StaleUpdateError",
    "Template",
    "Update",
]


# Of planned work. Near the ends of the calendar, sums of times fail, and with them the page of every visitor.
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
        null=True, blank=True, editable=False, help_text="The number in Atom ids; the primary key unless imported."
    )
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
    def window(self) -> tuple[datetime, datetime] | None:
        """When planned work starts and ends; None for a real-time incident."""
        if self.scheduled_for is None or self.scheduled_until is None:
            return None
        return self.scheduled_for, self.scheduled_until

    @classmethod
    def open(
        cls,
        page: Page,
        name: str,
        body: str,
        *,
        status: Phase | str = "",
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

        `status` is the kind's first one when left out. Raises ValidationError for an empty name, a
        status of the other kind or a window that ends before it starts. The same `token` again gives
        the first call's update.
        """
        now = at or timezone.now()
        status = check_phase(kind, status, None)
        with transaction.atomic():
            _lock(page)
            if posted := _posted_with(token):
                return posted
            incident = cls(
                page=page,
                name=clean_text(name, limit=255, multiline=False),
                kind=kind,
                status=status,
                impact_override=impact_override,
                scheduled_for=scheduled_for,
                scheduled_until=scheduled_until,
                started_at=now,
                created_at=now,
                updated_at=now,
            )
            incident.full_clean(exclude=["name"])  # an empty one is refused by clean(), in better words
            incident.save()
            return incident.post_update(
                body, status, components=components, notify=notify, actor=actor, token=token, at=at
            )

    def clean(self) -> None:
        if not self.name:
            raise ValidationError({"name": "Write a title."})
        if self.kind == Kind.MAINTENANCE:
            if self.window is None:
                raise ValidationError({"scheduled_for": "Planned work needs a start and an end."})
            if self.window[1] <= self.window[0]:
                raise ValidationError({"scheduled_until": "Planned work must end after it starts."})
            for name, moment in zip(("scheduled_for", "scheduled_until"), self.window, strict=True):
                if moment.year not in YEARS:
                    raise ValidationError({name: f"Choose a year from {YEARS[0]} to {YEARS[-1]}."})

    def post_update(
        self,
        body: str,
        status: Phase | str,
        *,
        components: Mapping[Component, Status] | None = None,
        window: tuple[datetime, datetime] | None = None,
        notify: bool = True,
        actor: str = "system",
        token: str | None = None,
        seen: str | None = None,
        at: datetime | None = None,
    ) -> Update:
        """Tell the next thing about this incident. All of it happens, or nothing.

        `components` maps each touched component to the status it has from now on. `window` moves
        planned work to another time (start, end). `token` makes a doubled submit harmless: the second
        call returns the first one's update. `seen` is the code of the newest update the author had on
        screen; StaleUpdateError if there are newer ones. `at` backdates (history, demo), never to
        before what was told already. Raises ValidationError for an empty body, a status of the other
        kind, a postmortem of something open, or a component of another page.
        """
        body = clean_text(body)
        touched = dict(components or {})
        with transaction.atomic():
            _lock(self.page)  # from here on the posts of a page come one by one
            if posted := _posted_with(token):
                return posted
            self.refresh_from_db()
            self._refuse_stale(seen)
            self._check_post(body, status, touched)
            self._move_window(window)
            moving = {} if status == self.status == Phase.SCHEDULED else touched
            now = self._moment(at, moving)
            is_first = not self.updates.exists()
            self.page.raise_generation()
            update = self._store_update(body, status, now, author=actor, token=token, deliver_notifications=notify)
            moved = self._move_components(update, touched, now)
            self._move_to(Phase(status), now)
            self._audit(update, moved, is_first=is_first)
            if notify:
                publish_notice(update, is_first=is_first)
        return update

    def override_impact(self, impact: Impact | str) -> None:
        """Set the impact by hand, or with "" go back to the worst that the updates said. Saves nothing."""
        self.impact_override = impact
        if not impact:
            self.impact = Impact.NONE
        self.impact = self._derive_impact()

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
        is_first = not self.updates.exists()
        check_phase(self.kind, status, None if is_first else self.status)
        if any(component.page_id != self.page_id for component in touched):
            raise ValidationError({"components": "Choose components of the same page."})

    def _move_window(self, window: tuple[datetime, datetime] | None) -> None:
        if window is None or window == self.window:
            return
        if self.kind != Kind.MAINTENANCE:
            raise ValidationError({"scheduled_for": "Only planned work has a start and an end."})
        self.scheduled_for, self.scheduled_until = window
        self.clean()
        self.save(update_fields=["scheduled_for", "scheduled_until"])

    def _moment(self, at: datetime | None, moving: dict[Component, Status]) -> datetime:
        """When the update happens: `at`, or now. Never before what is told already, else spans would end
        before they start; two servers' clocks may differ by some milliseconds."""
        spans = StatusSpan.objects.filter(component__in=list(moving), ended_at=None).select_related("component")
        told = [span.started_at for span in spans if span.status != moving[span.component]]
        told += self.updates.values_list("created_at", flat=True)
        now = timezone.now()
        if at is None:
            return max([now, *told])
        if at > now:
            raise ValidationError({"at": "An update cannot be dated in the future."})
        if told and at < max(told):
            newest = f"{max(told):%Y-%m-%d %H:%M:%S %Z}"
            raise ValidationError({"at": f"Something newer was told at {newest}; date the update after that."})
        return at

    def _store_update(self, body: str, status: Phase | str, at: datetime, **fields: Any) -> Update:
        return self.updates.create(
            status=status,
            body=body,
            body_html=render_markdown(body),
            created_at=at,
            updated_at=at,
            display_at=at,
            **fields,
        )

    def _audit(self, update: Update, moved: dict[str, list[str]], *, is_first: bool) -> None:
        record_audit(
            self.page,
            update.author,
            "incident.open" if is_first else "incident.update",
            self.name,
            incident=self.code,
            update=update.code,
            status=str(update.status),
            components=moved,
            notify=update.deliver_notifications,
        )

    def _move_components(self, update: Update, touched: dict[Component, Status], now: datetime) -> dict[str, list[str]]:
        """Planned work that has not started yet only names its components; it moves nothing.

        Returns [old, new] by component name, for the audit log.
        """
        announced = update.status == self.status == Phase.SCHEDULED
        affected = []
        for component, status in touched.items():
            component.refresh_from_db(fields=["status"])
            old = Status(component.status) if announced else component.move_to(status, now)
            affected.append(
                Affected(
                    update=update,
                    component=component,
                    code=component.code,
                    name=component.full_name,
                    old_status=old,
                    new_status=component.status,
                )
            )
        Affected.objects.bulk_create(affected)
        self.components.add(*touched)
        return {each.name: [Status(each.old_status).slug, Status(each.new_status).slug] for each in affected}

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
        """The worst it ever was: impact does not fall while an incident is being repaired.

        Hidden components do not count, for the impact is public.
        """
        if self.impact_override:
            return Impact(self.impact_override)
        if self.kind == Kind.MAINTENANCE:
            return Impact.MAINTENANCE
        public = Affected.objects.filter(update__incident=self).exclude(component__hidden=True)
        return max(Impact(self.impact), public.worst_impact(), key=lambda impact: impact.rank)


def _lock(page: Page) -> None:
    """Make the writers of one page queue up. SQLite needs no lock: there a transaction that writes has
    taken the whole database from its start."""
    Page.objects.select_for_update(no_key=True).get(pk=page.pk)


def _posted_with(token: str | None) -> Update | None:
    return Update.objects.filter(token=token).first() if token else None
