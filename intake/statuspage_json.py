"""Reads the JSON documents of Statuspage's public API into records (intake/recordings.py)."""

import json
from collections import Counter
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, TypeVar
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError

from components.status import Impact, Status
from core.text import TITLE_LIMIT, clean_text
from incidents.models import YEARS
from incidents.phases import PHASES, Kind
from intake.recordings import (
    AffectedRecord,
    ComponentRecord,
    EntryError,
    IncidentRecord,
    PageRecord,
    Recording,
    RecordingError,
    UpdateRecord,
    keep_code,
)

T = TypeVar("T")
DOCUMENT_KEYS = {"page", "components", "incidents", "scheduled_maintenances", "status"}


class Entry:
    """One JSON object being read. Each reader notes the key; `close` reports the keys that nobody read."""

    def __init__(self, data: Any, what: str, notes: Counter[str]) -> None:
        if not isinstance(data, dict):
            raise EntryError(f"{what} is not an object")
        self.data: dict[str, Any] = data
        self.what = what
        self.notes = notes
        self._read: set[str] = set()

    def close(self) -> None:
        for key in self.data.keys() - self._read:
            self.notes[f"{self.what}: unknown key “{key}”"] += 1

    def get(self, key: str) -> Any:
        self._read.add(key)
        return self.data.get(key)

    def text(self, key: str, *, multiline: bool = False) -> str:
        value = self.get(key)
        if not isinstance(value, str):
            raise EntryError(f"{self.what}: “{key}” is not a text")
        try:
            return clean_text(value) if multiline else clean_text(value, limit=TITLE_LIMIT, multiline=False)
        except ValidationError as error:
            raise EntryError(f"{self.what}: “{key}”: {' '.join(error.messages)}") from None

    def optional_text(self, key: str) -> str:
        return "" if self.get(key) is None else self.text(key, multiline=True)

    def code(self, key: str) -> str:
        if not (text := self.text(key)):
            raise EntryError(f"{self.what}: “{key}” is empty")
        return keep_code(text, self.notes)

    def optional_code(self, key: str) -> str | None:
        return None if self.get(key) is None else self.code(key)

    def moment(self, key: str) -> datetime:
        text = self.text(key)
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise EntryError(f"{self.what}: “{key}” is not a time: {text}") from None
        if moment.tzinfo is None:
            raise EntryError(f"{self.what}: “{key}” has no time zone: {text}")
        if moment.year not in YEARS:
            raise EntryError(f"{self.what}: “{key}” is not a time of our age: {text}")
        return moment

    def optional_moment(self, key: str) -> datetime | None:
        return None if self.get(key) is None else self.moment(key)

    def optional_date(self, key: str) -> date | None:
        if self.get(key) is None:
            return None
        try:
            return date.fromisoformat(self.text(key))
        except ValueError:
            raise EntryError(f"{self.what}: “{key}” is not a date: {self.data[key]}") from None

    def number(self, key: str) -> int:
        value = self.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**31:
            raise EntryError(f"{self.what}: “{key}” is not a whole number")
        return value

    def flag(self, key: str, *, default: bool = False) -> bool:
        """`default` where the key is missing: older documents lack some."""
        value = self.get(key) if key in self.data else default
        if not isinstance(value, bool):
            raise EntryError(f"{self.what}: “{key}” is not true or false")
        return value

    def status(self, key: str) -> Status:
        try:
            return Status.from_slug(self.text(key))
        except ValueError as error:
            raise EntryError(f"{self.what}: {error}") from None

    def word(self, key: str, allowed: list[str]) -> str:
        text = self.text(key)
        if text not in allowed:
            raise EntryError(f"{self.what}: “{key}” is “{text}”, not one of {', '.join(allowed)}")
        return text

    def items(self, key: str) -> list[Any]:
        value = self.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise EntryError(f"{self.what}: “{key}” is not a list")
        return value

    def leave(self, *keys: str) -> None:
        """Known, and told by us in another way."""
        self._read.update(keys)

    def drop(self, *keys: str) -> None:
        """Known, but there is no place for it here: reported when it holds something."""
        for key in keys:
            if self.get(key) is not None:
                self.notes[f"{self.what}: “{key}” is not kept"] += 1


