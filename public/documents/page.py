"""Prepares a snapshot for people: words, order and grouping. The markup is in templates/public/."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.utils.translation import gettext, gettext_noop, ngettext

from components.status import Impact, Status
from components.uptime import DayUptime, Uptime
from incidents.phases import Kind, Phase
from public.shapes import PublicComponent, PublicGroup, PublicIncident, Snapshot

NAMED = 3  # the most names in one sentence; the others are counted
IMPACT_WORDS = {
    Impact.MINOR: gettext_noop("Minor impact"),
    Impact.MAJOR: gettext_noop("Major impact"),
    Impact.CRITICAL: gettext_noop("Critical impact"),
}


def name_affected(snapshot: Snapshot) -> str:
    """Such as “Affected: Chat API and Website.”; "" when all components are operational."""
    troubled = [component.label for component in snapshot.components if component.status != Status.OPERATIONAL.slug]
    return gettext("Affected: %(names)s.") % {"names": join_names(troubled)} if troubled else ""


def join_names(names: list[str]) -> str:
    """Such as “A”, “A and B”, “A, B and C”, “A, B, C and 4 more”."""
    if len(names) > NAMED + 1:
        more = len(names) - NAMED
        names = [*names[:NAMED], ngettext("%(count)d more", "%(count)d more", more) % {"count": more}]
    if len(names) < 2:
        return "".join(names)
    return gettext("%(names)s and %(last)s") % {"names": ", ".join(names[:-1]), "last": names[-1]}


@dataclass(frozen=True)
class Section:
    """A card of components: a group, or successive components without a group."""

    group: PublicGroup | None
    components: list[PublicComponent]

    @property
    def code(self) -> str:
        return self.group.code if self.group else self.components[0].code

    @property
    def troubled(self) -> list[PublicComponent]:
        """The components that had days with trouble."""
        return [each for each in self.components if each.uptime and list_troubled_days(each.uptime)]

    @property
    def troubled_days(self) -> list[DayUptime]:
        """Each day on which a component had trouble, with the worst status of that day."""
        worst: dict[date, DayUptime] = {}
        for day in (day for each in self.troubled if each.uptime for day in list_troubled_days(each.uptime)):
            worst[day.date] = max(worst.get(day.date, day), day, key=lambda each: each.status)
        return list(worst.values())


def build_sections(snapshot: Snapshot) -> list[Section]:
    """The cards by position: one for each group, and one for successive components without a group."""
    shown = {component.code: component for component in snapshot.components if component.is_listed}
    loose = [component for component in shown.values() if component.group_code is None]
    sections: list[Section] = []
    rows: list[PublicGroup | PublicComponent] = [*snapshot.groups, *loose]
    for row in sorted(rows, key=lambda row: row.position):
        if isinstance(row, PublicGroup):
            children = [shown[code] for code in row.component_codes if code in shown]
            sections += [Section(row, children)] if children else []
        elif sections and sections[-1].group is None:
            sections[-1].components.append(row)
        else:
            sections.append(Section(None, [row]))
    return sections


@dataclass(frozen=True)
class Agenda:
    """The open entries of the front page: incidents, maintenance under way, scheduled maintenance."""

    incidents: list[PublicIncident]
    working: list[PublicIncident]
    scheduled: list[PublicIncident]


def build_agenda(snapshot: Snapshot) -> Agenda:
    """Open incidents, the worst first; maintenance under way; scheduled maintenance, the next first."""
    work = [each for each in snapshot.maintenances if not each.is_closed]
    scheduled = [each for each in work if each.status == Phase.SCHEDULED]
    return Agenda(
        incidents=sorted(
            (each for each in snapshot.incidents if not each.is_closed),
            key=lambda each: -Impact(each.impact).rank,  # equals stay newest first
        ),
        working=[each for each in work if each.status != Phase.SCHEDULED],
        scheduled=sorted(scheduled, key=lambda each: each.begins_at),
    )


def describe_duration(length: timedelta) -> str:
    """Such as “less than a minute”, “14 minutes”, “1 hour 5 minutes”, “3 days 2 hours”."""
    minutes = int(length.total_seconds()) // 60
    if minutes < 1:
        return gettext("less than a minute")
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [
        (days, ngettext("%(count)d day", "%(count)d days", days)),
        (hours, ngettext("%(count)d hour", "%(count)d hours", hours)),
        (0 if days else minutes, ngettext("%(count)d minute", "%(count)d minutes", minutes)),
    ]
    return " ".join(words % {"count": count} for count, words in parts if count)


def list_troubled_days(uptime: Uptime) -> list[DayUptime]:
    """Days with any status worse than operational, newest first."""
    return [day for day in reversed(uptime.days) if day.status != Status.OPERATIONAL]


def count_troubled_days(days: Iterable[DayUptime]) -> str:
    """Such as “2 days with trouble, 1 with maintenance” or “No trouble”."""
    statuses = [day.status for day in days]
    maintenance = statuses.count(Status.UNDER_MAINTENANCE)
    troubled = len(statuses) - maintenance
    if not statuses:
        return gettext("No trouble")
    if not troubled:
        words = ngettext("%(count)d day with maintenance", "%(count)d days with maintenance", maintenance)
        return words % {"count": maintenance}
    words = ngettext("%(count)d day with trouble", "%(count)d days with trouble", troubled)
    days_with_trouble = words % {"count": troubled}
    if not maintenance:
        return days_with_trouble
    # Translators: “2 days with trouble, 1 with maintenance”.
    words = ngettext("%(days)s, %(count)d with maintenance", "%(days)s, %(count)d with maintenance", maintenance)
    return words % {"days": days_with_trouble, "count": maintenance}


def describe_day(day: DayUptime) -> str:
    """Such as “Partial outage 1 hour 5 minutes, degraded performance 3 minutes”, the worst first."""
    if not day.seconds:
        return gettext("%(status)s, less than a minute") % {"status": day.status.label}
    worst_first = sorted(day.seconds.items(), reverse=True)
    # Translators: “partial outage 5 minutes”.
    words = gettext("%(status)s %(duration)s")
    lengths = ((status.words, describe_duration(timedelta(seconds=taken))) for status, taken in worst_first)
    text = ", ".join(words % {"status": status, "duration": duration} for status, duration in lengths)
    return text[:1].upper() + text[1:]


def describe_impact(incident: PublicIncident) -> str:
    """Such as “Major impact”; "" for an incident without impact, and for maintenance."""
    return gettext(IMPACT_WORDS[Impact(incident.impact)]) if incident.impact in IMPACT_WORDS else ""


def measure_length(incident: PublicIncident) -> timedelta | None:
    """How long it lasted; None while it is open, and for maintenance that was cancelled before its start."""
    ended = incident.resolved_at if incident.is_closed else None
    return ended - incident.begins_at if ended and ended > incident.begins_at else None


def describe_outcome(incident: PublicIncident, now: datetime) -> str:
    """One line about an incident in a list of days, such as “Resolved after 14 minutes” or “Investigating, ongoing”."""
    if incident.kind == Kind.MAINTENANCE:
        if incident.is_closed:
            return _describe_completed(incident)
        return (
            gettext("Maintenance, to come") if incident.status == Phase.SCHEDULED else gettext("Maintenance, under way")
        )
    if incident.is_closed and incident.resolved_at:
        duration = describe_duration(incident.resolved_at - incident.started_at)
        return gettext("Resolved after %(duration)s") % {"duration": duration}
    # Translators: “Investigating, ongoing”.
    return gettext("%(status)s, ongoing") % {"status": incident.label}


def _describe_completed(incident: PublicIncident) -> str:
    length = measure_length(incident)
    if length is None:
        return gettext("Maintenance, completed")
    return gettext("Maintenance, completed after %(duration)s") % {"duration": describe_duration(length)}
