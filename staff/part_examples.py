"""Each template of templates/staff/parts/ with a context for each of its states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib.messages import constants as levels
from django.contrib.messages.storage.base import Message
from django.core.paginator import Paginator
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from components.status import Status
from staff.bulk import BulkDeed
from staff.lists import Tab

Context = dict[str, Any]
_EXAMPLE_DEED = BulkDeed(
    "remove", gettext_lazy("Remove the ticked"), gettext_lazy("Remove all that match"), str, gettext_lazy("None was.")
)
LONG_NAME = "Unterbrechungsfreieservicekonfigurationsverwaltung" * 2


@dataclass(frozen=True)
class PartExamples:
    """`name` is the template's, without its underscore; `use` says when a screen has it; `frame` is the element of
    the style sheet that stands around it on a screen; `examples` are (what the state is called, context)."""

    name: str
    title: str | Promise
    use: str | Promise
    examples: list[tuple[str, Context]]
    frame: str = "plain"

    @property
    def template(self) -> str:
        return f"staff/parts/_{self.name}.html"


class FieldsForm(forms.Form):
    """One field of each kind that the settings ask with."""

    name = forms.CharField(label=gettext_lazy("Name"), help_text=gettext_lazy("Visitors read it."))
    about = forms.CharField(label=gettext_lazy("About"), widget=forms.Textarea(attrs={"rows": 2}), required=False)
    address = forms.URLField(label=gettext_lazy("Address"), required=False, assume_scheme="https")
    since = forms.DateField(label=gettext_lazy("Since"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    status = forms.ChoiceField(label=gettext_lazy("Status"), choices=Status.choices)
    rights = forms.ChoiceField(
        label=gettext_lazy("May"),
        choices=[("post", gettext_lazy("Post updates")), ("all", gettext_lazy("Change everything"))],
        widget=forms.RadioSelect,
    )
    touched = forms.MultipleChoiceField(
        label=gettext_lazy("Components it touches"),
        choices=[("a", "Chat API"), ("b", LONG_NAME)],
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    hidden = forms.BooleanField(
        label=gettext_lazy("Hide it"), help_text=gettext_lazy("It stands on no page."), required=False
    )
    locked = forms.CharField(label=gettext_lazy("Cannot be changed here"), required=False, disabled=True)

    def clean(self) -> None:
        if self.data.get(f"{self.prefix}-address"):
            self.add_error(None, _("Nothing was saved: two fields are wrong."))


def load_parts() -> list[PartExamples]:
    """In the order of a screen: what stands at its top first."""
    return [
        *_at_the_top(),
        *_in_lists(),
        *_in_forms(),
        *_small_ones(),
    ]


def _at_the_top() -> list[PartExamples]:
    said = [
        Message(levels.SUCCESS, _("It was saved.")),
        Message(levels.WARNING, _("It was saved, but is not connected.")),
        Message(levels.ERROR, _("It was not saved: somebody removed it meanwhile.")),
    ]
    return [
        PartExamples(
            "messages",
            gettext_lazy("Message"),
            gettext_lazy("Once, after something was done or could not be done."),
            [(_("done, with a warning, failed"), {"messages": said})],
        ),
        PartExamples(
            "undo",
            gettext_lazy("Undo"),
            gettext_lazy("Once, among the messages, after something was removed. Never ask before instead."),
            [(_("removed"), {"words": _("The template “Disk” was removed.")})],
            frame="messagelist",
        ),
        PartExamples(
            "tabs",
            gettext_lazy("Tabs"),
            gettext_lazy("Views of the same thing: the states of a list, the screens of an area."),
            [
                (_("first"), {"label": _("First tab"), "tabs": _tabs(0, None, None)}),
                (_("second, with counts"), {"label": _("Second tab"), "tabs": _tabs(1, 1204, 3)}),
            ],
        ),
    ]


def _tabs(current: int, *counts: int | None) -> list[Tab]:
    labels = [_("All"), _("Open"), _("Closed")]
    return [Tab(label, "#part-tabs", at == current, ([None, *counts])[at]) for at, label in enumerate(labels)]


def _in_lists() -> list[PartExamples]:
    pages = Paginator(range(150), 50)
    return [
        PartExamples(
            "search",
            gettext_lazy("Search"),
            gettext_lazy("Above a list that may grow beyond what one sees at once."),
            [
                (_("empty"), {"placeholder": _("Part of a name")}),
                (_("with words"), {"placeholder": _("Part of an address"), "search": LONG_NAME}),
            ],
        ),
        PartExamples(
            "switch",
            gettext_lazy("Switch of a row"),
            gettext_lazy("In a row, for what stays there while it is off."),
            [
                (_("on"), {"url": "#part-switch", "name": "#status", "is_on": True}),
                (_("off"), {"url": "#part-switch", "name": "#alerts", "is_on": False}),
            ],
        ),
        PartExamples(
            "bulk",
            gettext_lazy("Many at once"),
            gettext_lazy("Below rows that can be ticked, for what one may want to do to several of them."),
            [
                (_("one page"), {"deeds": [_EXAMPLE_DEED], "is_more": False}),
                (_("more than one"), {"deeds": [_EXAMPLE_DEED], "is_more": True}),
            ],
        ),
        PartExamples(
            "empty",
            gettext_lazy("Empty state"),
            gettext_lazy("In the place of a list without rows: what will stand there, and how it begins."),
            [
                (
                    _("nothing yet"),
                    {"words": _("No words are prepared yet."), "begin": _("New template"), "begin_url": "#part-empty"},
                ),
                (_("a search found nothing"), {"words": _("Nothing is like that."), "is_search": True}),
            ],
        ),
        PartExamples(
            "pagination",
            gettext_lazy("Pages of a list"),
            gettext_lazy("Below a list of more than 50 rows."),
            [
                (_("first"), {"rows": pages.get_page(1), "called": _("First page")}),
                (_("in the middle"), {"rows": pages.get_page(2), "called": _("Middle page")}),
                (_("last"), {"rows": pages.get_page(3), "called": _("Last page")}),
            ],
        ),
        PartExamples(
            "reasons",
            gettext_lazy("Table"),
            gettext_lazy("For numbers that are compared down a column. All else is a list of lines."),
            [
                (
                    _("with an account that is not connected"),
                    {
                        "caption": _("Why some failed"),
                        "unconnected": [(None, "@acme")],
                        "reasons": [(_("There is no such mailbox."), 1204), (LONG_NAME, 3)],
                    },
                )
            ],
        ),
    ]


def _in_forms() -> list[PartExamples]:
    typed = {"filled-name": LONG_NAME, "filled-status": 30, "filled-rights": "all", "filled-hidden": "on"}
    filled = FieldsForm(typed | {"filled-touched": ["b"], "filled-locked": "…"}, prefix="filled")
    wrong = FieldsForm({"wrong-address": "x y"}, prefix="wrong")
    fields = [(_("%(label)s, as asked") % {"label": each.label}, each) for each in FieldsForm(prefix="asked")]
    fields += [(_("%(label)s, filled in") % {"label": each.label}, each) for each in filled]
    fields += [(_("%(label)s, refused") % {"label": each.label}, each) for each in wrong if each.errors]
    return [
        PartExamples(
            "field",
            gettext_lazy("Field"),
            gettext_lazy("For each thing that is asked; what is wrong stands at the field, in words."),
            [(state, {"field": field}) for state, field in fields],
            frame="fields",
        ),
        PartExamples(
            "form",
            gettext_lazy("Form"),
            gettext_lazy("All fields of a form; what is wrong with several of them stands above."),
            [(_("refused"), {"form": FieldsForm({"form-address": "x y"}, prefix="form")})],
        ),
        PartExamples(
            "buttons",
            gettext_lazy("End of a form"),
            gettext_lazy("One main button on a screen, and at most a link beside it."),
            [
                (_("alone"), {"main": _("Save")}),
                (
                    _("with a link"),
                    {"main": _("Save"), "other": _("See the page"), "other_url": "#part-buttons"},
                ),
            ],
        ),
    ]


def _small_ones() -> list[PartExamples]:
    looks = {_("plain"): "", _("main"): "primary", _("main of the overview"): "primary big", _("in a row"): "small"}
    words = _("Post update")
    buttons: list[tuple[str, Context]] = [(state, {"words": words, "look": look}) for state, look in looks.items()]
    buttons += [
        (_("disabled"), {"words": words, "is_disabled": True}),
        (_("link"), {"words": words, "url": "#part-button"}),
    ]
    tones = [(str(status.label), status.slug, True) for status in Status]
    tones += [(_("sent"), "good", False), (_("paused"), "doubtful", False), (_("3 failed"), "bad", False)]
    tones += [(_("sending"), "", False)]
    return [
        PartExamples(
            "button",
            gettext_lazy("Button"),
            gettext_lazy("For what does something; a link that looks like one only where it begins a task."),
            buttons,
        ),
        PartExamples(
            "badge",
            gettext_lazy("Badge"),
            gettext_lazy("For a state: always with its word, never by colour alone."),
            [(word, {"words": word, "tone": tone, "has_dot": has_dot}) for word, tone, has_dot in tones],
        ),
    ]
