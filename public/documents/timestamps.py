"""Instants as public documents write them: in the page's own time zone."""

from datetime import datetime
from zoneinfo import ZoneInfo


def timestamp(moment: datetime, zone: ZoneInfo) -> str:
    """2021-12-07T09:06:43.178-07:00: always three digits of fraction, and "Z" when the zone is at UTC.

    Clients differ in what they refuse: one wants the fraction, others the colon in the offset.
    """
    return moment.astimezone(zone).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def optional_timestamp(moment: datetime | None, zone: ZoneInfo) -> str | None:
    return None if moment is None else timestamp(moment, zone)


def zone_name(moment: datetime, zone: ZoneInfo) -> str:
    """What people there call it at that moment: "UTC", "PST", "+03" where it has no name."""
    return moment.astimezone(zone).strftime("%Z")
