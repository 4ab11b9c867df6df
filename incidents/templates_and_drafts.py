"""Words kept for later: templates for a kind of trouble, and drafts of posts that somebody has begun."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from components.models import Component
from core.text import BodyField, TitleField
from incidents.phases import Kind, Phase
from pages.models import Page


class Template(models.Model):
    """Prepared words for a kind of trouble. Plain text: nothing in it is ever evaluated."""

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="templates")
    kind = models.CharField(max_length=11, choices=Kind.choices, default=Kind.INCIDENT)
    name = TitleField(help_text=_("How staff find it."))
    title = TitleField(blank=True)
    status = models.CharField(max_length=13, choices=Phase.choices, blank=True)
    body = BodyField()
    components = models.ManyToManyField(Component, blank=True, related_name="+")

    class Meta:
        app_label = "incidents"
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Draft(models.Model):
    """A post that somebody has begun. Kept apart from incidents, so that no public query can meet it."""

    page = models.ForeignKey(Page, on_delete=models.CASCADE, related_name="drafts")
    incident = models.ForeignKey(
        "incidents.Incident", null=True, blank=True, on_delete=models.CASCADE, related_name="drafts"
    )
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    fields = models.JSONField(default=dict, help_text=_("The posting form's fields as typed."))
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        app_label = "incidents"
        ordering = ("-updated_at",)

    def __str__(self) -> str:
        return self.fields.get("name") or (self.incident.name if self.incident else "Untitled")
