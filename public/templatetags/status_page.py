"""How the public templates write times, uptime and bars."""

from datetime import UTC, date, datetime
from math import floor
from zoneinfo import ZoneInfo

from django import template
from django.template.context import Context
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from components.status import Status
from components.uptime import DayUptime, Uptime
from incidents.phases import Kind
from pages.models import zone_title
from public.documents import page as presentation
from public.documents.timestamps import zone_name
from public.shapes import PublicIncident

register = template.Library()

BAR_CLASSES = {
    Status.OPERATIONAL: "",
    Status.UNDER_MAINTENANCE: "mnt",
    Status.DEGRADED_PERFORMANCE: "deg",
    Status.PARTIAL_OUTAGE: "part",
    Status.MAJOR_OUTAGE: "maj",
}
PLAIN_BAR = "<i></i>"

register.filter("zone_title", zone_title)
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
    clock = f"{local:%H:%M} {_zone_label(local, _zone(context))}"
    text = clock if part == "clock" else f"{_short_day(local.date(), _today(context))}, {clock}"
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
    begin = f"{_long_day(first.date(), _today(context))}, {first:%H:%M}"
    if first.utcoffset() != last.utcoffset():
        begin += f" {_zone_label(first, zone)}"
    finish = (
        f"{last:%H:%M}" if first.date() == last.date() else f"{_long_day(last.date(), _today(context))}, {last:%H:%M}"
    )
    return format_html(
        '<time datetime="{}" data-window="{}">{} to {} {}</time>',
        f"{start.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        f"{end.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        begin,
        finish,
        _zone_label(last, zone),
    )


@register.simple_tag(takes_context=True)
def day(context: Context, when: date) -> SafeString:
    """A heading: "Today, 9 December", "8 December", "8 December 2025"."""
    today = _today(context)
    text = _day_words(when, today)
    return format_html('<time datetime="{}">{}{}</time>', when.isoformat(), "Today, " if when == today else "", text)


@register.simple_tag(takes_context=True)
def outcome(context: Context, incident: PublicIncident) -> str:
    return presentation.describe_outcome(incident, context["snapshot"].built_at)


@register.simple_tag(takes_context=True)
def ongoing(context: Context, incident: PublicIncident, when: date) -> str:
    """Of a day on which an incident went on that began before it: "Ongoing since 21 November"."""
    zone = _zone(context)
    ended = incident.resolved_at.astimezone(zone).date() if incident.is_closed and incident.resolved_at else None
    since = _day_words(incident.begins_at.astimezone(zone).date(), _today(context))
    if ended != when:
        return f"Ongoing since {since}"
    return f"{'Completed' if incident.kind == Kind.MAINTENANCE else 'Resolved'}, ongoing since {since}"


def _day_words(when: date, today: date) -> str:
    return _month_day(when) if when.year == today.year else f"{_month_day(when)} {when.year}"


@register.filter
def percent(ratio: float | None) -> str:
    """ "99.91 %", rounded down: only what was never down is "100.00 %"."""
    return "" if ratio is None else f"{floor(ratio * 10_000 + 1e-9) / 100:.2f} %"


@register.filter
def bars(uptime: Uptime) -> SafeString:
    """One <i> a day, oldest first. Written here because a page has thousands of them."""
    return mark_safe("".join(map(_bar, uptime.days)))  # noqa: S308  # made of fixed words, dates and numbers


def _bar(uptime_day: DayUptime) -> str:
    if uptime_day.ratio is None:
        return "<i class=none></i>"
    if uptime_day.status == Status.OPERATIONAL:
        return PLAIN_BAR
    title = f"{uptime_day.date:%-d %b}: {presentation.describe_day(uptime_day)}"
    return f'<i class={BAR_CLASSES[uptime_day.status]} title="{title}"></i>'


@register.filter
def status_label(slug: str) -> str:
    """ "partial_outage" is "Partial outage"."""
    return Status.from_slug(slug).label


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
    return f"{when:%-d %b}" if when.year == today.year else f"{when:%-d %b %Y}"


def _month_day(when: date) -> str:
    return f"{when:%-d %B}"


def _long_day(when: date, today: date) -> str:
    return f"{when:%a} {_month_day(when)}" if when.year == today.year else f"{when:%a} {_month_day(when)} {when.year}"
