from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from pytest_django.asserts import assertNumQueries

from components.models import Component, StatusSpan
from components.status import Status
from components.uptime import MOST_DAYS, WEIGHTS, DayUptime, Uptime, build_uptime
from pages.models import Page

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
UTC_ZONE = ZoneInfo("Etc/UTC")
DAY_SECONDS = 86_400
MIDNIGHT = NOW.replace(hour=0)


def hold(component: Component, status: Status, start: datetime, end: datetime | None) -> None:
    """One stretch of trouble; the component is operational before and after it."""
    component.move_to(status, start)
    if end:
        component.move_to(Status.OPERATIONAL, end)


def uptime_of(component: Component, *, days: int = 90, now: datetime = NOW, zone: ZoneInfo = UTC_ZONE) -> Uptime:
    return build_uptime([component], days=days, now=now, zone=zone)[component.pk]


def day(uptime: Uptime, when: datetime) -> DayUptime:
    return next(each for each in uptime.days if each.date == when.date())


def test_there_is_one_entry_per_day_oldest_first(chat: Component) -> None:
    dates = [each.date for each in uptime_of(chat).days]
    assert dates[0] == date(2026, 8, 24)
    assert dates[-1] == date(2026, 11, 21)
    assert all(after - before == timedelta(days=1) for before, after in pairwise(dates))
    assert len(dates) == 90


@pytest.mark.parametrize("days", [0, -1, 91])
def test_more_days_than_are_kept_are_refused(chat: Component, days: int) -> None:
    with pytest.raises(ValueError, match="1 to 90 days"):
        build_uptime([chat], days=days, now=NOW, zone=UTC_ZONE)


def test_a_component_without_trouble_has_been_up_all_the_time(chat: Component) -> None:
    uptime = uptime_of(chat)
    assert uptime.ratio == 1.0
    assert {(each.status, each.ratio, len(each.seconds)) for each in uptime.days} == {(Status.OPERATIONAL, 1.0, 0)}


def test_a_span_over_midnight_is_shared_between_its_days(chat: Component) -> None:
    hold(chat, Status.MAJOR_OUTAGE, MIDNIGHT - timedelta(minutes=10), MIDNIGHT + timedelta(minutes=5))
    uptime = uptime_of(chat)
    assert day(uptime, MIDNIGHT - timedelta(days=1)).seconds == {Status.MAJOR_OUTAGE: 600}
    assert day(uptime, MIDNIGHT).seconds == {Status.MAJOR_OUTAGE: 300}


def test_a_span_that_ends_at_midnight_leaves_the_next_day_alone(chat: Component) -> None:
    hold(chat, Status.MAJOR_OUTAGE, MIDNIGHT - timedelta(hours=24), MIDNIGHT)
    uptime = uptime_of(chat)
    assert day(uptime, MIDNIGHT - timedelta(days=1)).ratio == 0.0
    assert day(uptime, MIDNIGHT).status == Status.OPERATIONAL


@pytest.mark.parametrize(
    ("status", "ratio"),
    [
        (Status.MAJOR_OUTAGE, 1 - 3600 / 86400),
        (Status.PARTIAL_OUTAGE, 1 - 0.3 * 3600 / 86400),
        (Status.DEGRADED_PERFORMANCE, 1.0),
        (Status.UNDER_MAINTENANCE, 1.0),
    ],
)
def test_an_hour_costs_what_its_status_weighs(chat: Component, status: Status, ratio: float) -> None:
    yesterday = MIDNIGHT - timedelta(days=1)
    hold(chat, status, yesterday + timedelta(hours=3), yesterday + timedelta(hours=4))
    found = day(uptime_of(chat), yesterday)
    assert found.ratio == pytest.approx(ratio)
    assert (found.status, found.seconds) == (status, {status: 3600})


def test_the_open_span_lasts_until_now_and_today_is_as_long_as_it_has_been(chat: Component) -> None:
    hold(chat, Status.MAJOR_OUTAGE, NOW - timedelta(hours=3), None)
    today = day(uptime_of(chat), NOW)
    assert today.seconds == {Status.MAJOR_OUTAGE: 3 * 3600}
    assert today.ratio == pytest.approx(0.75)


