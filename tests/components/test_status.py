import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from components.models import Component, Group
from components.status import Impact, Status, roll_up
from pages.models import Page

OK, WORK, SLOW, PART, DOWN = (
    Status.OPERATIONAL,
    Status.UNDER_MAINTENANCE,
    Status.DEGRADED_PERFORMANCE,
    Status.PARTIAL_OUTAGE,
    Status.MAJOR_OUTAGE,
)


@pytest.mark.parametrize(
    ("statuses", "indicator", "description"),
    [
        ([], "none", "All Systems Operational"),
        ([OK, OK], "none", "All Systems Operational"),
        ([SLOW], "minor", "Partially Degraded Service"),
        ([SLOW, SLOW], "minor", "Degraded System Service"),
        ([SLOW, OK], "minor", "Partially Degraded Service"),
        ([PART], "major", "Partial System Outage"),
        ([PART, OK], "minor", "Minor Service Outage"),
        ([DOWN], "critical", "Major System Outage"),
        ([DOWN, PART], "major", "Partial System Outage"),
        ([WORK, OK], "maintenance", "Service Under Maintenance"),
        ([WORK, SLOW], "minor", "Partially Degraded Service"),
    ],
)
def test_statuses_add_up_in_the_words_of_the_api(statuses: list[Status], indicator: str, description: str) -> None:
    found = roll_up(statuses)
    assert (found.indicator, found.description) == (indicator, description)


def test_impacts_are_ranked_from_none_to_critical() -> None:
    assert min(Impact, key=lambda impact: impact.rank) == Impact.NONE
    assert max(Impact, key=lambda impact: impact.rank) == Impact.CRITICAL


def test_an_unknown_word_for_a_status_names_the_known_ones() -> None:
    assert Status.from_slug("partial_outage") is Status.PARTIAL_OUTAGE
    with pytest.raises(ValueError, match="operational, under_maintenance, degraded_performance"):
        Status.from_slug("on_fire")


def test_moving_a_component_ends_one_span_and_starts_the_next(chat: Component) -> None:
    now = timezone.now()
    assert chat.move_to(DOWN, now) == OK
    assert [(span.status, span.ended_at) for span in chat.spans.all()] == [(OK, now), (DOWN, None)]


def test_moving_to_the_same_status_changes_nothing(chat: Component) -> None:
    chat.move_to(OK, timezone.now())
    assert chat.spans.count() == 1


def test_a_group_of_another_page_is_refused(acme: Page, chat: Component) -> None:
    other = Page.objects.create(name="Other", url="https://other.example")
    chat.group = Group.objects.create(page=other, name="Elsewhere")
    with pytest.raises(ValidationError, match="same page"):
        chat.full_clean()
