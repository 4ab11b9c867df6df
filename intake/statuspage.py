"""Stores what a Statuspage document says (intake/recordings.py) in our tables. Importing again changes nothing.

A document is one transaction: all of it or nothing. Nobody is notified. An existing page keeps its name,
address and zone; what it has beyond the document stays as it is.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import DatabaseError, IntegrityError, transaction
from django.db.models import Model
from django.db.models.functions import Coalesce
from django.utils import timezone

from components.effects import replace_component, show_worst
from components.models import Component, Group
from components.status import Status
from core.markdown import render_markdown
from incidents.models import Affected, Incident, Update
from intake.recordings import (
    ComponentRecord,
    IncidentRecord,
    PageRecord,
    Recording,
    RecordingError,
    Remarks,
    UpdateRecord,
    derive_code,
    shown,
)
from intake.spans import rebuild_spans
from pages.models import Page, record_audit

ACTOR = "manage.py import_statuspage"
MOMENT = timedelta(microseconds=1)


@dataclass
class ImportReport:
    """What happened to each kind of row: counts by (kind, "new" | "changed" | "unchanged"); and what is to be said."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    remarks: Remarks = field(default_factory=Remarks)

    @property
    def changes(self) -> int:
        return sum(number for (_, outcome), number in self.counts.items() if outcome != "unchanged")


def find_page(record: PageRecord, address: str | None = None) -> Page | None:
    """The page a document belongs to: the one at `address` when given, else by id, else by host."""
    if address is None and record.code and (page := Page.objects.filter(code=record.code).first()):
        return page
    host = host_of(address or record.url)
    return Page.objects.filter(host=host).first() if host else None


def host_of(address: str) -> str:
    """ "" where there is none, or none that can be read."""
    try:
        return urlsplit(address if "//" in address else f"//{address}").hostname or ""
    except ValueError:
        return ""


def store(recording: Recording, *, address: str | None = None, actor: str = ACTOR) -> tuple[Page, ImportReport]:
    """Store one document in one transaction. `address`: of the page it goes to, instead of the recorded one; `actor`:
    who does it, for the audit log.

    Raises RecordingError when it cannot be stored; then nothing has changed.
    """
    try:
        with transaction.atomic():
            importer = Importer(recording, address, actor)
            importer.run()
    except IntegrityError:
        raise RecordingError("Two things in it have one id, or an id belongs to something else here.") from None
    except DatabaseError as error:
        raise RecordingError(f"The database does not take it: {shown(error)}.") from None
    return importer.page, importer.report


