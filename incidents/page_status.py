"""What a page says at the top: one roll-up of components and open incidents, for page, badge, API, webhooks alike."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

from components.status import Impact, Status, roll_up
from incidents.phases import Phase

WHEN_ALL = {
    Status.MAJOR_OUTAGE: "All systems are down",
    Status.PARTIAL_OUTAGE: "All systems are partly down",
    Status.DEGRADED_PERFORMANCE: "All systems are slow or unreliable",
    Status.UNDER_MAINTENANCE: "Maintenance is under way",
}
WHEN_SOME = {
    Status.MAJOR_OUTAGE: "Some systems are down",
    Status.PARTIAL_OUTAGE: "Some systems are partly down",
    Status.DEGRADED_PERFORMANCE: "Some systems are slow or unreliable",
    Status.UNDER_MAINTENANCE: "Maintenance is under way",
}
# Where no component shows what is wrong: in the words that clients of Statuspage know.
WITHOUT_COMPONENTS = {
    Impact.MINOR: "Minor Service Outage",
    Impact.MAJOR: "Partial System Outage",
    Impact.CRITICAL: "Major System Outage",
}


class OpenIncident(Protocol):
    @property
    def status(self) -> str: ...
    @property
    def impact(self) -> str: ...


@dataclass(frozen=True, slots=True)
class PageStatus:
    """`text` is the sentence that people read, `tone` the component status that it is coloured by; None: by none.
    `indicator` and `description` say the same to programs, in Statuspage's words."""

    text: str
    tone: Status | None
    indicator: Impact
    description: str


def summarise(statuses: Iterable[Status], open_incidents: Collection[OpenIncident]) -> PageStatus:
    """`statuses`: of the public components. `open_incidents`: real-time ones that are not resolved."""
    found = list(statuses)
    worst = max(found, default=Status.OPERATIONAL)
    known = roll_up(found)
    if worst != Status.OPERATIONAL:
        text = (WHEN_ALL if set(found) == {worst} else WHEN_SOME)[worst]
        return PageStatus(text, worst, known.indicator, known.description)
    if not found and not open_incidents:
        return PageStatus("This page is being set up", None, known.indicator, known.description)
    if not open_incidents:
        return PageStatus("All systems are working", worst, known.indicator, known.description)
    if all(each.status == Phase.MONITORING for each in open_incidents):
        text = "All systems are working again; we are watching them"
        return PageStatus(text, worst, known.indicator, known.description)
    indicator = max([Impact.MINOR, *(Impact(each.impact) for each in open_incidents)], key=lambda impact: impact.rank)
    return PageStatus(
        "We are looking into a problem", Status.DEGRADED_PERFORMANCE, indicator, WITHOUT_COMPONENTS[indicator]
    )
