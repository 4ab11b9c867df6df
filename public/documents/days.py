"""The list of days for people: successive quiet days share one line."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from public.shapes import Day, PublicIncident

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class QuietDays:
    """Successive days without incidents; a single day if both are the same."""

    first: date
    last: date


ListedDay = Day | QuietDays


def fold_recent(days: Iterable[Day], today: date) -> list[ListedDay]:
    """The front page's days, newest first, with successive quiet days joined. Today is never joined."""
    found: list[ListedDay] = []
    for is_quiet, run in groupby(days, key=lambda day: is_quiet_day(day) and day.date != today):
        row = list(run)
        found += [QuietDays(row[-1].date, row[0].date)] if is_quiet and len(row) > 1 else row
    return found


def is_quiet_day(day: Day) -> bool:
    return not day.incidents and not day.ongoing


def add_quiet_days(
    days: list[Day], incidents: list[PublicIncident], first: date, last: date, zone: ZoneInfo
) -> list[ListedDay]:
    """`days` and the quiet days from `first` to `last`, newest first.

    A day on which an incident only continued is not quiet, and has no line of its own.
    """
    quiet = [day for day in list_dates(first, last) if not any(each.touches(day, zone) for each in incidents)]
    return sorted([*days, *_fold_dates(quiet)], key=_last_date, reverse=True)


def _fold_dates(dates: list[date]) -> list[QuietDays]:
    """`dates`: oldest first."""
    runs: list[QuietDays] = []
    for day in dates:
        if runs and runs[-1].last + ONE_DAY == day:
            runs[-1] = QuietDays(runs[-1].first, day)
        else:
            runs.append(QuietDays(day, day))
    return runs


def list_dates(first: date, last: date) -> list[date]:
    """Oldest first; none when `last` lies before `first`."""
    return [first + ONE_DAY * number for number in range((last - first).days + 1)]


def _last_date(told: ListedDay) -> date:
    return told.last if isinstance(told, QuietDays) else told.date
