"""What an incident said of each component, from when to when: the right values, written down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from components.models import Component
from components.status import Status
from incidents.models import Incident, Kind, Phase, Post
from pages.models import Page
from public.documents.affected import list_affected
from public.snapshot import build_incident

if TYPE_CHECKING:
    from collections.abc import Sequence

OK, SLOW, PARTIAL, DOWN, WORK = (
    Status.OPERATIONAL,
    Status.DEGRADED_PERFORMANCE,
    Status.PARTIAL_OUTAGE,
    Status.MAJOR_OUTAGE,
    Status.UNDER_MAINTENANCE,
)
BEGAN = datetime(2026, 9, 9, 23, 50, tzinfo=UTC)
Step = tuple[int, Phase, dict[str, Status]]


@pytest.fixture
def parts(acme: Page) -> dict[str, Component]:
    born = BEGAN - timedelta(days=30)
    made = {name: Component.objects.create(page=acme, name=name, created_at=born) for name in ("Chat", "Mail")}
    for each in made.values():
        each.spans.update(started_at=born)
    return made


def tell(page: Page, parts: dict[str, Component], steps: Sequence[Step], name: str = "Errors") -> Incident:
    incident = None
    for minutes, phase, moves in steps:
        post = Post("x", phase, components={parts[part]: status for part, status in moves.items()}, at=BEGAN + timedelta(minutes=minutes))  # fmt: skip
        if incident is None:
            incident = Incident.open(page, name, post).incident
        else:
            incident.post(post)
    assert incident
    return incident


def told(page: Page, incident: Incident) -> dict[str, list[tuple[str, int, int | None]]]:
    """By component: status, from which minute, to which."""
    found = build_incident(page, incident.code)
    assert found
    minute = lambda when: int((when - BEGAN).total_seconds() // 60) if when else None  # noqa: E731
    return {
        each.name: [(part.status, minute(part.start), minute(part.end)) for part in each.periods]
        for each in list_affected(found)
    }  # type: ignore[misc]


CASES: dict[str, tuple[list[Step], dict[str, list[tuple[str, int, int | None]]]]] = {
    "worse, better, closed, over midnight": (
        [(0, Phase.INVESTIGATING, {"Chat": PARTIAL}), (5, Phase.IDENTIFIED, {"Chat": DOWN}),
         (20, Phase.MONITORING, {"Chat": SLOW}), (30, Phase.RESOLVED, {})],
        {"Chat": [("partial_outage", 0, 5), ("major_outage", 5, 20), ("degraded_performance", 20, 30)]},
    ),
    "said again is one period": (
        [(0, Phase.INVESTIGATING, {"Chat": DOWN}), (5, Phase.IDENTIFIED, {"Chat": DOWN}), (9, Phase.IDENTIFIED, {})],
        {"Chat": [("major_outage", 0, None)]},
    ),
    "well in between": (
        [(0, Phase.INVESTIGATING, {"Chat": DOWN}), (5, Phase.MONITORING, {"Chat": OK}),
         (9, Phase.IDENTIFIED, {"Chat": SLOW}), (12, Phase.RESOLVED, {"Chat": OK})],
        {"Chat": [("major_outage", 0, 5), ("degraded_performance", 9, 12)]},
    ),
    "another component joins later": (
        [(0, Phase.INVESTIGATING, {"Chat": SLOW}), (5, Phase.IDENTIFIED, {"Mail": DOWN}), (9, Phase.RESOLVED, {})],
        {"Chat": [("degraded_performance", 0, 9)], "Mail": [("major_outage", 5, 9)]},
    ),
    "no component": ([(0, Phase.INVESTIGATING, {}), (9, Phase.RESOLVED, {})], {}),
    "named as well only": ([(0, Phase.INVESTIGATING, {"Chat": OK}), (9, Phase.RESOLVED, {})], {}),
    "after a postmortem": (
        [(0, Phase.INVESTIGATING, {"Chat": DOWN}), (9, Phase.RESOLVED, {}), (99, Phase.POSTMORTEM, {})],
        {"Chat": [("major_outage", 0, 9)]},
    ),
    "opened again": (
        [(0, Phase.INVESTIGATING, {"Chat": DOWN}), (9, Phase.RESOLVED, {}),
         (15, Phase.INVESTIGATING, {"Chat": SLOW})],
        {"Chat": [("major_outage", 0, 9), ("degraded_performance", 15, None)]},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_stretches_of_a_component(acme: Page, parts: dict[str, Component], case: str) -> None:
    steps, expected = CASES[case]
    assert told(acme, tell(acme, parts, steps)) == expected


def test_an_incident_says_only_what_it_said_itself(acme: Page, parts: dict[str, Component]) -> None:
    """Another one, that is worse, is told on its own page."""
    tell(acme, parts, [(0, Phase.INVESTIGATING, {"Chat": DOWN})], "Worse")
    mild = tell(acme, parts, [(5, Phase.INVESTIGATING, {"Chat": SLOW}), (9, Phase.RESOLVED, {})], "Mild")
    assert told(acme, mild) == {"Chat": [("degraded_performance", 5, 9)]}


def test_maintenance_ahead_has_touched_nothing_yet(acme: Page, parts: dict[str, Component]) -> None:
    start = datetime(2030, 1, 1, tzinfo=UTC)
    post = Post(
        "We move.", Phase.SCHEDULED, components={parts["Chat"]: WORK}, window=(start, start + timedelta(hours=1))
    )
    work = Incident.open(acme, "Move", post, kind=Kind.MAINTENANCE).incident
    assert told(acme, work) == {}
