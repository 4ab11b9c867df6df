"""Maintenance as staff post it. What it does by itself: test_maintenance_by_itself.py."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError

from components.status import Impact, Status
from core.dates import describe_window
from delivery.models import Notice
from incidents.models import Incident, Kind, Phase, Post

LATER = datetime(2020, 12, 13, 2, 0, tzinfo=UTC)
WINDOW = (LATER, LATER + timedelta(hours=1))


def test_maintenance_names_its_components_without_moving_them(acme, chat):
    incident = Incident.open(
        acme,
        "Database work",
        Post("Read-only for a while.", components={chat: Status.UNDER_MAINTENANCE}, window=WINDOW),
        kind=Kind.MAINTENANCE,
    ).incident
    chat.refresh_from_db()
    assert (chat.status, incident.status, incident.impact) == (
        Status.OPERATIONAL,
        Phase.SCHEDULED,
        Impact.MAINTENANCE,
    )
    notice = Notice.objects.get()
    assert notice.components == [
        {"code": chat.code, "name": "Chat - Chat API", "label": "Chat API", "old_status": None, "new_status": None}
    ]
    assert notice.body == "When: Sun 13 December 2020, 02:00 to 03:00 UTC\n\nRead-only for a while."

    incident.post(Post("It begins.", Phase.IN_PROGRESS, components={chat: Status.UNDER_MAINTENANCE}))
    chat.refresh_from_db()
    assert chat.status == Status.UNDER_MAINTENANCE
    assert incident.monitoring_at is not None


def test_a_window_is_told_in_the_pages_zone_and_over_midnight(acme):
    acme.time_zone = "Asia/Singapore"
    acme.save()
    Incident.open(
        acme,
        "Work",
        Post("Soon.", window=(datetime(2020, 12, 13, 15, 30, tzinfo=UTC), datetime(2020, 12, 13, 16, 30, tzinfo=UTC))),
        kind="maintenance",
    )
    assert Notice.objects.get().body.startswith("When: Sun 13 December 2020, 23:30 to Mon 14 December 2020, 00:30 +08")


def test_maintenance_that_goes_back_to_the_plan_frees_its_components(acme, chat):
    incident = Incident.open(
        acme,
        "Work",
        Post("Soon.", status="in_progress", components={chat: Status.UNDER_MAINTENANCE}, window=WINDOW),
        kind="maintenance",
    ).incident
    incident.post(Post("Postponed.", Phase.SCHEDULED, components={chat: Status.OPERATIONAL}))
    chat.refresh_from_db()
    assert chat.status == Status.OPERATIONAL


def test_the_window_can_be_moved_with_an_update(acme):
    incident = Incident.open(acme, "Work", Post("Soon.", window=WINDOW), kind="maintenance").incident
    moved = (LATER + timedelta(days=1), LATER + timedelta(days=1, hours=2))
    incident.post(Post("A day later.", Phase.SCHEDULED, window=moved))
    incident.refresh_from_db()
    assert incident.window == moved
    with pytest.raises(ValidationError, match="end after it starts"):
        incident.post(Post("Hm.", Phase.SCHEDULED, window=(LATER, LATER)))


def test_only_maintenance_has_a_window(incident):
    with pytest.raises(ValidationError, match="Only maintenance"):
        incident.post(Post("Hm.", Phase.IDENTIFIED, window=(LATER, LATER + timedelta(hours=1))))


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        (datetime(2026, 3, 8, 6, 30, tzinfo=UTC), datetime(2026, 3, 8, 8, 0, tzinfo=UTC), "01:30 EST to 04:00 EDT"),
        (datetime(2026, 11, 1, 5, 30, tzinfo=UTC), datetime(2026, 11, 1, 6, 30, tzinfo=UTC), "01:30 EDT to 01:30 EST"),
        (datetime(2026, 11, 1, 6, 10, tzinfo=UTC), datetime(2026, 11, 1, 6, 50, tzinfo=UTC), "01:10 to 01:50 EST"),
    ],
)
def test_a_window_names_both_zones_where_clocks_change_in_between(start: datetime, end: datetime, words: str):
    assert describe_window(start, end, ZoneInfo("America/New_York")).endswith(f", {words}")
