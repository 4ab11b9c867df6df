"""Uptime from status spans alone. Rules: docs/uptime.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from components.models import Component
from components.status import Status


@dataclass(frozen=True)
class DayUptime:
    """One UTC day. `seconds` holds the time in each status worse than operational; `ratio` is 0.0-1.0,
    None before the component existed."""

    date: date
    status: Status
    ratio: float | None
    seconds: dict[Status, int]


@dataclass(frozen=True)
class Uptime:
    ratio: float | None
    days: list[DayUptime]


def build_uptime(components: Sequence[Component], *, days: int, now: datetime) -> dict[int, Uptime]:
    """By component id: one entry per UTC day, oldest first, `days` long. One query.

    Raises ValueError unless 1 <= days <= 90.
    """
    raise NotImplementedError