def parse_json(content: bytes) -> Recording:
    """Any of summary, components, incidents and scheduled-maintenances. Raises RecordingError."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        raise RecordingError("This is not JSON.") from None
    if not isinstance(data, dict) or "page" not in data:
        raise RecordingError("This JSON is not a Statuspage document: it has no “page”.")
    if not data.keys() & (DOCUMENT_KEYS - {"page", "status"}):
        raise RecordingError("There is nothing to import: neither components nor incidents nor maintenances.")
    notes: Counter[str] = Counter()
    try:
        document = Entry(data, "document", notes)
        recording = Recording(_parse_page(document.get("page"), notes), notes=notes)
        _parse_components(document.items("components"), recording)
        _parse_incidents(document.items("incidents"), Kind.INCIDENT, recording)
        _parse_incidents(document.items("scheduled_maintenances"), Kind.MAINTENANCE, recording)
    except EntryError as error:
        raise RecordingError(f"This JSON is not a Statuspage document: {error}.") from None
    document.leave("status")
    document.close()
    return recording


def _parse_page(data: Any, notes: Counter[str]) -> PageRecord:
    entry = Entry(data, "page", notes)
    zone = entry.text("time_zone") if "time_zone" in entry.data else "Etc/UTC"
    if zone not in available_timezones():
        raise EntryError(f"page: “{zone}” is not an IANA time zone")
    page = PageRecord(
        code=entry.code("id"),
        name=entry.text("name"),
        url=entry.text("url").rstrip("/"),
        time_zone=zone,
        updated_at=entry.moment("updated_at"),
    )
    entry.leave("time_zone")
    entry.close()
    return page


def _collect(items: list[Any], parse: Callable[[Any], T], notes: Counter[str]) -> list[T]:
    """What could be parsed; what could not is reported."""
    parsed = []
    for item in items:
        try:
            parsed.append(parse(item))
        except EntryError as error:
            notes[f"left out: {error}"] += 1
    return parsed


def _parse_components(items: list[Any], recording: Recording) -> None:
    """Adds those the recording does not have yet; of two with one id, the later state counts."""
    known = {component.code: component for component in recording.components}
    for component in _collect(items, lambda item: _parse_component(item, recording.notes), recording.notes):
        kept = known.get(component.code)
        if kept is None or kept.updated_at < component.updated_at:
            known[component.code] = component
    recording.components = list(known.values())


def _parse_component(data: Any, notes: Counter[str]) -> ComponentRecord:
    entry = Entry(data, "component", notes)
    entry.leave("page_id", "components")
    is_group = entry.flag("group")
    component = ComponentRecord(
        code=entry.code("id"),
        name=entry.text("name"),
        status=entry.status("status"),
        created_at=entry.moment("created_at"),
        updated_at=entry.moment("updated_at"),
        position=entry.number("position"),
        description=entry.optional_text("description"),
        showcase=entry.flag("showcase"),
        start_date=entry.optional_date("start_date"),
        group_code=entry.optional_code("group_id"),
        is_group=is_group,
        only_show_if_degraded=entry.flag("only_show_if_degraded"),
    )
    entry.close()
    return component


def _parse_incidents(items: list[Any], kind: Kind, recording: Recording) -> None:
    notes = recording.notes
    recording.incidents += _collect(items, lambda item: _parse_incident(item, kind, recording), notes)
    _refuse_doubles(recording.incidents)


def _refuse_doubles(incidents: list[IncidentRecord]) -> None:
    """Two of one id: it cannot be told which is meant."""
    for what, codes in (
        ("incidents", [incident.code for incident in incidents]),
        ("updates", [update.code for incident in incidents for update in incident.updates]),
    ):
        for code, times in Counter(codes).items():
            if times > 1:
                raise EntryError(f"{times} {what} have the id {code}")


def _parse_incident(data: Any, kind: Kind, recording: Recording) -> IncidentRecord:
    notes = recording.notes
    entry = Entry(data, kind.value, notes)
    entry.leave("shortlink", "page_id")
    entry.drop("reminder_intervals")
    phases = [phase.value for phase in PHASES[kind]]
    updates = [_parse_update(item, phases, notes) for item in entry.items("incident_updates")]
    updates.reverse()  # oldest first, where two are of the same time too
    named = entry.items("components")
    incident = IncidentRecord(
        code=entry.code("id"),
        kind=kind,
        name=entry.text("name"),
        status=entry.word("status", phases),
        impact=entry.word("impact", [impact.value for impact in Impact]),
        created_at=entry.moment("created_at"),
        updated_at=entry.moment("updated_at"),
        started_at=entry.optional_moment("started_at") or entry.moment("created_at"),
        monitoring_at=entry.optional_moment("monitoring_at"),
        resolved_at=entry.optional_moment("resolved_at"),
        scheduled_for=entry.optional_moment("scheduled_for"),
        scheduled_until=entry.optional_moment("scheduled_until"),
        updates=sorted(updates, key=lambda update: update.display_at),
        component_codes=[
            keep_code(str(each["id"]), notes) for each in named if isinstance(each, dict) and "id" in each
        ],
    )
    _check_window(incident)
    _parse_components(named, recording)
    entry.close()
    return incident


def _check_window(incident: IncidentRecord) -> None:
    if incident.kind == Kind.MAINTENANCE:
        start, end = incident.scheduled_for, incident.scheduled_until
        if start is None or end is None or end <= start:
            raise EntryError("maintenance: its window has no end after its start")


def _parse_update(data: Any, phases: list[str], notes: Counter[str]) -> UpdateRecord:
    entry = Entry(data, "update", notes)
    entry.leave("incident_id")
    entry.drop("custom_tweet", "tweet_id")
    update = UpdateRecord(
        code=entry.code("id"),
        status=entry.word("status", phases),
        body=entry.text("body", multiline=True),
        created_at=entry.moment("created_at"),
        updated_at=entry.moment("updated_at"),
        display_at=entry.moment("display_at"),
        deliver_notifications=entry.flag("deliver_notifications", default=True),
        affected=[_parse_affected(item, notes) for item in entry.items("affected_components")],
    )
    entry.close()
    return update


def _parse_affected(data: Any, notes: Counter[str]) -> AffectedRecord:
    entry = Entry(data, "affected component", notes)
    affected = AffectedRecord(
        code=entry.code("code"),
        name=entry.text("name"),
        old_status=entry.status("old_status"),
        new_status=entry.status("new_status"),
    )
    entry.close()
    return affected
