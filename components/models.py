"""What can break: components, in groups one level deep; what incidents say of them; which status each held when."""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import Exists, F, Max, OuterRef, Q, Subquery
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from components.status import Status
from core.text import BodyField, TitleField, new_code
from pages.models import Page


class PlacedQuerySet(models.QuerySet[Any]):
    def next_position(self) -> int:
        """After the last one of these."""
        last: int | None = self.aggregate(last=Max("position"))["last"]
        return (last or 0) + 1


class Group(models.Model):
    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="groups")
    code = models.CharField(max_length=12, default=new_code, editable=False)
    name = TitleField()
    description = BodyField(blank=True)
    position = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = PlacedQuerySet.as_manager()

    class Meta:
        ordering = ("position", "pk")
        constraints = (models.UniqueConstraint(fields=["page", "code"], name="group_code_unique_on_page"),)

    def __str__(self) -> str:
        return self.name


class ComponentQuerySet(PlacedQuerySet):
    def current(self) -> "ComponentQuerySet":
        """Not archived."""
        return self.filter(archived_at=None)

    def archived(self) -> "ComponentQuerySet":
        return self.exclude(archived_at=None)

    def public(self) -> "ComponentQuerySet":
        """What the public sees now. Old incidents keep the names of archived components."""
        return self.current().filter(hidden=False)

    def in_page_order(self) -> "ComponentQuerySet":
        """As the page lists them: those outside groups first. Positions start again in every group."""
        return self.order_by(F("group__position").asc(nulls_first=True), "group_id", "position", "pk")

    def labelled(self) -> "ComponentQuerySet":
        """With what `label` needs."""
        return self.select_related("group").compared_by_name()

    def with_causes(self) -> "ComponentQuerySet":
        """With what `is_set_by_hand` needs."""
        held = Effect.objects.filter(component=OuterRef("pk"), status__gt=Status.OPERATIONAL)
        return self.annotate(has_cause=Exists(held))

    def with_since(self) -> "ComponentQuerySet":
        """With `status_since`: when it last began to show what it shows."""
        current = StatusSpan.objects.filter(component=OuterRef("pk"), ended_at=None)
        return self.annotate(status_since=Subquery(current.values("started_at")[:1]))

    def compared_by_name(self) -> "ComponentQuerySet":
        """With `has_namesake`. Hidden ones are compared with nobody: the label of a public one must not tell of them."""
        others = Component.objects.public().filter(page=OuterRef("page"), name=OuterRef("name"))
        return self.annotate(has_namesake=Exists(others.exclude(pk=OuterRef("pk"))))


class Component(models.Model):
    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="components")
    group = models.ForeignKey(Group, null=True, blank=True, on_delete=models.SET_NULL, related_name="components")
    code = models.CharField(max_length=12, default=new_code, editable=False)
    name = TitleField()
    description = BodyField(blank=True)
    status = models.IntegerField(
        choices=Status.choices,
        default=Status.OPERATIONAL,
        editable=False,
        help_text=_("What is shown: the worst of its effects, else the base status."),
    )
    base_status = models.IntegerField(
        choices=Status.choices,
        default=Status.OPERATIONAL,
        help_text=_("Set by hand: shown while no open incident says that something is wrong."),
    )
    position = models.PositiveIntegerField(default=1)
    showcase = models.BooleanField("show uptime", default=True)
    start_date = models.DateField(null=True, blank=True, help_text=_("Uptime is counted from this day."))
    only_show_if_degraded = models.BooleanField(default=False)
    hidden = models.BooleanField(default=False, help_text=_("Hidden components appear on no public page or document."))
    archived_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text=_("Since when it is shown nowhere but in the past.")
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = ComponentQuerySet.as_manager()

    class Meta:
        ordering = ("position", "pk")
        constraints = (models.UniqueConstraint(fields=["page", "code"], name="component_code_unique_on_page"),)

    def __str__(self) -> str:
        return self.full_name

    def clean(self) -> None:
        if self.group is not None and self.group.page_id != self.page_id:
            raise ValidationError({"group": _("Choose a group of the same page.")})

    def save(self, *args: Any, **kwargs: Any) -> None:
        """A new component shows its base status, and starts its first span."""
        adding = self._state.adding
        if adding:
            self.status = self.base_status
        with transaction.atomic():
            super().save(*args, **kwargs)
            if adding:
                self.spans.create(status=self.status, started_at=self.created_at)

    @property
    def label(self) -> str:
        """As people read it: the name, with its group where another of the page has the same, or labelled() was not
        asked whether one has."""
        return self.full_name if getattr(self, "has_namesake", True) else self.name

    @property
    def is_set_by_hand(self) -> bool:
        """Whether staff alone say that something is wrong with it; False where with_causes() was not asked."""
        return self.base_status != Status.OPERATIONAL and not getattr(self, "has_cause", True)

    @property
    def status_slug(self) -> str:
        return Status(self.status).slug

    @property
    def full_name(self) -> str:
        """ "Chat - Chat API" inside a group, "Website" outside one."""
        return f"{self.group.name} - {self.name}" if self.group else self.name

    def archive(self) -> None:
        """Show it nowhere but in the past. Raises ValidationError while an incident says something of it."""
        if self.effects.exists():
            words = _("%(name)s is part of an open incident or maintenance. Close that first.")
            raise ValidationError(words % {"name": self.full_name})
        self.archived_at = timezone.now()
        self.save(update_fields=["archived_at"])

    def restore(self) -> None:
        self.archived_at = None
        self.save(update_fields=["archived_at"])

    def move_to(self, status: Status, at: datetime) -> Status:
        """Hold `status` from `at` on; the old status is returned. Call it inside a transaction."""
        old = Status(self.status)
        if status != old:
            self.spans.filter(ended_at=None).update(ended_at=at)
            self.spans.create(status=status, started_at=at)
            self.status, self.updated_at = status, at
            self.save(update_fields=["status", "updated_at"])
        return old


class Effect(models.Model):
    """What one open incident, or maintenance under way, says a component's status is. Operational takes nothing
    away from what others say. Written by components/effects.py alone."""

    component = models.ForeignKey(Component, on_delete=models.CASCADE, related_name="effects")
    cause = models.CharField(max_length=12, help_text=_("The code of the incident."))
    status = models.IntegerField(choices=Status.choices)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["component", "cause"], name="one_effect_of_a_cause"),)
        indexes = (models.Index(fields=["cause"]),)

    def __str__(self) -> str:
        return f"{self.cause}: {Status(self.status).label}"


class StatusSpan(models.Model):
    """A component held one status from `started_at` to `ended_at` (null: until now)."""

    component = models.ForeignKey(Component, on_delete=models.CASCADE, related_name="spans")
    status = models.IntegerField(choices=Status.choices)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ("started_at", "pk")
        constraints = (
            models.UniqueConstraint(fields=["component"], condition=Q(ended_at=None), name="one_open_span"),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=models.F("started_at")), name="span_ends_after_start"
            ),
        )
        indexes = (models.Index(fields=["component", "ended_at"]),)

    def __str__(self) -> str:
        return f"{Status(self.status).label} from {self.started_at:%Y-%m-%d %H:%M}"
