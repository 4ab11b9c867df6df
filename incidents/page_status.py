"""What a page says at the top: one roll-up of components and open incidents, for page, badge, API, webhooks alike."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

from django.utils.translation import gettext, gettext_noop

from components.status import Impact, Status, roll_up
from incidents.phases import Phase

WHEN_ALL = {
    Status.MAJOR_OUTAGE: gettext_noop("All systems are down"),
    Status.PARTIAL_OUTAGE: gettext_noop("All systems are partly down"),
    Status.DEGRADED_PERFORMANCE: gettext_noop("All systems are slow or unreliable"),
    Status.UNDER_MAINTENANCE: gettext_noop("Maintenance is under way"),
}
WHEN_SOME = {
    Status.MAJOR_OUTAGE: gettext_noop("Some systems are down"),
    Status.PARTIAL_OUTAGE: gettext_noop("Some systems are partly down"),
    Status.DEGRADED_PERFORMANCE: gettext_noop("Some systems are slow or unreliable"),
    Status.UNDER_MAINTENANCE: gettext_noop("Maintenance is under way"),
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
    """`sentence` is what people read, in English, and `text` the same in the active language. `tone` is the component
    status that it is coloured by; None: by none. `indicator` and `description` say it to programs, in Statuspage's
    words."""

    sentence: str
    tone: Status | None
    indicator: Impact
    description: str

    @property
    def text(self) -> str:
        return gettext(self.sentence)


def summarise(statuses: Iterable[Status], open_incidents: Collection[OpenIncident]) -> PageStatus:
    """`statuses`: of the public components. `open_incidents`: real-time ones that are not resolved."""
    found = list(statuses)
    worst = max(found, default=Status.OPERATIONAL)
    known = roll_up(found)
    if worst != Status.OPERATIONAL:
        sentence = (WHEN_ALL if set(found) == {worst} else WHEN_SOME)[worst]
        return PageStatus(sentence, worst, known.indicator, known.description)
    if not found and not open_incidents:
        return PageStatus(gettext_noop("This page is being set up"), None, known.indicator, known.description)
    if not open_incidents:
        return PageStatus(gettext_noop("All systems are working"), worst, known.indicator, known.description)
    if all(each.status == Phase.MONITORING for each in open_incidents):
        sentence = gettext_noop("All systems are working again; we are watching them")
        return PageStatus(sentence, worst, known.indicator, known.description)
    indicator = max([Impact.MINOR, *(Impact(each.impact) for each in open_incidents)], key=lambda impact: impact.rank)
    return PageStatus(
        gettext_noop("We are looking into a problem"),
        Status.DEGRADED_PERFORMANCE,
        indicator,
        WITHOUT_COMPONENTS[indicator],
    )
