"""What an incident said of each component, from when to when."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from components.status import Status
from public.shapes import PublicIncident


@dataclass(frozen=True, slots=True)
class Stretch:
    """A component held one status; `end` is None while it still does."""

    status: str
    start: datetime
    end: datetime | None

    @property
    def length(self) -> timedelta | None:
        return self.end - self.start if self.end else None


@dataclass(frozen=True, slots=True)
class AffectedComponent:
    name: str
    stretches: list[Stretch]
    """Oldest first; only those in which something was wrong."""


def list_affected(incident: PublicIncident) -> list[AffectedComponent]:
    """The components in the order in which they were first named, by the label that people read; one that is gone is
    called as it was then.

    What was said holds until the next update that names the component, or until the incident is closed.
    Maintenance that has not begun has said nothing yet.
    """
    said: dict[str, list[tuple[datetime, str]]] = {}
    labels = {component.code: component.label for component in incident.components}
    names: dict[str, str] = {}
    for update in reversed(incident.updates):
        for each in update.affected:
            names[each.code] = labels.get(each.code, each.name)
            said.setdefault(each.code, []).append((update.display_at, each.effect))
    closed_at = incident.resolved_at if incident.is_closed else None
    found = (AffectedComponent(names[code], _stretches(changes, closed_at)) for code, changes in said.items())
    return [each for each in found if each.stretches]


def _stretches(changes: list[tuple[datetime, str]], closed_at: datetime | None) -> list[Stretch]:
    """`changes`: since when, which status; oldest first. Neighbours of one status are joined."""
    found: list[Stretch] = []
    ends = [start for start, _ in changes[1:]] + [closed_at]
    for (start, status), end in zip(changes, ends, strict=True):
        if end is not None and end <= start:
            continue
        if found and found[-1].status == status and found[-1].end == start:
            found[-1] = Stretch(status, found[-1].start, end)
        else:
            found.append(Stretch(status, start, end))
    return [each for each in found if each.status != Status.OPERATIONAL.slug]
