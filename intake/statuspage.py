"""Stores what a Statuspage document says (intake/recordings.py) in our tables. Importing again changes nothing.

A document is one transaction: all of it or nothing. Nobody is notified. An existing page keeps its name,
address and zone; what it has beyond the document stays as it is.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Model

from components.effects import replace_component, show_worst
from components.models import Component, Group
from components.status import Status
from core.markdown import render_markdown
from incidents.models import Affected, Incident, Update
from intake.recordings import ComponentRecord, IncidentRecord, PageRecord, Recording, RecordingError, UpdateRecord
from intake.spans import rebuild_spans
from pages.models import Page, record_audit

ACTOR = "manage.py import_statuspage"


@dataclass
class ImportReport:
    """What happened to each kind of row: counts by (kind, "new" | "changed" | "unchanged"); and what was not kept."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)

    @property
    def changes(self) -> int:
        return sum(number for (_, outcome), number in self.counts.items() if outcome != "unchanged")


def find_page(record: PageRecord, address: str | None = None) -> Page | None:
    """The page a document belongs to: the one at `address` when given, else by id, else by host."""
    if address is None and record.code and (page := Page.objects.filter(code=record.code).first()):
        return page
    return Page.objects.filter(host=host_of(address or record.url)).first()


def host_of(address: str) -> str:
    return urlsplit(address if "//" in address else f"//{address}").hostname or ""


def store(recording: Recording, *, address: str | None = None) -> tuple[Page, ImportReport]:
    """Store one document in one transaction. `address`: of the page it goes to, instead of the recorded one.

    Raises RecordingError when it cannot be stored; then nothing has changed.
    """
    try:
        with transaction.atomic():
            importer = Importer(recording, address)
            importer.run()
    except IntegrityError:
        raise RecordingError("Two things in it have one id, or an id belongs to something else here.") from None
    return importer.page, importer.report


class Importer:
    def __init__(self, recording: Recording, address: str | None) -> None:
        self.recording = recording
        self.report = ImportReport(notes=recording.notes)
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
            if not record.is_group:
                self._store_status(record)
        for code in self._touched & self._components.keys():
            rebuild_spans(self._components[code], told_by=ACTOR)
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
        page = Page(name=record.name, url=url, host=host_of(url), time_zone=record.time_zone)
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
        dates = [date for date in (self._updated_at, self.recording.page.updated_at) if date]
        counts = {f"{kind} {outcome}": number for (kind, outcome), number in sorted(self.report.counts.items())}
        self.page.raise_generation()
        record_audit(self.page, ACTOR, "page.import", self.page.name, **counts)
        Page.objects.filter(pk=self.page.pk).update(updated_at=max(dates))

    # Components

    def _store_group(self, record: ComponentRecord) -> None:
        row = self._groups.get(record.code) or Group(page=self.page, code=record.code)
        fields = ("name", "description", "position", "created_at", "updated_at")
        self._apply(row, "group", {name: getattr(record, name) for name in fields})
        self._groups[record.code] = row

    def _store_component(self, record: ComponentRecord) -> None:
        """A new one is stored as operational first, so that its first span is not as bad as its present."""
        row = self._components.get(record.code) or Component(page=self.page, code=record.code)
        group = self._groups.get(record.group_code or "")
        if record.group_code and group is None:
            self.report.notes["component: its group is not in the document, so it stands alone"] += 1
        fields = ("name", "description", "position", "showcase", "start_date", "only_show_if_degraded", "created_at",
                  "updated_at")  # fmt: skip
        values = {name: getattr(record, name) for name in fields} | {"group_id": group.pk if group else None}
        if is_new := row._state.adding:
            self._apply(row, "component", values)
        if not is_new:
            self._apply(row, "component", values)
        self._components[record.code] = row

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
        if show_worst([row], max(record.updated_at, since)):
            self._count("component status", "changed")
            self._touched.add(record.code)
            row.updated_at = record.updated_at
            row.save(update_fields=["updated_at"])

    def _last_said(self, component: Component) -> dict[str, Status]:
        """By code of the document's open incidents: the last that each said of the component, if it was bad."""
        codes = [record.code for record in self.recording.incidents]
        under_way = Incident.objects.filter(code__in=codes).under_way()
        rows = Affected.objects.filter(component=component, update__incident__in=under_way)
        said = rows.order_by("update__created_at", "update_id").values_list("update__incident__code", "effect")
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
        fields = ("kind", "name", "status", "impact", "created_at", "updated_at", "started_at", "monitoring_at",
                  "resolved_at", "scheduled_for", "scheduled_until")  # fmt: skip
        values = {name: getattr(record, name) for name in fields}
        if record.feed_number is not None:
            values["feed_number"] = record.feed_number
        self._apply(row, record.kind, values)
        codes = [code for code in record.component_codes if code in self._components]
        row.components.add(*(self._components[code] for code in codes))
        self._store_updates(row, record.updates)

    def _is_richer(self, row: Incident, record: IncidentRecord) -> bool:
        """Whether we know it from somewhere better than a feed: then it has updates with codes of their own."""
        derived = [update.code for update in record.updates]
        return row.updates.exclude(code__in=derived).exists()

    def _store_updates(self, incident: Incident, records: Sequence[UpdateRecord]) -> None:
        rows = {row.code: row for row in incident.updates.all()}
        for record in records:
            row = rows.pop(record.code, None) or self._take_same(rows, record)
            row = row or Update(incident=incident, author=ACTOR)
            body_html = render_markdown(record.body)
            fields = ("code", "status", "body", "created_at", "updated_at", "display_at", "deliver_notifications")
            self._apply(row, "update", {name: getattr(record, name) for name in fields} | {"body_html": body_html})
            self._store_affected(row, record)

    def _take_same(self, rows: dict[str, Update], record: UpdateRecord) -> Update | None:
        """The update that a feed told of before: same words, same minute, another code."""
        for code, row in rows.items():
            if row.status == record.status and _minute(row.display_at) == _minute(record.display_at):
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
