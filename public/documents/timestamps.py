"""Timestamps in public documents: in the page's time zone."""

from datetime import datetime
from zoneinfo import ZoneInfo


def timestamp(moment: datetime, zone: ZoneInfo) -> str:
    """Such as 2021-12-07T09:06:43.178-07:00: always with three digits of fraction, and with "Z" for UTC.

    Some clients refuse a time without the fraction, others an offset without the colon.
    """
    return moment.astimezone(zone).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def optional_timestamp(moment: datetime | None, zone: ZoneInfo) -> str | None:
    return None if moment is None else timestamp(moment, zone)


def zone_name(moment: datetime, zone: ZoneInfo) -> str:
    """The abbreviation of the zone at that time, such as "UTC" or "PST"; "+03" if it has none."""
    return moment.astimezone(zone).strftime("%Z")
