"""Reads the JSON documents of Statuspage's public API into records (intake/recordings.py).

Whatever can be read is kept: a missing part is worked out from the others, one that cannot be read is reported as
a loss, and so is the entry when nothing can stand for it. Shapes: docs/importing.md.
"""

import json
from collections.abc import Callable
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from incidents.phases import Kind
from intake.incident_json import merge_doubles, parse_incident
from intake.json_entries import Entry, Reading
from intake.recordings import ComponentRecord, EntryError, IncidentRecord, PageRecord, Recording, RecordingError

T = TypeVar("T")
FindZone = Callable[[str], str | None]
DOCUMENT_KEYS = {"page", "components", "incidents", "scheduled_maintenances", "status"}
ASSUMED_ZONE = "Etc/UTC"
NULLABLE = {"description", "start_date", "group_id"}
FIELDS = {"group_id": "group_code"}


def parse_json(content: bytes, find_zone: FindZone = lambda _: None) -> Recording:
    """Any of summary, components, incidents and scheduled-maintenances. `find_zone` gives the IANA zone of the page
    at an address, for documents that do not tell it. Raises RecordingError."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        raise RecordingError("This is not JSON.") from None
    if not isinstance(data, dict) or "page" not in data:
        raise RecordingError("This JSON is not a Statuspage document: it has no “page”.")
    if not data.keys() & (DOCUMENT_KEYS - {"page", "status"}):
        raise RecordingError("There is nothing to import: neither components nor incidents nor maintenances.")
    reading = Reading(ZoneInfo(ASSUMED_ZONE))
    try:
        page = _parse_page(data["page"], reading, find_zone)
    except EntryError as error:
        raise RecordingError(f"This JSON is not a Statuspage document: {error}.") from None
    recording = Recording(page, remarks=reading.remarks)
    document = Entry(data, "document", reading)
    document.leave("page", "status")
    _parse_components(document.items("components"), reading)
    _parse_incidents(document.items("incidents"), Kind.INCIDENT, recording, reading)
    _parse_incidents(document.items("scheduled_maintenances"), Kind.MAINTENANCE, recording, reading)
    document.close()
    recording.incidents = merge_doubles(recording.incidents, reading.remarks)
    recording.components = list(reading.components.values())
    return recording


def _parse_page(data: Any, reading: Reading, find_zone: FindZone) -> PageRecord:
    entry = Entry(data, "page", reading)
    code, url = entry.maybe(entry.code, "id"), (entry.maybe(entry.line, "url") or "").rstrip("/")
    if not code and not url:
        raise entry.error("it tells neither its “id” nor its “url”")
    zone = entry.maybe(entry.zone, "time_zone") or find_zone(url)
    if zone is None:
        zone = ASSUMED_ZONE
        entry.note("its time zone is not told: UTC is assumed; to say it, use --time-zone")
    reading.zone, reading.page = ZoneInfo(zone), code or url
    page = PageRecord(
        code=code,
        name=entry.maybe(entry.title, "name") or "",
        url=url,
        time_zone=zone,
        updated_at=entry.maybe(entry.moment, "updated_at"),
    )
    entry.leave("created_at")
    entry.close()
    return page


def _collect(items: list[Any], parse: Callable[[Any], T], reading: Reading) -> list[T]:
    """What could be parsed; what could not is reported."""
    parsed = []
    for item in items:
        try:
            parsed.append(parse(item))
        except EntryError as error:
            reading.remarks.lose(str(error))
    return parsed


# Components


def _parse_components(items: list[Any], reading: Reading) -> None:
    found = _collect(items, lambda item: _parse_component(item, reading), reading)
    for component in found:
        reading.learn(component)
    for component in found:
        reading.learn_name(component)


def _parse_component(data: Any, reading: Reading) -> ComponentRecord:
    entry = Entry(data, "component", reading)
    entry.leave("page_id", "components")
    entry.drop("automation_email")
    readers: dict[str, Callable[[str], Any]] = {
        "status": entry.status,
        "created_at": entry.moment,
        "updated_at": entry.moment,
        "position": entry.number,
        "description": entry.body,
        "showcase": entry.flag,
        "start_date": entry.day,
        "group_id": entry.code,
        "only_show_if_degraded": entry.flag,
    }
    read = {key: entry.maybe(reader, key) for key, reader in readers.items()}
    told = {key for key, value in read.items() if value is not None}
    emptied = {key for key in NULLABLE if key in entry.data and not entry.has(key)}
    values: dict[str, Any] = {FIELDS.get(key, key): read[key] for key in told}
    component = ComponentRecord(
        code=entry.code("id"),
        name=entry.title("name"),
        is_group=entry.maybe(entry.flag, "group") or False,
        told=frozenset(FIELDS.get(key, key) for key in told | emptied),
        **values,
    )
    entry.close()
    return component


# Incidents


def _parse_incidents(items: list[Any], listed: Kind, recording: Recording, reading: Reading) -> None:
    def parse(item: Any) -> IncidentRecord:
        named = item.get("components") if isinstance(item, dict) else None
        if isinstance(named, list):  # first, because updates may know a component by its name alone
            _parse_components([each for each in named if isinstance(each, dict)], reading)
        return parse_incident(item, listed, reading)

    recording.incidents += _collect(items, parse, reading)
