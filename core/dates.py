"""Days and times in words, in the active language.

The formats of English are in statuspage/formats/en/. Other languages use Django's formats, of which there are two for a
day: with and without the year.
"""

from datetime import date, datetime
from typing import Literal
from zoneinfo import ZoneInfo

from django.utils.formats import date_format, get_format
from django.utils.translation import gettext

# Names of formats in a language's formats module: without the year, and with it.
FORMS = {
    "short": ("SHORT_DAY_FORMAT", "SHORT_DAY_AND_YEAR_FORMAT"),
    "long": ("LONG_DAY_FORMAT", "LONG_DAY_AND_YEAR_FORMAT"),
}
DJANGOS = ("MONTH_DAY_FORMAT", "DATE_FORMAT")


def day_text(when: date, form: Literal["short", "long"] = "long", *, with_year: bool) -> str:
    """Such as “8 Dec” or “8 December 2025”."""
    name = FORMS[form][with_year]
    pattern = get_format(name)
    return date_format(when, DJANGOS[with_year] if pattern == name else pattern)


def days_text(first: date, last: date, *, with_year: bool) -> str:
    """Such as “20 to 24 November” or “28 October to 2 November 2025”; a single day if both are the same."""
    if first == last:
        return day_text(last, with_year=with_year)
    number = get_format("DAY_IN_RANGE_FORMAT")
    is_short = (first.year, first.month) == (last.year, last.month) and number != "DAY_IN_RANGE_FORMAT"
    begin = date_format(first, number) if is_short else day_text(first, with_year=first.year != last.year)
    # Translators: from when to when, such as “20 to 24 November”.
    return gettext("%(start)s to %(end)s") % {"start": begin, "end": day_text(last, with_year=with_year)}


def weekday_and_day(when: date, *, with_year: bool) -> str:
    """Such as “Sun 12 December”."""
    words = {"weekday": date_format(when, "D"), "day": day_text(when, with_year=with_year)}
    return gettext("%(weekday)s %(day)s") % words


def clock_text(when: datetime) -> str:
    """Such as “17:20”, in the time zone of `when`."""
    return date_format(when, "TIME_FORMAT")


def day_and_time(day: str, time: str) -> str:
    return gettext("%(day)s, %(time)s") % {"day": day, "time": time}


def describe_window(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    """Such as “Sun 13 December 2020, 02:00 to 03:00 UTC”, in `zone`.

    The end has its own day if it differs, and the start its own zone name if clocks change in between: “01:30 EST to
    04:00 EDT”.
    """
    start, end = start.astimezone(zone), end.astimezone(zone)
    begin = day_and_time(weekday_and_day(start, with_year=True), clock_text(start))
    if start.utcoffset() != end.utcoffset():
        begin += f" {start:%Z}"
    finish = f"{clock_text(end)} {end:%Z}"
    if end.date() != start.date():
        finish = day_and_time(weekday_and_day(end, with_year=True), finish)
    return gettext("%(start)s to %(end)s") % {"start": begin, "end": finish}


def when_line(start: datetime, end: datetime, zone: ZoneInfo) -> str:
    """The first line of an announcement of maintenance."""
    return gettext("When: %(window)s") % {"window": describe_window(start, end, zone)}
