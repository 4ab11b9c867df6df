"""How staff screens write times and statuses."""

from datetime import datetime, timedelta
from typing import Any

from django import forms, template
from django.forms import BoundField
from django.template import Context
from django.template.loader import get_template
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from components.status import Status
from core.dates import describe_window
from delivery.registry import label_of
from incidents.models import Incident
from pages.models import Page, zone_title
from staff.chosen_page import PAGE_FIELD, chosen_page
from staff.lists import Tab
from staff.navigation import PAGE_TABS, MenuEntry, menu_entries
from staff.part_examples import PartExamples
from staff.posting import DATE_TIME
from staff.undo import take_offer

register = template.Library()
register.filter("zone_title", zone_title)


@register.simple_tag(takes_context=True)
def navigation(context: Context) -> list[MenuEntry]:
    return menu_entries(context["request"])


@register.simple_tag(takes_context=True)
def page_tabs(context: Context) -> list[Tab]:
    """The screens of the area "Page"."""
    here = context["request"].path
    return [Tab(label, reverse(view), reverse(view) == here) for view, label in PAGE_TABS]


@register.simple_tag(takes_context=True)
def page_choices(context: Context) -> list[tuple[Page, bool]]:
    """Every page, and whether it is the one whose settings are shown; empty where there is only one."""
    pages = list(context["pages"] if "pages" in context else Page.objects.all())
    if len(pages) < 2:
        return []
    chosen = chosen_page(context["request"])
    return [(page, page == chosen) for page in pages]


@register.simple_tag(takes_context=True)
def render_part(context: Context, part: PartExamples, example: dict[str, Any]) -> SafeString:
    """A part in one of its states, for the catalogue; nothing of the screen around it but the request."""
    around = {name: context[name] for name in ("request", "perms", "csrf_token")}
    return get_template(part.template).template.render(context.new(around | example))  # type: ignore[attr-defined]


@register.simple_tag
def page_field(page: Page) -> SafeString:
    """A hidden input by which a form says which page it is of."""
    return format_html('<input type="hidden" name="{}" value="{}">', PAGE_FIELD, page.code)


@register.simple_tag(takes_context=True)
def undo_offer(context: Context) -> str:
    return take_offer(context["request"])


@register.filter
def channel_label(kind: str) -> str:
    return label_of(kind)


@register.filter
def is_switch(field: BoundField) -> bool:
    """Whether it is on or off: the label stands beside it."""
    return isinstance(field.field.widget, forms.CheckboxInput)


@register.filter
def initially(field: BoundField) -> SafeString:
    """What the field held when the form was shown, as a hidden input (see ChangesForm)."""
    return field.as_hidden(only_initial=True)


@register.filter
def described(field: BoundField) -> SafeString:
    """The input without its hidden twin (see ChangesForm); Django ties it to its help and its errors by id."""
    return field.as_widget()


@register.filter
def ago(at: datetime) -> str:
    """ "just now", "4 minutes ago", "3 hours ago", "12 days ago"."""
    minutes = int((timezone.now() - at).total_seconds() // 60)
    if minutes < 1:
        return _("just now")
    if minutes < 120:
        return ngettext("%(count)d minute ago", "%(count)d minutes ago", minutes) % {"count": minutes}
    hours = minutes // 60
    if hours < 48:
        return ngettext("%(count)d hour ago", "%(count)d hours ago", hours) % {"count": hours}
    days = hours // 24
    return ngettext("%(count)d day ago", "%(count)d days ago", days) % {"count": days}


@register.filter
def seconds(value: float | None) -> str:
    """A delay as people say it: "0.4 s", "38 s", "12 min", "3 h"; "–" for none."""
    if value is None:
        return "–"
    if value < 10:
        return f"{value:.1f} s"
    if value < 120:
        return f"{value:.0f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.0f} h"


@register.filter
def slug(status: int) -> str:
    """The CSS class of a component's status."""
    return Status(status).slug


@register.simple_tag
def window(incident: Incident) -> str:
    return describe_window(*incident.window, incident.page.zone) if incident.window else ""


@register.filter
def cooloff(length: timedelta) -> str:
    """How long a lock-out lasts: "10 minutes", "2 hours"."""
    minutes = max(1, round(length.total_seconds() / 60))
    if minutes >= 120:
        hours = minutes // 60
        return ngettext("%(count)d hour", "%(count)d hours", hours) % {"count": hours}
    return ngettext("%(count)d minute", "%(count)d minutes", minutes) % {"count": minutes}


@register.filter
def thousands(number: int) -> str:
    """ "1,204"."""
    return f"{number:,}"


@register.filter
def moment(field: BoundField) -> str:
    """The value of a date and time input: as typed, or the offered time in the active zone."""
    value = field.value()
    return value.strftime(DATE_TIME) if isinstance(value, datetime) else value or ""
