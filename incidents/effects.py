"""What an incident says of its components once a phase is reached."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from components.effects import load_effects
from components.models import Component
from components.status import Status
from incidents.phases import CLOSED, Phase

AT_WORK = frozenset({Phase.IN_PROGRESS, Phase.VERIFYING})


def holds_components(phase: Phase | str) -> bool:
    """Whether an incident in this phase says anything: not when it is closed, or merely scheduled."""
    return phase not in CLOSED and phase != Phase.SCHEDULED


def effects_after(
    phase: Phase | str, cause: str, components: Collection[Component], named: Mapping[Component, Status]
) -> dict[Component, Status]:
    """What the incident with the code `cause` says of each of `components` after a post in `phase` that names
    `named`.

    What is not named keeps what was said of it before. Maintenance under way says "under maintenance" of each
    component that it has said nothing of yet.
    """
    if not holds_components(phase):
        return {}
    before = load_effects(cause)
    first = Status.UNDER_MAINTENANCE if phase in AT_WORK else Status.OPERATIONAL
    return {each: named[each] if each in named else before.get(each.pk, first) for each in components}
