"""The five component statuses in order of severity, and what several of them add up to."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db import models
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _


class Status(models.IntegerChoices):
    """Ordered by severity, so that max() and the database's Max() give the worst. Gaps leave room."""

    OPERATIONAL = 0, _("Operational")
    UNDER_MAINTENANCE = 10, _("Under maintenance")
    DEGRADED_PERFORMANCE = 20, _("Degraded performance")
    PARTIAL_OUTAGE = 30, _("Partial outage")
    MAJOR_OUTAGE = 40, _("Major outage")

    @property
    def slug(self) -> str:
        """The word in URLs, JSON and CSS: "partial_outage"."""
        return self.name.lower()

    @property
    def words(self) -> str:
        """In the middle of a sentence: "partial outage". Languages differ in what is small there."""
        return gettext(WORDS[self])

    @classmethod
    def from_slug(cls, slug: str) -> "Status":
        """Raises ValueError, naming the five words, for anything else."""
        try:
            return cls[slug.upper()]
        except KeyError:
            words = ", ".join(status.slug for status in cls)
            raise ValueError(f"“{slug}” is not a component status; use one of {words}.") from None


WORDS = {
    Status.OPERATIONAL: gettext_noop("operational"),
    Status.UNDER_MAINTENANCE: gettext_noop("under maintenance"),
    Status.DEGRADED_PERFORMANCE: gettext_noop("degraded performance"),
    Status.PARTIAL_OUTAGE: gettext_noop("partial outage"),
    Status.MAJOR_OUTAGE: gettext_noop("major outage"),
}


class Impact(models.TextChoices):
    """How bad an incident is; declared from least to worst."""

    NONE = "none", _("None")
    MAINTENANCE = "maintenance", _("Maintenance")
    MINOR = "minor", _("Minor")
    MAJOR = "major", _("Major")
    CRITICAL = "critical", _("Critical")

    @property
    def rank(self) -> int:
        return list(Impact).index(self)


@dataclass(frozen=True)
class Rollup:
    indicator: Impact
    description: str


ALL_OPERATIONAL = Rollup(Impact.NONE, "All Systems Operational")
_WHEN_ALL = {
    Status.MAJOR_OUTAGE: Rollup(Impact.CRITICAL, "Major System Outage"),
    Status.PARTIAL_OUTAGE: Rollup(Impact.MAJOR, "Partial System Outage"),
    Status.DEGRADED_PERFORMANCE: Rollup(Impact.MINOR, "Degraded System Service"),
}
_WHEN_ANY = {
    Status.MAJOR_OUTAGE: Rollup(Impact.MAJOR, "Partial System Outage"),
    Status.PARTIAL_OUTAGE: Rollup(Impact.MINOR, "Minor Service Outage"),
    Status.DEGRADED_PERFORMANCE: Rollup(Impact.MINOR, "Partially Degraded Service"),
    Status.UNDER_MAINTENANCE: Rollup(Impact.MAINTENANCE, "Service Under Maintenance"),
}


def roll_up(statuses: Iterable[Status]) -> Rollup:
    """What several components' statuses add up to, in the words that Statuspage clients know.

    A single degraded component is "Partially Degraded Service"; several, all degraded, are
    "Degraded System Service". The first matching rule wins, worst status first.
    """
    found = list(statuses)
    for status in sorted(_WHEN_ANY, reverse=True):
        if status not in found:
            continue
        one_degraded = len(found) == 1 and status is Status.DEGRADED_PERFORMANCE
        if all(each == status for each in found) and status in _WHEN_ALL and not one_degraded:
            return _WHEN_ALL[status]
        return _WHEN_ANY[status]
    return ALL_OPERATIONAL
