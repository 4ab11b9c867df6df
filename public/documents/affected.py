"""The statuses that an incident gave to each component, with their times."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from components.status import Status
from public.shapes import PublicIncident


@dataclass(frozen=True, slots=True)
class AffectedPeriod:
    """A time during which an incident gave a component one status; `end` is None while it still does."""

    status: str
    start: datetime
    end: datetime | None

    @property
    def length(self) -> timedelta | None:
        return self.end - self.start if self.end else None


@dataclass(frozen=True, slots=True)
class AffectedComponent:
    name: str
    periods: list[AffectedPeriod]
    """Oldest first, without those that are operational."""


def list_affected(incident: PublicIncident) -> list[AffectedComponent]:
    """The affected components, in the order in which updates first named them. The name is the component's label; of a
    deleted component, its name at that time.

    A status lasts until the next update that names the component, or until the incident is closed. Maintenance that has
    not begun affects nothing.
    """
    said: dict[str, list[tuple[datetime, str]]] = {}
    labels = {component.code: component.label for component in incident.components}
    names: dict[str, str] = {}
    for update in reversed(incident.updates):
        for each in update.affected:
            names[each.code] = labels.get(each.code, each.name)
            said.setdefault(each.code, []).append((update.display_at, each.effect))
    closed_at = incident.resolved_at if incident.is_closed else None
    found = (AffectedComponent(names[code], _periods(changes, closed_at)) for code, changes in said.items())
    return [each for each in found if each.periods]


def _periods(changes: list[tuple[datetime, str]], closed_at: datetime | None) -> list[AffectedPeriod]:
    """`changes`: start and status, oldest first. Successive ones with the same status are joined."""
    found: list[AffectedPeriod] = []
    ends = [start for start, _ in changes[1:]] + [closed_at]
    for (start, status), end in zip(changes, ends, strict=True):
        if end is not None and end <= start:
            continue
        if found and found[-1].status == status and found[-1].end == start:
            found[-1] = AffectedPeriod(status, found[-1].start, end)
        else:
            found.append(AffectedPeriod(status, start, end))
    return [each for each in found if each.status != Status.OPERATIONAL.slug]
