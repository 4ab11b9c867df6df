"""Reads one incident, or one maintenance, of a Statuspage JSON document into a record."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from components.status import Impact, roll_up
from incidents.phases import CLOSED, PHASES, Kind, Phase
from incidents.post import Window
from intake.json_entries import Entry, Reading
from intake.recordings import (
    AffectedRecord,
    EntryError,
    IncidentRecord,
    Remarks,
    UpdateRecord,
    derive_code,
    keep_code,
    shown,
)

PHASE_WORDS = [phase.value for phase in Phase]
IMPACT_WORDS = [impact.value for impact in Impact]
NOTHING_AFFECTED = "No components were affected by this update."
NAME_LIMIT = 520  # with the group's name before it
# They steered the other product, or say what it did elsewhere.
SETTINGS = (
    "auto_transition_deliver_notifications_at_end", "auto_transition_deliver_notifications_at_start",
    "auto_transition_to_maintenance_state", "auto_transition_to_operational_state", "auto_tweet_at_beginning",
    "auto_tweet_on_completion", "auto_tweet_on_creation", "auto_tweet_one_hour_before", "backfilled", "metadata",
    "postmortem_ignored", "postmortem_notified_subscribers", "postmortem_notified_twitter", "reminder_intervals",
    "scheduled_auto_completed", "scheduled_auto_in_progress", "scheduled_remind_prior", "scheduled_reminded_at",
)  # fmt: skip
UPDATE_SETTINGS = ("custom_tweet", "tweet_id", "twitter_updated_at", "wants_twitter_update")
MOMENTS = ("created_at", "started_at", "updated_at", "monitoring_at", "resolved_at", "scheduled_for", "scheduled_until",
           "postmortem_published_at", "postmortem_body_last_updated_at")  # fmt: skip


def parse_incident(data: Any, listed: Kind, reading: Reading) -> IncidentRecord:
    """`listed`: in which list it stands; older documents have maintenance among the incidents. Raises EntryError."""
    entry = Entry(data, listed.value, reading)
    entry.leave("shortlink", "page_id")
    entry.drop(*SETTINGS)
    # A v1 document may say true or false where it has no time.
    moments = {key: None if isinstance(entry.get(key), bool) else entry.maybe(entry.moment, key) for key in MOMENTS}
    name = entry.maybe(entry.title, "name") or _assume_name(entry, listed)
    code = entry.maybe(entry.code, "id") or _derive_id(entry, name, moments)
    known = [moments[key] for key in ("created_at", "started_at", "scheduled_for", "resolved_at")]
    began = next((moment for moment in known if moment), None)
    updates = _parse_updates(entry, code, began, PHASES[_expect_kind(listed, moments)][0])
    created = (
        moments["created_at"] or moments["started_at"] or min((each.display_at for each in updates), default=began)
    )
    if created is None:
        raise entry.error("it tells no time")
    kind, status = _find_phase(entry, listed, updates, moments)
    updates += _parse_postmortem(entry, code, updates, moments, created)
    window = _find_window(entry, kind, updates, moments, created)
    overridden = entry.maybe(lambda key: entry.word(key, IMPACT_WORDS), "impact_override")
    ends = [update.updated_at for update in updates] + [created, moments["resolved_at"] or created]
    incident = IncidentRecord(
        code=code,
        kind=kind,
        name=name,
        status=status,
        impact=entry.maybe(lambda key: entry.word(key, IMPACT_WORDS), "impact")
        or overridden
        or _assume_impact(kind, updates),
        impact_override=overridden or "",
        created_at=created,
        updated_at=moments["updated_at"] or max(ends),
        started_at=moments["started_at"] or created,
        monitoring_at=moments["monitoring_at"],
        resolved_at=moments["resolved_at"] or _assume_end(entry, status, updates, created),
        scheduled_for=window[0] if window else None,
        scheduled_until=window[1] if window else None,
        updates=updates,
        component_codes=_parse_component_codes(entry),
    )
    entry.close()
    return incident


def _assume_name(entry: Entry, listed: Kind) -> str:
    entry.note(f"it has no name: “{listed.label}” is taken")
    return str(listed.label)


def _derive_id(entry: Entry, name: str, moments: dict[str, datetime | None]) -> str:
    told = [moment.isoformat() for moment in moments.values() if moment]
    if not told:
        raise entry.error("it tells neither its “id” nor a time")
    entry.note("it has no id: a code derived from its name and times is used")
    return derive_code("incident", entry.reading.page, name, told[0])


def _assume_impact(kind: Kind, updates: Sequence[UpdateRecord]) -> Impact:
    """The worst that its updates say, as if it had been posted here."""
    if kind == Kind.MAINTENANCE:
        return Impact.MAINTENANCE
    said = [roll_up(each.new_status for each in update.affected).indicator for update in updates]
    return max(said, key=lambda impact: impact.rank, default=Impact.NONE)


def _assume_end(entry: Entry, status: Phase, updates: Sequence[UpdateRecord], created: datetime) -> datetime | None:
    """Without an end, something closed would stand on every day of the history."""
    if status not in CLOSED:
        return None
    entry.note("“resolved_at” is not told: the time of the update that closed it, or of the last one, is taken")
    told = [update.display_at for update in updates if update.status in CLOSED] or [u.display_at for u in updates[-1:]]
    return min(told, default=created)


def _parse_component_codes(entry: Entry) -> list[str]:
    """A component is an object, or its id alone. What is wrong with an object is reported where it is read."""
    codes = []
    for item in entry.items("components"):
        identity = item.get("id") if isinstance(item, dict) else item
        if isinstance(identity, str) and identity.strip():
            codes.append(keep_code(identity.strip(), entry.remarks))
        elif not isinstance(item, dict):
            entry.lose(f"“{shown(item)}” in “components” is neither an object nor an id")
    return codes


def _find_phase(
    entry: Entry, listed: Kind, updates: Sequence[UpdateRecord], moments: dict[str, datetime | None]
) -> tuple[Kind, Phase]:
    """The status decides the kind, not the list: each kind has words of its own."""
    word = entry.maybe(lambda key: entry.word(key, PHASE_WORDS), "status")
    if word is None:
        first, *_, last = PHASES[_expect_kind(listed, moments)]
        closed = Phase.RESOLVED if last == Phase.POSTMORTEM else last
        word = updates[-1].status if updates else closed if moments["resolved_at"] else first
        entry.note(f"its status is not told: “{word}” is taken")
    phase = Phase(word)
    return (Kind.MAINTENANCE if phase in PHASES[Kind.MAINTENANCE] else Kind.INCIDENT), phase


def _expect_kind(listed: Kind, moments: dict[str, datetime | None]) -> Kind:
    return Kind.MAINTENANCE if moments["scheduled_for"] else listed


def _find_window(
    entry: Entry,
    kind: Kind,
    updates: Sequence[UpdateRecord],
    moments: dict[str, datetime | None],
    created: datetime,
) -> Window | None:
    """When maintenance starts and ends: as told, else as it went, else an hour."""
    start, end = moments["scheduled_for"], moments["scheduled_until"]
    if kind != Kind.MAINTENANCE:
        if start or end:
            entry.lose("its window is not kept: only maintenance has one")
        return None
    if start is None:
        working = [update.display_at for update in updates if update.status != Phase.SCHEDULED]
        start = min(working, default=created)
        entry.note("“scheduled_for” is not told: when it began, or was announced, is taken")
    if end is None:
        end = moments["resolved_at"] or max(
            (each.display_at for each in updates if each.status in CLOSED), default=None
        )
        entry.note("“scheduled_until” is not told: when it was completed is taken, or one hour")
    elif end <= start:
        entry.lose("“scheduled_until” is not after its start: one hour is assumed")
    return start, end if end and end > start else start + timedelta(hours=1)


def _parse_postmortem(
    entry: Entry, code: str, updates: Sequence[UpdateRecord], moments: dict[str, datetime | None], created: datetime
) -> list[UpdateRecord]:
    """The text as a last update, where none of the updates is it: there is no other place for it. It moves neither
    the incident's status nor its dates."""
    body = entry.maybe(entry.body, "postmortem_body")
    if not body or any(update.status == Phase.POSTMORTEM and update.body == body for update in updates):
        return []
    known = [moments[key] for key in ("postmortem_published_at", "postmortem_body_last_updated_at", "resolved_at")]
    at = next((moment for moment in known if moment), updates[-1].display_at if updates else created)
    return [
        UpdateRecord(derive_code("postmortem", code), Phase.POSTMORTEM, body, at, at, at, deliver_notifications=False)
    ]


