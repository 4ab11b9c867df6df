"""A snapshot in the words and the order that people read. No markup: that is for templates/public/."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from components.status import Impact, Status
from components.uptime import DayUptime, Uptime
from incidents.phases import Kind, Phase
from public.shapes import PublicComponent, PublicGroup, PublicIncident, Snapshot

NAMED = 3  # more names than these in one sentence are counted instead


def name_affected(snapshot: Snapshot) -> str:
    """ "Affected: Chat API and Website.", or "" when all components are well."""
    troubled = [component.name for component in snapshot.components if component.status != Status.OPERATIONAL.slug]
    return f"Affected: {join_names(troubled)}." if troubled else ""


def join_names(names: list[str]) -> str:
    """ "A", "A and B", "A, B and C", "A, B, C and 4 more"."""
    if len(names) > NAMED + 1:
        names = [*names[:NAMED], f"{len(names) - NAMED} more"]
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


@dataclass(frozen=True)
class Section:
    """A card of components: a group, or neighbours without one."""

    group: PublicGroup | None
    components: list[PublicComponent]


def build_sections(snapshot: Snapshot) -> list[Section]:
    """Groups and loose components by position; loose neighbours share a card."""
    shown = {component.code: component for component in snapshot.components if _is_shown(component)}
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


def _is_shown(component: PublicComponent) -> bool:
    return not component.only_show_if_degraded or component.status != Status.OPERATIONAL.slug


@dataclass(frozen=True)
class Agenda:
    """What the front page tells apart: what happens now, what is scheduled."""

    incidents: list[PublicIncident]
    working: list[PublicIncident]
    scheduled: list[PublicIncident]


def build_agenda(snapshot: Snapshot) -> Agenda:
    """Open incidents, the worst first; maintenance under way; maintenance to come, the next first."""
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
    """ "less than a minute", "14 minutes", "1 hour 5 minutes", "3 days 2 hours"."""
    minutes = int(length.total_seconds()) // 60
    if minutes < 1:
        return "less than a minute"
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [(days, "day"), (hours, "hour"), (0 if days else minutes, "minute")]
    return " ".join(f"{count} {unit}{'s' * (count != 1)}" for count, unit in parts if count)


def list_troubled_days(uptime: Uptime) -> list[DayUptime]:
    """Days with any status worse than operational, newest first."""
    return [day for day in reversed(uptime.days) if day.status != Status.OPERATIONAL]


def count_troubled_days(days: Iterable[DayUptime]) -> str:
    """ "2 days with trouble, 1 with maintenance"; "No trouble"."""
    statuses = [day.status for day in days]
    maintenance = statuses.count(Status.UNDER_MAINTENANCE)
    troubled = len(statuses) - maintenance
    if not statuses:
        return "No trouble"
    if not troubled:
        return f"{maintenance} {_days(maintenance)} with maintenance"
    return f"{troubled} {_days(troubled)} with trouble" + (f", {maintenance} with maintenance" if maintenance else "")


def _days(count: int) -> str:
    return "day" if count == 1 else "days"


def describe_day(day: DayUptime) -> str:
    """ "Partial outage 1 hour 5 minutes, degraded performance 3 minutes": the worst first."""
    if not day.seconds:
        return f"{day.status.label}, less than a minute"
    worst_first = sorted(day.seconds.items(), reverse=True)
    texts = [f"{status.label.lower()} {describe_duration(timedelta(seconds=taken))}" for status, taken in worst_first]
    return ", ".join(texts).capitalize()


def describe_outcome(incident: PublicIncident, now: datetime) -> str:
    """ "Resolved after 14 minutes", "Ongoing": one line about an incident in a list of days."""
    if incident.kind == Kind.MAINTENANCE:
        if incident.is_closed:
            return "Maintenance, completed"
        return "Maintenance, to come" if incident.status == Phase.SCHEDULED else "Maintenance, under way"
    if incident.is_closed and incident.resolved_at:
        return f"Resolved after {describe_duration(incident.resolved_at - incident.started_at)}"
    return f"{incident.label}, ongoing"
