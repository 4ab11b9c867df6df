"""The forms of subscribers. templates/subscribers/_choice.html draws their fields."""

from collections.abc import Mapping
from itertools import groupby
from operator import attrgetter
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from components.models import Component
from core.languages import own_language, prefixed_languages, served_language
from pages.models import Page
from subscribers.addresses import normalise_address
from subscribers.models import Subscriber
from subscribers.subscribing import check_incident_code

ScopeChoice = tuple[str, Any]
"""A value and its label, which is translated when it is shown."""
EVERYTHING, CHOSEN, INCIDENT = "everything", "chosen", "incident"
SCOPES: tuple[ScopeChoice, ...] = ((EVERYTHING, _("Everything")), (CHOSEN, _("Only what I choose")))


def group_components(page: Page) -> list[tuple[str, list[Component]]]:
    """Public components by the name of their group, in the page's order; those without a group come first, under ""."""
    rows = page.components.public().labelled().in_page_order()
    return [(group.name if group else "", list(members)) for group, members in groupby(rows, attrgetter("group"))]


def scope_field(*scopes: ScopeChoice) -> forms.ChoiceField:
    """A choice between `scopes`, of which the first is chosen at first."""
    missing = _("Choose what you want to hear about.")
    return forms.ChoiceField(choices=scopes, initial=scopes[0][0], error_messages={"required": missing})


class ChoiceForm(forms.Form):
    """What to follow: everything, or at least one of the page's public components."""

    scope = scope_field(*SCOPES)

    def __init__(self, page: Page, data: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(data, **kwargs)
        self.groups = group_components(page)
        self.fields["components"] = forms.MultipleChoiceField(
            required=False,
            choices=[(each.code, each.label) for _name, members in self.groups for each in members],
            error_messages={"invalid_choice": _("One of the components is no longer on this page. Choose again.")},
        )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if cleaned.get("scope") == CHOSEN and not cleaned.get("components") and "components" not in self.errors:
            self.add_error("components", _("Tick at least one component."))
        return cleaned

    @property
    def component_codes(self) -> list[str]:
        """Empty for everything."""
        codes: list[str] = self.cleaned_data["components"]
        return codes if self.cleaned_data["scope"] == CHOSEN else []

    @property
    def ticked(self) -> set[str]:
        return set(self["components"].value() or ())


class ManageForm(ChoiceForm):
    """What a subscriber follows and, if there are several languages, the language of mails."""

    def __init__(self, page: Page, data: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(page, data, **kwargs)
        if prefixed_languages():
            self.fields["language"] = forms.ChoiceField(
                required=False, choices=settings.LANGUAGES, label=_("Language of the mails")
            )

    @property
    def language(self) -> str | None:
        """The chosen language, "" for the page's own; None if the form has no such choice."""
        chosen: str | None = self.cleaned_data.get("language") or None
        return "" if chosen == own_language() else chosen

    @classmethod
    def of(cls, subscriber: Subscriber) -> "ManageForm":
        """The form filled with what the subscriber chose."""
        codes = [component.code for component in subscriber.public_components]
        scope = CHOSEN if subscriber.choices.exists() else EVERYTHING
        return cls(
            subscriber.page,
            initial={"scope": scope, "components": codes, "language": served_language(subscriber.language)},
        )


class SubscribeForm(ChoiceForm):
    """What a new subscriber follows, and the address.

    `incident`: a code adds a third choice, only this incident. `component`: the code of a public component ticks it.
    """

    email = forms.CharField(max_length=320, error_messages={"required": _("Write your e-mail address.")})
    incident = forms.CharField(required=False)
    # An invisible field that programs fill in and people leave empty.
    website = forms.CharField(required=False)

    def __init__(
        self,
        page: Page,
        data: Mapping[str, Any] | None = None,
        *,
        incident: str = "",
        component: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(page, data, **kwargs)
        self.incident_code = incident
        if any(each.code == component for _name, members in self.groups for each in members):
            self.initial.update(scope=CHOSEN, components=[component])
        if incident:
            self.fields["scope"] = scope_field((INCIDENT, _("Only this incident")), *SCOPES)

    def clean_email(self) -> str:
        return normalise_address(self.cleaned_data["email"])

    def clean_incident(self) -> str:
        code: str = self.cleaned_data["incident"]
        check_incident_code(code)
        return code

    @property
    def wanted_incident(self) -> str:
        return self.cleaned_data["incident"] if self.cleaned_data["scope"] == INCIDENT else ""

    @property
    def is_from_a_program(self) -> bool:
        return bool(self.cleaned_data["website"])
