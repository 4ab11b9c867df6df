"""Forms for components and their groups."""

from __future__ import annotations

from typing import Any, Self

from django import forms
from django.utils.translation import gettext_lazy as _

from components.adding import TypedGroup, parse_outline
from components.models import Component, Group
from components.status import Status
from staff.changes import ChangesForm

NAME_NEEDED = {"name": {"required": _("Write a name.")}}


class NamedForm(ChangesForm):
    @classmethod
    def named_only(cls, obj: Any, data: Any) -> Self:
        """To add one by its name; what else the form asks keeps its default."""
        form = cls(data, instance=obj)
        form.fields = {"name": form.fields["name"]}
        form.fields["name"].show_hidden_initial = False
        return form


class GroupForm(NamedForm):
    class Meta:
        model = Group
        fields = ("name", "description")
        error_messages = NAME_NEEDED
        widgets = {"description": forms.Textarea(attrs={"rows": 2})}
        help_texts = {"description": _("Visitors read it below the group's name.")}


class ComponentForm(NamedForm):
    class Meta:
        model = Component
        fields = (
            "name",
            "description",
            "group",
            "start_date",
            "showcase",
            "only_show_if_degraded",
            "hidden",
        )
        error_messages = NAME_NEEDED
        widgets = {
            "description": forms.Textarea(attrs={"rows": 2}),
            "start_date": forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
        }
        labels = {
            "start_date": _("Counted from"),
            "showcase": _("Show its uptime"),
            "only_show_if_degraded": _("Show it only while something is wrong with it"),
            "hidden": _("Hide it from the public"),
        }
        help_texts = {
            "description": _("Visitors read it below the name."),
            "start_date": _("The first day of its uptime; without one, the day it was added here."),
            "hidden": _("It stands on no page, in no feed and no API, and its incidents do not name it."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        group = self.fields["group"]
        group.queryset = Group.objects.filter(page=self.instance.page)  # type: ignore[attr-defined]
        group.empty_label = _("None")  # type: ignore[attr-defined]


class SetStatusForm(forms.Form):
    base_status = forms.TypedChoiceField(label=_("Status"), coerce=int, choices=Status.choices)


class OutlineForm(forms.Form):
    """`cleaned_data["outline"]` is a list of TypedGroup."""

    outline = forms.CharField(
        label=_("Components"),
        help_text=_("One a line. Indent those of a group below the group's name."),
        widget=forms.Textarea(attrs={"rows": 14, "spellcheck": "false"}),
        strip=False,
        max_length=600_000,
        error_messages={"required": _("Write at least one name.")},
    )

    def clean_outline(self) -> list[TypedGroup]:
        return parse_outline(self.cleaned_data["outline"])
