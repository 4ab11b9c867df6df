"""Local times without an offset. Where clocks change, some do not exist and some happen twice."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.utils.translation import gettext

SKIPPED, DOUBLED = "skipped", "doubled"
FORMAT = "%Y-%m-%dT%H:%M"


def in_zone(written: datetime, zone: ZoneInfo, *, second: bool | None = None) -> datetime:
    """The aware time of a local time in `zone`. `second`: which one is meant if it happens twice.

    Raises ValidationError: code SKIPPED with the nearest times that exist, or code DOUBLED with both times.
    """
    first, other = (written.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() == other.utcoffset():
        return first
    if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None, fold=0) != written:
        before, after = _around(first, other, zone)
        raise ValidationError(
            gettext(
                "%(time)s does not exist in %(zone)s: clocks go forward from %(before)s to %(after)s. "
                "The nearest times are %(earlier)s and %(later)s."
            )
            % {
                "time": f"{written:{FORMAT}}",
                "zone": zone.key,
                "before": f"{before:%H:%M}",
                "after": f"{after:%H:%M}",
                "earlier": f"{before - timedelta(minutes=1):{FORMAT}}",
                "later": f"{after:{FORMAT}}",
            },
            code=SKIPPED,
        )
    if second is None:
        raise ValidationError(
            gettext(
                "%(time)s comes twice in %(zone)s, when clocks go back: say whether you mean %(first)s or %(second)s."
            )
            % {
                "time": f"{written:{FORMAT}}",
                "zone": zone.key,
                "first": f"{first.isoformat(timespec='minutes')} ({first:%Z})",
                "second": f"{other.isoformat(timespec='minutes')} ({other:%Z})",
            },
            code=DOUBLED,
        )
    return other if second else first


def _around(first: datetime, other: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The local times just before and just after clocks go forward, both naive."""
    gap = (first.utcoffset() or timedelta()) - (other.utcoffset() or timedelta())
    low, high = sorted((first.astimezone(UTC), other.astimezone(UTC)))
    while high - low > timedelta(seconds=1):  # the moment of the change lies between them
        middle = low + (high - low) / 2
        low, high = (
            (middle, high) if middle.astimezone(zone).utcoffset() == low.astimezone(zone).utcoffset() else (low, middle)
        )
    after = high.astimezone(zone).replace(tzinfo=None, second=0, microsecond=0)
    return after - abs(gap), after