# Updates


def _parse_updates(entry: Entry, code: str, began: datetime | None, first: Phase) -> list[UpdateRecord]:
    """Oldest first, in the order of the document: a backdated one stays where it stands."""
    updates: list[UpdateRecord] = []
    times: Counter[str] = Counter()
    for item in reversed(entry.items("incident_updates")):
        before = updates[-1] if updates else None
        try:
            update = _parse_update(item, entry, code, before, began, first)
        except EntryError as error:
            entry.remarks.lose(str(error))
            continue
        times[update.code] += 1
        if times[update.code] > 1:
            entry.note(f"{times[update.code]} updates have the id {update.code}: all are kept")
            update = replace(update, code=derive_code("double", code, update.code, str(times[update.code])))
        updates.append(update)
    return updates


def _parse_update(
    data: Any, incident: Entry, code: str, before: UpdateRecord | None, began: datetime | None, first: Phase
) -> UpdateRecord:
    entry = Entry(data, "update", incident.reading, inside=incident.what)
    entry.leave("incident_id")
    entry.drop(*UPDATE_SETTINGS)
    status = entry.maybe(lambda key: entry.word(key, PHASE_WORDS), "status")
    created, updated = entry.maybe(entry.moment, "created_at"), entry.maybe(entry.moment, "updated_at")
    display = entry.maybe(entry.moment, "display_at") or created or updated
    if display is None:
        display = before.display_at if before else began
        if display is None:
            raise entry.error("it tells no time")
        entry.note("it tells no time: that of the update before it, or of the incident, is taken")
    if status is None:
        status = before.status if before else first
        entry.note(f"its status is not told: “{status}” is taken")
    body = entry.maybe(entry.body, "body") or ""
    deliver = entry.maybe(entry.flag, "deliver_notifications")
    update = UpdateRecord(
        code=entry.maybe(entry.code, "id") or derive_code("update", code, display.isoformat(), body),
        status=status,
        body=body,
        created_at=created or display,
        updated_at=updated or created or display,
        display_at=display,
        deliver_notifications=True if deliver is None else deliver,
        affected=_parse_all_affected(entry),
    )
    entry.close()
    return update


