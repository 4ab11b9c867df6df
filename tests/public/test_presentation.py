from datetime import date, timedelta

import pytest

from components.status import Status
from components.uptime import DayUptime
from public.documents.page import count_troubled_days, describe_day, describe_duration, join_names


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, ""), (1, "A"), (2, "A and B"), (3, "A, B and C"), (4, "A, B, C and D"), (6, "A, B, C and 3 more")],
)
def test_names_are_joined_and_many_are_counted(count: int, words: str) -> None:
    assert join_names(list("ABCDEF")[:count]) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "less than a minute"),
        (59, "less than a minute"),
        (60, "1 minute"),
        (3_599, "59 minutes"),
        (3_600, "1 hour"),
        (3_900, "1 hour 5 minutes"),
        (86_400, "1 day"),
        (2 * 86_400 + 3 * 3_600 + 240, "2 days 3 hours"),
    ],
)
def test_durations_are_told_as_people_tell_them(seconds: int, words: str) -> None:
    assert describe_duration(timedelta(seconds=seconds)) == words


def day(status: Status, seconds: int = 60) -> DayUptime:
    return DayUptime(date(2026, 1, 1), status, 1.0, {status: seconds} if seconds else {})


def test_days_are_counted_by_what_they_had() -> None:
    down, work = day(Status.MAJOR_OUTAGE), day(Status.UNDER_MAINTENANCE)
    assert count_troubled_days([]) == "No trouble"
    assert count_troubled_days([work]) == "1 day with maintenance"
    assert count_troubled_days([down, work, work]) == "1 day with trouble, 2 with maintenance"
    assert count_troubled_days([down, down]) == "2 days with trouble"


def test_a_day_that_trouble_only_touched_says_so() -> None:
    assert describe_day(day(Status.PARTIAL_OUTAGE, 0)) == "Partial outage, less than a minute"
