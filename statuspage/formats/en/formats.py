"""Dates in English, first of all as staff read them at night: the day before the month, and a clock of 24 hours."""

DATE_FORMAT = "j M Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = "j M Y, H:i T"
SHORT_DATE_FORMAT = "j M Y"
SHORT_DATETIME_FORMAT = "j M Y, H:i"
# Ours, for public pages: core/dates.py.
SHORT_DAY_FORMAT = "j M"
SHORT_DAY_AND_YEAR_FORMAT = "j M Y"
LONG_DAY_FORMAT = "j F"
LONG_DAY_AND_YEAR_FORMAT = "j F Y"
DAY_IN_RANGE_FORMAT = "j"
