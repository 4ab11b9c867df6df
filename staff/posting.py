"""The posting form: what staff typed, checked, and handed to the one way to post."""

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Prefetch
from django.utils.translation import gettext_lazy as _

from components.effects import NOT_HELD, Held, held_by_others
from components.models import Component
from components.status import Impact, Status
from core.local_time import DOUBLED, in_zone
from core.text import BODY_LIMIT, TITLE_LIMIT, clean_text
from delivery.ledger.outbox import count_audience
from delivery.overview import posting_warnings
from delivery.registry import label_of
from incidents.effects import effects_after, holds_components
from incidents.models import Affected, Incident, Kind, Phase, Post, StaleUpdateError, Template, Update
from incidents.phases import likely_next, phases_after
from incidents.post import Window
from pages.models import Page

DATE_TIME = "%Y-%m-%dT%H:%M"
FIELDS = (
    *("name", "status", "scheduled_for", "scheduled_until", "scheduled_for_which", "scheduled_until_which"),
    *("body", "token", "seen", "applied"),
)
WHICH = {"first": False, "second": True}
COMPONENT = "component-"
ANY_LENGTH = 10**6  # far more than a request may bring
# What a component gets when a template only says that it is touched.
TOUCHED = {Kind.INCIDENT: Status.DEGRADED_PERFORMANCE, Kind.MAINTENANCE: Status.UNDER_MAINTENANCE}
Typed = dict[str, Any]


def typed_fields(data: Mapping[str, str]) -> Typed:
    """The form's fields as typed, cleaned, so that they can be shown again or kept as a draft.

    However long they are: only what is posted must be short.
    """
    typed: Typed = {
        name: clean_text(value, limit=ANY_LENGTH)
        for name, value in data.items()
        if name in FIELDS or name.startswith(COMPONENT)
    }
    return typed | {"notify": "notify" in data}


def apply_template(typed: Typed, template: Template) -> Typed:
    """Fill in a template's words as they stand; nothing in them is evaluated.

    They take the place of the last template's; what staff have written themselves is kept before them.
    """
    before = Template.objects.filter(page=template.page, pk=read_number(typed.get("applied"))).first()
    touched = TOUCHED[Kind(template.kind)].slug
    components = {f"{COMPONENT}{component.code}": touched for component in template.components.all()}
    filled = {
        "name": _own(typed.get("name"), before.title if before else "") or template.title,
        "body": "\n\n".join(filter(None, [_own(typed.get("body"), before.body if before else ""), template.body])),
        "applied": str(template.pk),
    }
    if template.status:
        filled["status"] = template.status
    return typed | filled | {name: typed.get(name) or status for name, status in components.items()}


def _own(text: str | None, prepared: str) -> str:
    """What staff wrote themselves; "" when the field still holds the prepared words."""
    return "" if not text or text == prepared else text


def _digest(text: str) -> str:
    """32 characters: those of a form's token and of what it posted make one token of an update."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def read_number(text: str | None) -> int:
    """0 for whatever is not the number of a row."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else 0


@dataclass(frozen=True)
class ComponentRow:
    """One component in the grid. `usual`: the status it shows when staff leave it alone, None for one that the
    incident has not touched. `chosen`: the status that staff chose, None when they left it alone. `shown`: the
    status it shows once this is posted. `held_by`: the other incidents that keep it there, by name."""

    component: Component
    field: str
    status: Status
    usual: Status | None
    chosen: Status | None
    shown: Status
    held_by: Sequence[str]

    @property
    def is_touched(self) -> bool:
        return self.chosen is not None or self.usual is not None


class WallTimeField(forms.DateTimeField):
    """A time as clocks show it, without a zone: the form asks which one is meant where it comes twice."""

    def to_python(self, value: Any) -> Any:
        return super(forms.DateTimeField, self).to_python(value) if value not in self.empty_values else None


