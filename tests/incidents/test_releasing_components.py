"""Which status components have after a post, and what they go back to when an incident ends."""

from datetime import UTC, datetime

import pytest

from components.status import Status
from incidents.component_statuses import released_statuses, usual_statuses
from incidents.models import Incident, Phase

WINDOW = {
    "scheduled_for": datetime(2020, 12, 13, 2, tzinfo=UTC),
    "scheduled_until": datetime(2020, 12, 13, 3, tzinfo=UTC),
}


def test_a_component_goes_back_to_what_another_open_incident_said_of_it(acme, chat, website):
    first = Incident.open(
        acme, "A", "a", components={chat: Status.MAJOR_OUTAGE, website: Status.PARTIAL_OUTAGE}
    ).incident
    other = Incident.open(acme, "B", "b", components={chat: Status.DEGRADED_PERFORMANCE}).incident
    assert released_statuses(first) == {chat: Status.DEGRADED_PERFORMANCE, website: Status.OPERATIONAL}
    other.post_update("Over.", Phase.RESOLVED)
    assert released_statuses(first)[chat] == Status.OPERATIONAL


def test_the_worst_of_several_open_incidents_counts(acme, chat):
    first = Incident.open(acme, "A", "a", components={chat: Status.MAJOR_OUTAGE}).incident
    Incident.open(acme, "B", "b", components={chat: Status.PARTIAL_OUTAGE})
    Incident.open(acme, "C", "c", components={chat: Status.DEGRADED_PERFORMANCE})
    assert released_statuses(first) == {chat: Status.PARTIAL_OUTAGE}


def test_planned_work_that_has_not_begun_holds_nothing(acme, chat):
    incident = Incident.open(acme, "A", "a", components={chat: Status.MAJOR_OUTAGE}).incident
    Incident.open(acme, "B", "b", kind="maintenance", components={chat: Status.UNDER_MAINTENANCE}, **WINDOW)
    assert released_statuses(incident) == {chat: Status.OPERATIONAL}


def test_what_another_incident_said_first_and_took_back_holds_nothing(acme, chat):
    incident = Incident.open(acme, "A", "a", components={chat: Status.MAJOR_OUTAGE}).incident
    other = Incident.open(acme, "B", "b", components={chat: Status.PARTIAL_OUTAGE}).incident
    other.post_update("Not the chat.", Phase.IDENTIFIED, components={chat: Status.OPERATIONAL})
    assert released_statuses(incident) == {chat: Status.OPERATIONAL}


def test_an_incident_that_goes_on_leaves_its_components_as_they_are(acme, chat):
    incident = Incident.open(acme, "A", "a", components={chat: Status.MAJOR_OUTAGE}).incident
    assert usual_statuses(incident, Phase.MONITORING) == {chat: Status.MAJOR_OUTAGE}
    assert usual_statuses(incident, Phase.RESOLVED) == {chat: Status.OPERATIONAL}


@pytest.mark.parametrize(
    ("phase", "status"),
    [
        (Phase.SCHEDULED, Status.OPERATIONAL),
        (Phase.IN_PROGRESS, Status.UNDER_MAINTENANCE),
        (Phase.VERIFYING, Status.UNDER_MAINTENANCE),
        (Phase.COMPLETED, Status.OPERATIONAL),
    ],
)
def test_planned_work_holds_its_components_while_it_goes_on(acme, chat, phase, status):
    incident = Incident.open(
        acme, "B", "b", kind="maintenance", components={chat: Status.UNDER_MAINTENANCE}, **WINDOW
    ).incident
    assert usual_statuses(incident, phase) == {chat: status}


def test_planned_work_does_not_make_a_broken_component_look_better(acme, chat):
    Incident.open(acme, "A", "a", components={chat: Status.MAJOR_OUTAGE})
    work = Incident.open(acme, "B", "b", kind="maintenance", components={chat: Status.UNDER_MAINTENANCE}, **WINDOW)
    assert usual_statuses(work.incident, Phase.IN_PROGRESS) == {chat: Status.MAJOR_OUTAGE}


def test_work_that_is_postponed_after_it_began_frees_its_components(acme, chat):
    incident = Incident.open(
        acme,
        "B",
        "b",
        kind="maintenance",
        status=Phase.IN_PROGRESS,
        components={chat: Status.UNDER_MAINTENANCE},
        **WINDOW,
    ).incident
    assert usual_statuses(incident, Phase.SCHEDULED) == {chat: Status.OPERATIONAL}
