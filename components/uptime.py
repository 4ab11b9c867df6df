"""Uptime from status spans alone. Rules: docs/uptime.md."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import floor
from zoneinfo import ZoneInfo

from django.db.models import Q

from components.models import Component, StatusSpan
from components.status import Status

MOST_DAYS = 90
# How much a second in a status takes away. Degraded performance and maintenance take nothing.
WEIGHTS = {Status.MAJOR_OUTAGE: 1.0, Status.PARTIAL_OUTAGE: 0.3}


@dataclass(frozen=True, slots=True)
class DayUptime:
    """One day in the page's zone. `seconds` holds the time in each status worse than operational; `status` is the worst of the
    day; `ratio` is 0.0-1.0, None before the component existed."""

    date: date
    status: Status
    ratio: float | None
    seconds: dict[Status, int]


@dataclass(frozen=True, slots=True)
class Uptime:
    """`ratio` is that of the whole time in which the component existed, None if it did not yet."""

    ratio: float | None
    days: list[DayUptime]


@dataclass(frozen=True)
class UptimeWindow:
    """The days looked at, in one time zone, the last of them the one that `now` is in; whole seconds since 1970.

    A day on which clocks change has 23 or 25 hours.
    """

    dates: list[date]
    midnights: list[int]
    """When each day begins, and when the last one ends."""
    now: int

    @property
    def start(self) -> int:
        return self.midnights[0]

    def quiet_days(self) -> list[DayUptime]:
        """Days without trouble, one object each for all components: most days of most components are these."""
        return [DayUptime(day, Status.OPERATIONAL, 1.0, {}) for day in self.dates]


def build_uptime(components: Sequence[Component], *, days: int, now: datetime, zone: ZoneInfo) -> dict[int, Uptime]:
    """By component id: one entry per day of the zone, oldest first, `days` long. One query.

    Raises ValueError unless 1 <= days <= 90.
    """
    if not 1 <= days <= MOST_DAYS:
        raise ValueError(f"Uptime is kept for 1 to {MOST_DAYS} days, not for {days}.")
    today = now.astimezone(zone).date()
    dates = [today - timedelta(days=back) for back in reversed(range(days))]
    midnights = [_midnight(day, zone) for day in (*dates, today + timedelta(days=1))]
    window = UptimeWindow(dates, midnights, now=floor(now.timestamp()))
    quiet = window.quiet_days()
    spans = _load_spans(components, window, now)
    return {component.pk: _uptime_of(component, spans[component.pk], window, quiet, zone) for component in components}


def _load_spans(components: Sequence[Component], window: UptimeWindow, now: datetime) -> dict[int, list[StatusSpan]]:
    start = datetime.fromtimestamp(window.start, UTC)
    touching = StatusSpan.objects.filter(Q(ended_at=None) | Q(ended_at__gt=start), started_at__lte=now)
    spans: dict[int, list[StatusSpan]] = defaultdict(list)
    for span in touching.filter(component__in=[each.pk for each in components]).order_by("started_at", "pk"):
        spans[span.component_id].append(span)
    return spans


def _uptime_of(
    component: Component, spans: list[StatusSpan], window: UptimeWindow, quiet: list[DayUptime], zone: ZoneInfo
) -> Uptime:
    born = _born(component, spans, window, zone)
    by_day = _seconds_by_day(spans, born, window)
    found = []
    for number, quiet_day in enumerate(quiet):
        start, end = window.midnights[number], min(window.midnights[number + 1], window.now)
        if window.midnights[number + 1] <= born or born > window.now:
            found.append(DayUptime(quiet_day.date, Status.OPERATIONAL, None, {}))
        elif number in by_day:
            existed = end - max(start, born)
            seconds = {status: taken for status, taken in by_day[number].items() if taken}
            found.append(DayUptime(quiet_day.date, max(by_day[number]), _ratio(seconds, existed), seconds))
        else:
            found.append(quiet_day)
    return Uptime(_whole_ratio(found, born, window), found)


def _born(component: Component, spans: list[StatusSpan], window: UptimeWindow, zone: ZoneInfo) -> int:
    """When counting starts: at the start date, else where the known history starts."""
    if component.start_date:
        return _midnight(component.start_date, zone)
    return floor(spans[0].started_at.timestamp()) if spans else window.now + 1


def _seconds_by_day(spans: Iterable[StatusSpan], born: int, window: UptimeWindow) -> dict[int, dict[Status, int]]:
    """By number of the day: seconds in each status worse than operational. A day that trouble only touched,
    for less than a second, is there with 0."""
    by_day: dict[int, dict[Status, int]] = defaultdict(lambda: defaultdict(int))
    for span in spans:
        if span.status == Status.OPERATIONAL:
            continue
        start = max(floor(span.started_at.timestamp()), window.start, born)
        end = min(floor(span.ended_at.timestamp()), window.now) if span.ended_at else window.now
        for number, seconds in _split_by_day(window, start, end):
            by_day[number][Status(span.status)] += seconds
    return by_day


def _split_by_day(window: UptimeWindow, start: int, end: int) -> Iterator[tuple[int, int]]:
    """(number of the day, seconds in it) from `start` to `end`, both within the window."""
    if end < start:
        return
    first = bisect_right(window.midnights, start) - 1
    last = max(first, bisect_left(window.midnights, end) - 1)
    for number in range(first, last + 1):
        begin, finish = max(start, window.midnights[number]), min(end, window.midnights[number + 1])
        yield number, finish - begin


def _whole_ratio(days: list[DayUptime], born: int, window: UptimeWindow) -> float | None:
    if born > window.now:
        return None
    totals: dict[Status, int] = defaultdict(int)
    for day in days:
        for status, seconds in day.seconds.items():
            totals[status] += seconds
    return _ratio(totals, window.now - max(window.start, born))


def _ratio(seconds: dict[Status, int], existed: int) -> float:
    lost = sum(weight * seconds.get(status, 0) for status, weight in WEIGHTS.items())
    return max(0.0, 1.0 - lost / existed) if existed > 0 else 1.0


def _midnight(day: date, zone: ZoneInfo) -> int:
    """When a day begins. Where clocks go forward at midnight it begins an hour later by them."""
    return floor(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())
