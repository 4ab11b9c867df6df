"""How the public templates write times, uptime and bars."""

from datetime import UTC, date, datetime
from math import floor
from zoneinfo import ZoneInfo

from django import template
from django.template.context import Context
from django.utils.formats import number_format
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext

from components.status import Status
from components.uptime import DayUptime, Uptime
from core.dates import clock_text, day_and_time, day_text, days_text, weekday_and_day
from incidents.phases import Kind
from pages.models import zone_title
from public.documents import page as presentation
from public.documents import sitemap
from public.documents.affected import list_affected
from public.documents.days import QuietDays
from public.documents.icon import icon_address
from public.documents.link_preview import preview_address
from public.documents.timestamps import zone_name
from public.shapes import PublicIncident, Snapshot

register = template.Library()

BAR_CLASSES = {
    Status.OPERATIONAL: "",
    Status.UNDER_MAINTENANCE: "mnt",
    Status.DEGRADED_PERFORMANCE: "deg",
    Status.PARTIAL_OUTAGE: "part",
    Status.MAJOR_OUTAGE: "maj",
}
PLAIN_BAR = "<i></i>"

register.filter("icon_address", icon_address)
register.filter("preview_address", preview_address)
register.filter("zone_title", zone_title)
register.simple_tag(sitemap.describe_place, name="place_data")
register.simple_tag(sitemap.describe_incident_place, name="incident_data")
register.filter("affected_over_time", list_affected)
register.filter("duration", presentation.describe_duration)
register.filter("names", presentation.join_names)
register.filter("day_text", presentation.describe_day)
register.filter("day_count", presentation.count_troubled_days)
register.filter("troubled_days", presentation.list_troubled_days)


@register.simple_tag(takes_context=True)
def moment(context: Context, when: datetime, part: str = "") -> SafeString:
    """<time> in the page's zone: "20 Nov, 17:20 UTC". The script may show it in the visitor's own.

    `part`: "clock" leaves the day out, "ago" keeps room in which the script writes "(3 minutes ago)".
    """
    local = when.astimezone(_zone(context))
    clock = f"{clock_text(local)} {_zone_label(local, _zone(context))}"
    text = clock if part == "clock" else day_and_time(_short_day(local.date(), _today(context)), clock)
    mark = mark_safe(f' data-{part}=""') if part else ""  # noqa: S308  # `part` is written in a template
    room = mark_safe("<span class=age></span>") if part == "ago" else ""
    return format_html(
        '<time datetime="{}"{}>{}{}</time>', f"{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}", mark, text, room
    )


