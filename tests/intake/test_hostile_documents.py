"""Documents that would break more than their own import."""

import json
from typing import Any

import pytest

from intake.recordings import RecordingError
from intake.statuspage import store
from intake.statuspage_json import parse_json
from public import feeds
from public.snapshot import build

NOW = "2026-01-01T00:00:00Z"
PAGE = {"id": "p" * 12, "name": "Acme", "url": "https://acme.example", "time_zone": "Asia/Tokyo", "updated_at": NOW}
OUT_OF_REACH = ["0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"]


def make_document(page: dict[str, Any] | None = None, **incident: Any) -> bytes:
    fields = {"id": "i" * 12, "name": "Errors", "status": "investigating", "impact": "none", "created_at": NOW,
              "updated_at": NOW, "incident_updates": [], "components": []} | incident  # fmt: skip
    return json.dumps({"page": PAGE | (page or {}), "incidents": [fields]}).encode()


@pytest.mark.django_db
def test_an_incident_without_updates_can_be_shown() -> None:
    page, _ = store(parse_json(make_document()))
    snapshot = build(page)
    assert [incident["updates"] for incident in snapshot["incidents"]] == [[]]
    assert b"Errors" in feeds.rss(snapshot)


@pytest.mark.parametrize("moment", OUT_OF_REACH)
def test_a_time_at_the_ends_of_the_calendar_leaves_its_entry_out(moment: str) -> None:
    recording = parse_json(make_document(created_at=moment))
    assert recording.incidents == []
    assert any("not a time of our age" in note for note in recording.notes)
    with pytest.raises(RecordingError, match="not a time of our age"):
        parse_json(make_document(page={"updated_at": moment}))