def test_trouble_of_this_very_second_already_colours_the_day(chat: Component) -> None:
    hold(chat, Status.PARTIAL_OUTAGE, NOW, None)
    today = day(uptime_of(chat), NOW)
    assert (today.status, today.seconds, today.ratio) == (Status.PARTIAL_OUTAGE, {}, 1.0)


def test_a_day_has_the_colour_of_its_worst_status(chat: Component) -> None:
    chat.move_to(Status.DEGRADED_PERFORMANCE, NOW - timedelta(hours=3))
    chat.move_to(Status.MAJOR_OUTAGE, NOW - timedelta(hours=2))
    chat.move_to(Status.UNDER_MAINTENANCE, NOW - timedelta(hours=1))
    assert day(uptime_of(chat), NOW).status == Status.MAJOR_OUTAGE


def test_days_before_a_component_existed_have_no_ratio(acme: Page) -> None:
    young = Component.objects.create(page=acme, name="New", created_at=MIDNIGHT - timedelta(hours=6))
    hold(young, Status.MAJOR_OUTAGE, MIDNIGHT - timedelta(hours=3), MIDNIGHT)
    uptime = uptime_of(young)
    assert [each.ratio for each in uptime.days[-3:]] == [None, pytest.approx(0.5), 1.0]
    assert uptime.ratio == pytest.approx(1 - 3 / 18)


def test_counting_starts_at_the_start_date(acme: Page, chat: Component) -> None:
    hold(chat, Status.MAJOR_OUTAGE, MIDNIGHT - timedelta(days=20), MIDNIGHT - timedelta(days=9))
    chat.start_date = (MIDNIGHT - timedelta(days=10)).date()
    uptime = uptime_of(chat)
    assert [each.ratio for each in uptime.days].count(None) == 90 - 11
    assert uptime.ratio == pytest.approx(1 - 24 / (10 * 24 + 12))


def test_a_start_date_in_the_future_has_no_uptime_yet(chat: Component) -> None:
    chat.start_date = (NOW + timedelta(days=1)).date()
    uptime = uptime_of(chat)
    assert uptime.ratio is None
    assert {each.ratio for each in uptime.days} == {None}


def test_what_ended_before_the_window_does_not_count(chat: Component) -> None:
    hold(chat, Status.MAJOR_OUTAGE, NOW - timedelta(days=200), NOW - timedelta(days=100))
    assert uptime_of(chat).ratio == 1.0


def test_summer_time_does_not_change_a_day(chat: Component) -> None:
    """The night in which Europe's clocks go back has 25 hours there, and 24 here."""
    hold(chat, Status.MAJOR_OUTAGE, datetime(2026, 10, 25, tzinfo=UTC), datetime(2026, 10, 26, tzinfo=UTC))
    assert day(uptime_of(chat), datetime(2026, 10, 25, tzinfo=UTC)).seconds == {Status.MAJOR_OUTAGE: DAY_SECONDS}


def test_one_query_does_for_all_components(acme: Page) -> None:
    rows = [Component.objects.create(page=acme, name=f"Part {number}") for number in range(20)]
    with assertNumQueries(1):
        build_uptime(rows, days=90, now=NOW, zone=UTC_ZONE)