def _parse_all_affected(update: Entry) -> list[AffectedRecord]:
    """Each component once."""
    found: dict[str, AffectedRecord] = {}
    for item in update.items("affected_components"):
        try:
            affected = _parse_affected(item, update)
        except EntryError as error:
            update.remarks.lose(str(error))
            continue
        if affected and found.setdefault(affected.code, affected) != affected:
            update.lose(f"it names the component {affected.code} twice: the first is kept")
    return list(found.values())


def _parse_affected(data: Any, update: Entry) -> AffectedRecord | None:
    """None where older documents say in words that there is none."""
    entry = Entry(data, "affected component", update.reading, inside=update.what)
    name = entry.maybe(lambda key: entry.title(key, limit=NAME_LIMIT), "name")
    code = entry.maybe(entry.code, "code") or entry.maybe(entry.code, "id")
    before, after = entry.maybe(entry.status, "old_status"), entry.maybe(entry.status, "new_status")
    entry.close()
    if code is None and before is None and after is None and name == NOTHING_AFFECTED:
        return None
    if code is None and name is None:
        raise entry.error("it has neither a code nor a name")
    if before is None or after is None:
        known_one = before if after is None else after
        if known_one is None:
            raise entry.error("it has no status")
        entry.note("of its statuses before and after one is told: it is taken for both")
        before = after = known_one
    reading = entry.reading
    code = code or reading.codes.get(name or "") or derive_code("component", reading.page, name or "")
    known = reading.components.get(code)
    return AffectedRecord(code, name or (known.name if known else code), before, after)


# Two of one id


def merge_doubles(incidents: Sequence[IncidentRecord], remarks: Remarks) -> list[IncidentRecord]:
    """Each once: of several, the one changed last, with the updates of all."""
    by_code: dict[str, list[IncidentRecord]] = {}
    for incident in incidents:
        by_code.setdefault(incident.code, []).append(incident)
    return [_merge(same, remarks) if len(same) > 1 else same[0] for same in by_code.values()]


def _merge(same: Sequence[IncidentRecord], remarks: Remarks) -> IncidentRecord:
    latest, *others = sorted(same, key=lambda incident: incident.updated_at, reverse=True)
    if any(other != latest for other in others):
        remarks.lose(
            f"{latest.kind} {latest.code} “{latest.name}”: it stands twice; where they differ, the later counts"
        )
    known = {update.code for update in latest.updates}
    more: dict[str, UpdateRecord] = {}
    for update in (update for other in others for update in other.updates if update.code not in known):
        more.setdefault(update.code, update)
    updates = sorted([*latest.updates, *more.values()], key=lambda each: each.display_at) if more else latest.updates
    codes = dict.fromkeys(code for incident in (latest, *others) for code in incident.component_codes)
    return replace(latest, updates=updates, component_codes=list(codes))