class Importer:
    def __init__(self, recording: Recording, address: str | None, actor: str) -> None:
        self.recording = recording
        self.actor = actor
        self.report = ImportReport(remarks=recording.remarks)
        found = find_page(recording.page, address)
        self.page = found or self._create_page(recording.page, address)
        if found:
            self._count("page", "unchanged")
            # Locks out posts meanwhile; two imports at once come one after the other.
            Page.objects.select_for_update().get(pk=found.pk)
        self._updated_at = None if found is None else found.updated_at
        self._components = {row.code: row for row in self.page.components.all()}
        self._groups = {row.code: row for row in self.page.groups.all()}
        self._touched: set[str] = set()

    def run(self) -> None:
        for record in self.recording.components:
            if record.is_group:
                self._store_group(record)
        for record in self.recording.components:
            if not record.is_group:
                self._store_component(record)
        for incident in reversed(self.recording.incidents):
            self._store_incident(incident)
        for record in self.recording.components:
            if not record.is_group and "status" in record.told:
                self._store_status(record)
        for code in self._touched & self._components.keys():
            rebuild_spans(self._components[code], told_by=self.actor)
        self._finish()

    def _count(self, kind: str, outcome: str) -> None:
        self.report.counts[kind, outcome] += 1

    def _apply(self, row: Model, kind: str, values: dict[str, Any]) -> bool:
        """Save `values` where they differ; count what happened, and say whether anything did."""
        if row._state.adding:
            outcome = "new"
        else:
            values = {name: value for name, value in values.items() if getattr(row, name) != value}
            outcome = "changed" if values else "unchanged"
        self._count(kind, outcome)
        for name, value in values.items():
            setattr(row, name, value)
        if outcome == "new":
            row.save()
        elif values:
            row.save(update_fields=list(values))
        return outcome != "unchanged"

    # Page

    def _create_page(self, record: PageRecord, address: str | None) -> Page:
        url = address or record.url
        if not url:
            raise RecordingError("It does not tell the page's address: say it with --page.")
        if not host_of(url):
            raise RecordingError(f"No page can be made of it: “{shown(url)}” is no address. Say one with --page.")
        page = Page(name=record.name or host_of(url), url=url, host=host_of(url), time_zone=record.time_zone)
        if record.code:
            page.code = record.code
        try:
            page.full_clean()
        except ValidationError as error:
            raise RecordingError(f"No page can be made of it: {'; '.join(error.messages)}") from None
        page.save()
        self._count("page", "new")
        return page

    def _finish(self) -> None:
        """One new generation when something changed. A page's date is never set back."""
        if not self.report.changes:
            return
        dates = [date for date in (self._updated_at, self.recording.latest()) if date] or [timezone.now()]
        counts = {f"{kind} {outcome}": number for (kind, outcome), number in sorted(self.report.counts.items())}
        self.page.raise_generation()
        record_audit(self.page, self.actor, "page.import", self.page.name, **counts)
        Page.objects.filter(pk=self.page.pk).update(updated_at=max(dates))

    # Components

    def _store_group(self, record: ComponentRecord) -> None:
        row = self._groups.get(record.code) or Group(page=self.page, code=record.code)
        fields = ("name", "description", "position", "created_at", "updated_at")
        self._apply(row, "group", self._values(row, record, fields))
        self._groups[record.code] = row

    def _store_component(self, record: ComponentRecord) -> None:
        """A new one is stored as operational first, so that its first span is not as bad as its present."""
        row = self._components.get(record.code) or Component(page=self.page, code=record.code)
        fields = ("name", "description", "position", "showcase", "start_date", "only_show_if_degraded", "created_at",
                  "updated_at")  # fmt: skip
        values = self._values(row, record, fields)
        if row._state.adding or "group_code" in record.told:
            group = self._groups.get(record.group_code or "")
            if record.group_code and group is None:
                self.report.remarks.lose(
                    f"component {record.code} “{record.name}”: its group is not in the document, so it stands alone"
                )
            values["group_id"] = group.pk if group else None
        self._apply(row, "component", values)
        self._components[record.code] = row

    def _values(self, row: Group | Component, record: ComponentRecord, fields: Sequence[str]) -> dict[str, Any]:
        """What to store. What the document does not tell stays as it is; a new row gets defaults."""
        if not row._state.adding:
            return {name: getattr(record, name) for name in fields if name == "name" or name in record.told}
        values = {name: getattr(record, name) for name in fields}
        values["created_at"] = record.created_at or self.recording.earliest() or timezone.now()
        values["updated_at"] = record.updated_at or values["created_at"]
        return values

    def _store_status(self, record: ComponentRecord) -> None:
        """The old page's word counts: where an open incident says something is wrong, the worst of them says just
        that and none says more; else it is the base status."""
        row = self._components[record.code]
        effects = self._last_said(row)
        if effects:
            effects = {cause: min(said, record.status) for cause, said in effects.items()}
            effects[max(effects, key=lambda cause: effects[cause])] = record.status
        causes = [incident.code for incident in self.recording.incidents]
        replace_component(row, causes, effects, Status.OPERATIONAL if effects else record.status)
        since = row.spans.get(ended_at=None).started_at
        changed_at = record.updated_at or self.recording.latest() or timezone.now()
        if show_worst([row], max(changed_at, since)):
            self._count("component status", "changed")
            self._touched.add(record.code)
            row.updated_at = changed_at
            row.save(update_fields=["updated_at"])

    def _last_said(self, component: Component) -> dict[str, Status]:
        """By code of the document's open incidents: the last that each said of the component, if it was bad."""
        codes = [record.code for record in self.recording.incidents]
        under_way = Incident.objects.filter(code__in=codes).under_way()
        rows = Affected.objects.filter(component=component, update__incident__in=under_way)
        listed = rows.order_by(Coalesce("update__listed_at", "update__display_at"), "update_id")
        said = listed.values_list("update__incident__code", "effect")
        return {code: Status(effect) for code, effect in dict(said).items() if effect}

    # Incidents

    def _store_incident(self, record: IncidentRecord) -> None:
        row = Incident.objects.filter(code=record.code).first()
        if row is not None and row.page_id != self.page.pk:
            raise RecordingError(f"The incident {record.code} is on another page already: {row.page}.")
        if row is not None and record.from_feed and self._is_richer(row, record):
            self._apply(row, record.kind, {"feed_number": record.feed_number} if record.feed_number else {})
            return
        # Maintenance must not begin here by itself, and notify, while the old page still tells of it.
        row = row or Incident(page=self.page, code=record.code, auto_start=False, auto_complete=False)
        self._apply(row, record.kind, self._incident_values(row, record))
        known = [self._components[code] for code in record.component_codes if code in self._components]
        for code in record.component_codes:
            if code not in self._components:
                self._lose(record, f"its component {code} is not in the document")
        row.components.add(*known)
        self._store_updates(row, record)

    def _incident_values(self, row: Incident, record: IncidentRecord) -> dict[str, Any]:
        fields = ("kind", "name", "status", "impact", "created_at", "updated_at", "started_at", "monitoring_at",
                  "resolved_at", "scheduled_for", "scheduled_until")  # fmt: skip
        is_older = not row._state.adding and row.updated_at > record.updated_at
        values = {} if is_older else {name: getattr(record, name) for name in fields}
        if record.impact_override and not is_older:
            values["impact_override"] = record.impact_override
        if record.feed_number is not None:
            values["feed_number"] = record.feed_number
        return values

    def _lose(self, record: IncidentRecord, reason: str) -> None:
        self.report.remarks.lose(f"{record.kind} {record.code} “{record.name}”: {reason}")

    def _is_richer(self, row: Incident, record: IncidentRecord) -> bool:
        """Whether we know it from somewhere better than a feed: then it has updates with codes of their own."""
        derived = [update.code for update in record.updates]
        return row.updates.exclude(code__in=derived).exists()

    def _store_updates(self, incident: Incident, record: IncidentRecord) -> None:
        rows = {row.code: row for row in incident.updates.all()}
        elsewhere = Update.objects.exclude(incident=incident).filter(code__in=[each.code for each in record.updates])
        taken = set(elsewhere.values_list("code", flat=True))
        placed: datetime | None = None
        for each in record.updates:
            code = each.code
            if code in taken:
                code = derive_code("double", incident.code, code)
                self.report.remarks.note(f"update {each.code} of {record.name}: its id is another incident's")
            row = rows.pop(code, None) or self._take_same(rows, record, each)
            row = row or Update(incident=incident, author=ACTOR)
            fields = ("status", "body", "created_at", "updated_at", "display_at", "deliver_notifications")
            values = {name: getattr(each, name) for name in fields}
            # Only where the document lists it in another place than by its time.
            listed_at = placed + MOMENT if placed and each.display_at <= placed else None
            placed = listed_at or each.display_at
            values |= {"code": code, "body_html": render_markdown(each.body), "listed_at": listed_at}
            self._apply(row, "update", values)
            self._store_affected(row, each)

    def _take_same(self, rows: dict[str, Update], incident: IncidentRecord, record: UpdateRecord) -> Update | None:
        """The update that a feed told of before: same status, same minute, another code."""
        named = {each.code for each in incident.updates}
        for code, row in rows.items():
            is_same = row.status == record.status and _minute(row.display_at) == _minute(record.display_at)
            if is_same and row.author == ACTOR and code not in named:
                return rows.pop(code)
        return None

    def _store_affected(self, update: Update, record: UpdateRecord) -> None:
        rows = {row.code: row for row in update.affected.all()}
        for each in record.affected:
            row = rows.get(each.code) or Affected(update=update, code=each.code)
            component = self._components.get(each.code)
            values = {"name": each.name, "old_status": each.old_status, "new_status": each.new_status,
                      "effect": each.new_status}  # fmt: skip
            if self._apply(row, "affected", values | {"component_id": component.pk if component else None}):
                self._touched.add(each.code)


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)