class UptimeProperties(TestCase):
    """Whatever the spans: nothing is lost, nothing counted twice, every ratio is one."""

    @settings(deadline=None, max_examples=60)  # a database is behind it
    @given(
        steps=st.lists(
            st.tuples(
                st.integers(min_value=0, max_value=12 * DAY_SECONDS * 1000),
                st.sampled_from(list(Status)),
            ),
            max_size=12,
        ),
        now_offset=st.integers(min_value=0, max_value=DAY_SECONDS - 1),
        days=st.integers(min_value=1, max_value=MOST_DAYS),
    )
    def test_seconds_add_up_and_ratios_stay_in_bounds(
        self, steps: list[tuple[int, Status]], now_offset: int, days: int
    ) -> None:
        now = MIDNIGHT + timedelta(seconds=now_offset)
        page = Page.objects.create(name="P", url="https://p.example.com")
        component = Component.objects.create(page=page, name="C", created_at=now - timedelta(days=150))
        at = component.created_at
        for milliseconds, status in steps:
            at += timedelta(milliseconds=milliseconds)
            component.move_to(status, at)

        uptime = uptime_of(component, days=days, now=now)

        start = int((now.replace(hour=0, minute=0, second=0) - timedelta(days=days - 1)).timestamp())
        assert len(uptime.days) == days
        for status in list(Status)[1:]:
            told = sum(each.seconds.get(status, 0) for each in uptime.days)
            held = StatusSpan.objects.filter(component=component, status=status, started_at__lte=now)
            assert told == sum(seconds_inside(span, start, int(now.timestamp())) for span in held)
        for each in uptime.days:
            assert each.ratio is not None
            assert 0.0 <= each.ratio <= 1.0
            assert sum(each.seconds.values()) <= DAY_SECONDS
        assert uptime.ratio is not None
        lost = sum(WEIGHTS.get(status, 0) * taken for each in uptime.days for status, taken in each.seconds.items())
        assert uptime.ratio == pytest.approx(1 - lost / max(1, int(now.timestamp()) - start))


def seconds_inside(span: StatusSpan, start: int, now: int) -> int:
    end = min(int(span.ended_at.timestamp()), now) if span.ended_at else now
    return max(0, end - max(int(span.started_at.timestamp()), start))


# Days are those of the page's zone


@pytest.mark.parametrize(
    ("zone", "now", "today"),
    [
        ("Australia/Sydney", datetime(2026, 11, 26, 22, 36, tzinfo=UTC), date(2026, 11, 27)),
        ("America/Los_Angeles", datetime(2026, 11, 27, 3, 0, tzinfo=UTC), date(2026, 11, 26)),
        ("Pacific/Kiritimati", datetime(2026, 11, 27, 10, 0, tzinfo=UTC), date(2026, 11, 28)),
        ("Etc/UTC", datetime(2026, 11, 27, 23, 59, tzinfo=UTC), date(2026, 11, 27)),
    ],
)
def test_the_last_day_is_today_where_the_page_is(chat: Component, zone: str, now: datetime, today: date) -> None:
    assert [each.date for each in uptime_of(chat, days=2, now=now, zone=ZoneInfo(zone)).days] == [
        today - timedelta(days=1),
        today,
    ]


@pytest.mark.parametrize(
    ("when", "hours"),
    [(date(2026, 3, 29), 23), (date(2026, 3, 30), 24), (date(2026, 10, 25), 25), (date(2026, 10, 26), 24)],
)
def test_a_day_on_which_clocks_change_is_as_long_as_it_is(chat: Component, when: date, hours: int) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    begin = datetime(when.year, when.month, when.day, tzinfo=berlin)
    end = datetime.combine(when + timedelta(days=1), begin.time(), tzinfo=berlin)
    Component.objects.filter(pk=chat.pk).update(start_date=date(2026, 1, 1))
    chat.refresh_from_db()
    chat.spans.update(started_at=datetime(2026, 1, 1, tzinfo=UTC))
    hold(chat, Status.MAJOR_OUTAGE, begin.astimezone(UTC), end.astimezone(UTC))
    uptime = uptime_of(chat, now=end + timedelta(days=3), zone=berlin)
    found = next(each for each in uptime.days if each.date == when)
    assert (found.ratio, found.seconds) == (0.0, {Status.MAJOR_OUTAGE: hours * 3600})
    assert [each.date for each in uptime.days if each.status] == [when], "the days beside it are quiet"


def test_a_component_begins_at_the_midnight_of_the_page(chat: Component) -> None:
    tokyo = ZoneInfo("Asia/Tokyo")
    Component.objects.filter(pk=chat.pk).update(start_date=date(2026, 11, 20))
    chat.refresh_from_db()
    uptime = uptime_of(chat, days=3, zone=tokyo)
    assert [(each.date.day, each.ratio) for each in uptime.days] == [(19, None), (20, 1.0), (21, 1.0)]