@register.simple_tag(takes_context=True)
def window(context: Context, start: datetime, end: datetime) -> SafeString:
    """When maintenance takes place: "Sun 12 December, 02:00 to 03:00 UTC"; both zones where clocks change in between."""
    zone = _zone(context)
    first, last = start.astimezone(zone), end.astimezone(zone)
    begin = day_and_time(_long_day(first.date(), _today(context)), clock_text(first))
    if first.utcoffset() != last.utcoffset():
        begin += f" {_zone_label(first, zone)}"
    finish = clock_text(last)
    if first.date() != last.date():
        finish = day_and_time(_long_day(last.date(), _today(context)), finish)
    words = {"start": begin, "end": f"{finish} {_zone_label(last, zone)}"}
    return format_html(
        '<time datetime="{}" data-window="{}">{}</time>',
        f"{start.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        f"{end.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        # Translators: from when to when, such as “Sun 12 December, 02:00 to 03:00 UTC”.
        gettext("%(start)s to %(end)s") % words,
    )


@register.simple_tag(takes_context=True)
def day(context: Context, when: date) -> SafeString:
    """A heading: "Today, 9 December", "8 December", "8 December 2025"."""
    today = _today(context)
    text = _day_words(when, today)
    if when == today:
        text = gettext("Today, %(day)s") % {"day": text}
    return format_html('<time datetime="{}">{}</time>', when.isoformat(), text)


@register.simple_tag(takes_context=True)
def begun(context: Context, incident: PublicIncident) -> SafeString:
    """The day on which it began, as a heading."""
    return day(context, incident.begins_at.astimezone(_zone(context)).date())


@register.simple_tag(takes_context=True)
def outcome(context: Context, incident: PublicIncident) -> str:
    return presentation.describe_outcome(incident, context["snapshot"].built_at)


@register.simple_tag
def impact(incident: PublicIncident) -> SafeString:
    """In words with its colour and shape, "" where there is none."""
    words = presentation.describe_impact(incident)
    found = format_html('<span class="impact impact-{}">{}</span>', incident.impact, words)
    return found if words else mark_safe("")


@register.filter
def quiet_days(days: QuietDays, snapshot: Snapshot) -> str:
    """ "20 to 24 November"."""
    today = snapshot.built_at.astimezone(snapshot.page.zone).date()
    return days_text(days.first, days.last, with_year=days.last.year != today.year)


@register.simple_tag(takes_context=True)
def ongoing(context: Context, incident: PublicIncident, when: date) -> str:
    """Of a day on which an incident went on that began before it: "Ongoing since 21 November"."""
    zone = _zone(context)
    ended = incident.resolved_at.astimezone(zone).date() if incident.is_closed and incident.resolved_at else None
    since = _day_words(incident.begins_at.astimezone(zone).date(), _today(context))
    if ended != when:
        return gettext("Ongoing since %(day)s") % {"day": since}
    if incident.kind == Kind.MAINTENANCE:
        return gettext("Completed, ongoing since %(day)s") % {"day": since}
    return gettext("Resolved, ongoing since %(day)s") % {"day": since}


def _day_words(when: date, today: date) -> str:
    return day_text(when, with_year=when.year != today.year)


@register.simple_tag(takes_context=True)
def today(context: Context) -> str:
    """The date of the last bar, for the script."""
    return _today(context).isoformat()


@register.filter
def percent(ratio: float | None) -> str:
    """ "99.91 %", rounded down: only what was never down is "100.00 %"."""
    if ratio is None:
        return ""
    return gettext("%(number)s %%") % {"number": number_format(floor(ratio * 10_000 + 1e-9) / 100, 2)}


@register.filter
def bars(uptime: Uptime) -> SafeString:
    """One <i> a day, oldest first. Written here because a page has thousands of them. What a day was is told in the list
    of days with trouble, which the script reads too."""
    return mark_safe("".join(map(_bar, uptime.days)))  # noqa: S308  # no word of anybody is in it


def _bar(uptime_day: DayUptime) -> str:
    if uptime_day.ratio is None:
        return "<i class=none></i>"
    if uptime_day.status == Status.OPERATIONAL:
        return PLAIN_BAR
    return f"<i class={BAR_CLASSES[uptime_day.status]}></i>"


@register.filter
def status_label(slug: str) -> str:
    """ "partial_outage" is "Partial outage"."""
    return str(Status.from_slug(slug).label)


@register.filter
def status_words(slug: str) -> str:
    """In the middle of a sentence."""
    return Status.from_slug(slug).words


@register.filter
def lasted(incident: PublicIncident) -> str:
    """How long a closed incident went on."""
    return presentation.describe_duration((incident.resolved_at or incident.updated_at) - incident.started_at)


def _zone(context: Context) -> ZoneInfo:
    zone: ZoneInfo = context["page"].zone
    return zone


def _zone_label(when: datetime, zone: ZoneInfo) -> str:
    """ "CET", or "UTC+03" for a zone whose hour has no name."""
    name = zone_name(when, zone)
    return f"UTC{name}" if name[:1] in "+-" else name


def _today(context: Context) -> date:
    built_at: datetime = context["snapshot"].built_at
    return built_at.astimezone(_zone(context)).date()


def _short_day(when: date, today: date) -> str:
    return day_text(when, "short", with_year=when.year != today.year)


def _long_day(when: date, today: date) -> str:
    return weekday_and_day(when, with_year=when.year != today.year)
