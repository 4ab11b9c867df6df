"""Quiet days in a row are told in one line, on the front page and in a month of history."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
import time_machine

from core.dates import days_text
from incidents.models import Incident, Phase, Post
from pages.models import Page
from public.documents.days import QuietDays, fold_recent
from public.shapes import Day

if TYPE_CHECKING:
    from bs4 import BeautifulSoup

    from tests.public.conftest import Read

TODAY = date(2026, 11, 28)


def at(month: int, day: int, hour: int = 12) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)


def happened(page: Page, name: str, begin: datetime, end: datetime) -> None:
    update = Incident.open(page, name, Post("Looking.", at=begin))
    update.incident.post(Post("Over.", Phase.RESOLVED, at=end))


def fold(pattern: str) -> list[str]:
    """Today first: "." is a quiet day, "x" one with an incident. A day is its number, a stretch has both."""
    marks = [Day(date(2026, 11, 28 - back), ["x"] if mark == "x" else [], []) for back, mark in enumerate(pattern)]  # type: ignore[list-item]
    told = fold_recent(marks, TODAY)
    return [f"{each.first.day}-{each.last.day}" if isinstance(each, QuietDays) else str(each.date.day) for each in told]


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        (".......", ["28", "22-27"]),
        ("x......", ["28", "22-27"]),
        (".x.....", ["28", "27", "22-26"]),
        ("..x....", ["28", "27", "26", "22-25"]),
        ("...x..x", ["28", "26-27", "25", "23-24", "22"]),
        ("xxxxxxx", ["28", "27", "26", "25", "24", "23", "22"]),
        (".", ["28"]),
        ("..", ["28", "27"]),
        ("", []),
    ],
)
def test_quiet_days_in_a_row_are_folded_but_not_today(pattern: str, told: list[str]) -> None:
    assert fold(pattern) == told


@pytest.mark.parametrize(
    ("first", "last", "with_year", "words"),
    [
        (date(2026, 11, 20), date(2026, 11, 24), False, "20 to 24 November"),
        (date(2026, 10, 28), date(2026, 11, 2), False, "28 October to 2 November"),
        (date(2025, 11, 20), date(2025, 11, 24), True, "20 to 24 November 2025"),
        (date(2025, 12, 30), date(2026, 1, 2), False, "30 December 2025 to 2 January"),
        (date(2026, 11, 20), date(2026, 11, 20), False, "20 November"),
    ],
)
def test_days_in_a_row_say_once_what_both_ends_share(first: date, last: date, with_year: bool, words: str) -> None:
    assert days_text(first, last, with_year=with_year) == words


def lines(page: BeautifulSoup) -> list[str]:
    return [" ".join(each.get_text(" ").split()) for each in page.select(".day, .quiet-days")]


def test_the_front_page_folds_its_quiet_days(read: Read, acme: Page) -> None:
    Page.objects.update(created_at=at(1, 1))
    happened(acme, "Slow", at(11, 25), at(11, 25, 13))
    with time_machine.travel(at(11, 28), tick=False):
        assert lines(read("/")) == [
            "Today, 28 November No incidents.",
            "26 to 27 November : no incidents",
            "25 November Slow Resolved after 1 hour",
            "22 to 24 November : no incidents",
        ]


def test_a_month_tells_what_lies_between_its_incidents(read: Read, acme: Page) -> None:
    """Not the days that an incident went on in, nor those before anything is known, nor those to come."""
    Page.objects.update(created_at=at(11, 3))
    happened(acme, "Long", at(11, 10), at(11, 13))
    happened(acme, "Short", at(11, 15), at(11, 15, 13))
    with time_machine.travel(at(11, 17), tick=False):
        assert lines(read("/history")) == [
            "16 to 17 November : no incidents",
            "15 November Short Resolved after 1 hour",
            "14 November : no incidents",
            "13 November Long Resolved, ongoing since 10 November",
            "10 November Long Resolved after 3 days",
            "3 to 9 November : no incidents",
        ]


@pytest.mark.parametrize(("zone", "quiet"), [("Etc/UTC", "26 to 30"), ("Asia/Tokyo", "27 to 30")])
def test_quiet_days_are_those_of_the_page_also_where_clocks_change(
    read: Read, acme: Page, zone: str, quiet: str
) -> None:
    Page.objects.update(created_at=at(9, 1), time_zone=zone)
    acme.refresh_from_db()
    happened(acme, "At night", at(9, 25, 14), at(9, 25, 16))
    with time_machine.travel(at(10, 28), tick=False):
        assert f"{quiet} September : no incidents" in lines(read("/history/2026-09"))


def test_a_span_over_the_night_on_which_clocks_go_back_touches_both_days(read: Read, acme: Page) -> None:
    Page.objects.update(created_at=at(10, 1), time_zone="Europe/Berlin")
    acme.refresh_from_db()
    happened(acme, "Night of 25 hours", at(10, 24, 21), at(10, 25, 23))  # 23:00 CEST to 00:00 CET of the 26th
    with time_machine.travel(at(10, 27), tick=False):
        assert lines(read("/history/2026-10"))[:3] == [
            "27 October : no incidents",
            "26 October Night of 25 hours Resolved, ongoing since 24 October",
            "24 October Night of 25 hours Resolved after 1 day 2 hours",
        ]