class PostForm(forms.Form):
    """A new incident or maintenance (`incident` is None), or the next update of one.

    Times are read and shown in the active time zone, which the view sets to the page's.
    """

    name = forms.CharField(label=_("Title"), max_length=TITLE_LIMIT, error_messages={"required": _("Write a title.")})
    status = forms.ChoiceField()
    scheduled_for = WallTimeField(label=_("Starts"), input_formats=[DATE_TIME])
    scheduled_until = WallTimeField(label=_("Ends"), input_formats=[DATE_TIME])
    body = forms.CharField(
        label=_("Message"), max_length=BODY_LIMIT, error_messages={"required": _("Write what visitors should know.")}
    )
    notify = forms.BooleanField(required=False)
    token = forms.CharField(max_length=64)
    seen = forms.CharField(required=False)
    applied = forms.CharField(required=False)

    def __init__(self, page: Page, incident: Incident | None, kind: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.page, self.incident = page, incident
        self.kind = Kind(incident.kind if incident else kind)
        current = incident.status if incident else None
        self.phases = phases_after(self.kind, current)
        self.fields["status"] = forms.ChoiceField(choices=[(phase, phase.label) for phase in self.phases])
        self._offer(likely_next(self.kind, current))
        if incident:
            del self.fields["name"]
        if self.kind != Kind.MAINTENANCE:
            del self.fields["scheduled_for"], self.fields["scheduled_until"]
        statuses = [(status.slug, status.label) for status in Status]
        for component in self.components:
            self.fields[f"{COMPONENT}{component.code}"] = forms.ChoiceField(choices=statuses, required=False)

    def _offer(self, phase: Phase) -> None:
        """What an empty form shows."""
        window = self.incident.window if self.incident else None
        offered = {
            "status": phase,
            "notify": True,
            "token": secrets.token_urlsafe(24),
            "seen": self.timeline[0].code if self.timeline else "",
            "scheduled_for": window and window[0],
            "scheduled_until": window and window[1],
        }
        self.initial = offered | {name: value for name, value in self.initial.items() if value != ""}
        if self.initial["status"] not in self.phases:
            self.initial["status"] = phase

    @cached_property
    def components(self) -> list[Component]:
        return list(self.page.components.current().labelled().in_page_order())

    @cached_property
    def open_now(self) -> list[Incident]:
        """What is open while somebody begins a new incident, the worst first: perhaps it is about one of these."""
        if self.incident or self.kind != Kind.INCIDENT:
            return []
        found = self.page.incidents.unresolved()
        return sorted(found, key=lambda each: (-Impact(each.impact).rank, -each.started_at.timestamp()))

    @cached_property
    def timeline(self) -> list[Update]:
        """What the incident has told so far, newest first."""
        if self.incident is None:
            return []
        return list(
            self.incident.updates.order_by("-pk").prefetch_related(Prefetch("affected", Affected.objects.labelled()))
        )

    def clean_scheduled_for(self) -> datetime:
        return self._moment("scheduled_for")

    def clean_scheduled_until(self) -> datetime:
        return self._moment("scheduled_until")

    def _moment(self, name: str) -> datetime:
        """Raises ValidationError for a time that does not exist, or comes twice and nobody said which is meant."""
        return in_zone(self.cleaned_data[name], self.page.zone, second=WHICH.get(self.data.get(f"{name}_which", "")))

    @property
    def doubled(self) -> list[str]:
        """The fields whose time comes twice, for the form to ask which one is meant."""
        names = ("scheduled_for", "scheduled_until")
        return [name for name in names if self.has_error(name, DOUBLED) or self.data.get(f"{name}_which")]

    @property
    def phase(self) -> Phase:
        """The phase that is chosen now, typed or offered."""
        chosen = self["status"].value()
        return Phase(chosen) if chosen in self.phases else self.phases[0]

    @cached_property
    def rows(self) -> list[ComponentRow]:
        slugs = {status.slug: status for status in Status}
        return [self._row(each, slugs.get(self[f"{COMPONENT}{each.code}"].value())) for each in self.components]

    def _row(self, component: Component, chosen: Status | None) -> ComponentRow:
        is_known = component.pk in self._known
        held = self._held.get(component.pk, NOT_HELD)
        usual = self._status_after(component, held, None) if is_known else None
        shown = Status(component.status) if chosen is usual is None else self._status_after(component, held, chosen)
        return ComponentRow(
            component=component,
            field=f"{COMPONENT}{component.code}",
            status=Status(component.status),
            usual=usual,
            chosen=chosen,
            shown=shown,
            held_by=[self._names[cause] for cause in held.causes if shown == held.status and cause in self._names],
        )

    def _status_after(self, component: Component, held: Held, chosen: Status | None) -> Status:
        """What a component shows once this is posted with `chosen`: incidents/posting.py does the same."""
        own, base = Status.OPERATIONAL, Status(component.base_status)
        if holds_components(self.phase):
            own = self._effects.get(component, own) if chosen is None else chosen
        elif self.phase != Phase.SCHEDULED and chosen is not None:
            base = chosen
        return max(own, held.status) or base

    @cached_property
    def _known(self) -> set[int]:
        """The ids of the components that the incident has touched."""
        return set(self.incident.components.values_list("pk", flat=True)) if self.incident else set()

    @cached_property
    def _effects(self) -> dict[Component, Status]:
        known = [component for component in self.components if component.pk in self._known]
        return effects_after(self.phase, self.incident.code, known, {}) if self.incident else {}

    @cached_property
    def _held(self) -> dict[int, Held]:
        return held_by_others(self.components, self.incident.code if self.incident else None)

    @cached_property
    def _names(self) -> dict[str, str]:
        causes = {cause for held in self._held.values() for cause in held.causes}
        return dict(self.page.incidents.filter(code__in=causes).values_list("code", "name")) if causes else {}

    @property
    def rows_in_trouble(self) -> list[ComponentRow]:
        """What the incident touched, and whatever else is not well: worst first."""
        rows = [row for row in self.rows if row.usual is not None or row.status]
        return sorted(rows, key=lambda row: (-row.status, row.component.name))

    @property
    def rows_at_rest(self) -> list[ComponentRow]:
        return [row for row in self.rows if row.usual is None and not row.status]

    @property
    def statuses(self) -> list[Status]:
        """What a component may be set to, worst first; maintenance that lies ahead only names its components."""
        if self.phase == Phase.SCHEDULED:
            return [Status.UNDER_MAINTENANCE]
        return sorted(Status, reverse=True)

    @property
    def templates(self) -> list[Template]:
        return list(self.page.templates.filter(kind=self.kind))

    @property
    def audience(self) -> list[tuple[str, int]]:
        """Who would be told now: (channel's name, how many), the largest first."""
        counts = sorted(self._counts.items(), key=lambda each: -each[1])
        return [(label_of(kind), count) for kind, count in counts if count]

    @property
    def unreachable(self) -> list[str]:
        """What keeps this update from people, in sentences."""
        return posting_warnings(self.page, [kind for kind, count in self._counts.items() if count])

    @cached_property
    def _counts(self) -> dict[str, int]:
        codes = [row.component.code for row in self.rows if row.is_touched and not row.component.hidden]
        return count_audience(self.page, codes, self.incident.code if self.incident else "")

    def post(self, actor: str) -> Update:
        """Post what was typed. Call it once the form is valid. Raises StaleUpdateError and ValidationError.

        A token that has posted something else is no doubled submit: somebody went back in the browser and
        typed the next update there, which must not be lost without a word.
        """
        form, content = _digest(self.cleaned_data["token"]), self._content()
        others = Update.objects.filter(token__startswith=form).exclude(token=form + content)
        if other := others.first():
            raise StaleUpdateError([other])
        return self._post(actor, form + content)

    def _content(self) -> str:
        """The digest of all that is posted: two that differ in anything, if only a component, are two posts."""
        about = ("token", "seen", "applied")
        posted = {name: value for name, value in self.cleaned_data.items() if value and name not in about}
        return _digest(json.dumps(posted, default=str, sort_keys=True))

    def _post(self, actor: str, token: str) -> Update:
        fields = self.cleaned_data
        window: Window | None = None
        if "scheduled_for" in fields:
            window = fields["scheduled_for"], fields["scheduled_until"]
        post = Post(
            fields["body"],
            fields["status"],
            components={row.component: row.chosen for row in self.rows if row.chosen is not None},
            window=window,
            notify=fields["notify"],
            actor=actor,
            token=token,
            seen=fields["seen"] if self.incident else None,
        )
        if self.incident:
            return self.incident.post(post)
        return Incident.open(self.page, fields["name"], post, kind=self.kind)

    def absorb(self, error: ValidationError) -> None:
        """Show the refusal of a post at the field it is about."""
        for field, messages in getattr(error, "message_dict", {None: error.messages}).items():
            self.add_error(field if field in self.fields else None, messages)
