"""One roll-up and one sentence: page, badge, API, banner and webhooks agree on how the page is."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from components.status import Status
from incidents.page_status import summarise

OK, WORK, SLOW, PART, DOWN = Status


class Open(NamedTuple):
    status: str
    impact: str = "none"


@pytest.mark.parametrize(
    ("statuses", "words", "tone", "indicator"),
    [
        ([OK, OK], "All systems are working", OK, "none"),
        ([], "This page is being set up", None, "none"),
        ([OK, WORK], "Maintenance is under way", WORK, "maintenance"),
        ([OK, SLOW], "Some systems are slow or unreliable", SLOW, "minor"),
        ([SLOW, SLOW], "All systems are slow or unreliable", SLOW, "minor"),
        ([OK, PART, SLOW], "Some systems are partly down", PART, "minor"),
        ([PART, PART], "All systems are partly down", PART, "major"),
        ([OK, DOWN, PART], "Some systems are down", DOWN, "major"),
        ([DOWN], "All systems are down", DOWN, "critical"),
    ],
)
def test_it_tells_the_worst_and_how_far_it_goes(
    statuses: list[Status], words: str, tone: Status | None, indicator: str
) -> None:
    status = summarise(statuses, [])
    assert (status.text, status.tone, status.indicator) == (words, tone, indicator)


@pytest.mark.parametrize(
    ("incidents", "words", "indicator"),
    [
        ([Open("investigating"), Open("monitoring")], "We are looking into a problem", "minor"),
        ([Open("identified", "major")], "We are looking into a problem", "major"),
        ([Open("identified", "critical"), Open("investigating", "minor")], "We are looking into a problem", "critical"),
        ([Open("monitoring", "major")], "All systems are working again; we are watching them", "none"),
    ],
)
def test_an_incident_that_no_component_shows_counts_too(incidents: list[Open], words: str, indicator: str) -> None:
    status = summarise([OK], incidents)
    assert (status.text, status.indicator) == (words, indicator)
    assert (status.description == "All Systems Operational") == (indicator == "none")
