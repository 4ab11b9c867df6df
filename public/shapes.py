"""The shapes of a snapshot: what public documents are rendered from. Frozen, complete, and free of anything private.

Datetimes are aware UTC. Statuses and impacts are the slugs of the JSON API. `label` is a status in words, in the active
language; for an update that repeats the status before it, it is "Update". Hidden components, drafts, authors and addresses have no place here.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.utils.translation import gettext

from components.status import Status
from components.uptime import Uptime
from incidents.page_status import PageStatus
from incidents.phases import Phase
from pages.look import Look


@dataclass(frozen=True, slots=True)
class PublicPage:
    pk: int
    """Primary key of the row, for documents that need more than the snapshot."""
    code: str
    name: str
    url: str
    host: str
    time_zone: str
    about: str
    support_url: str
    maintenance_notice_hours: int
    generation: int
    created_at: datetime
    updated_at: datetime
    look: Look

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)


@dataclass(frozen=True, slots=True)
class PublicGroup:
    code: str
    name: str
    description: str
    position: int
    status: str
    """The worst status of its components."""
    created_at: datetime
    updated_at: datetime
    component_codes: list[str]
    """By position."""

    @property
    def path(self) -> str:
        return f"/groups/{self.code}"


@dataclass(frozen=True, slots=True)
class PublicComponent:
    code: str
    name: str
    label: str
    """The name, with its group where two share a name."""
    description: str
    status: str
    position: int
    showcase: bool
    start_date: date | None
    group_code: str | None
    only_show_if_degraded: bool
    created_at: datetime
    updated_at: datetime
    uptime: Uptime | None
    """None where it is not shown, and on an incident that is older than the snapshot."""
    is_set_by_hand: bool = False
    """Staff set this status, and no open incident says it."""
    status_since: datetime | None = None
    """When it last began to show this status; None on an incident that is older than the snapshot."""

    @property
    def path(self) -> str:
        return f"/components/{self.code}"

    @property
    def is_listed(self) -> bool:
        """Whether the front page shows it: some are shown there only while something is wrong with them."""
        return not self.only_show_if_degraded or self.status != Status.OPERATIONAL.slug


@dataclass(frozen=True, slots=True)
class PublicAffected:
    """A component as an update touched it: what it was called then, what it showed before and after, and what the
    incident itself says of it (another one may say worse)."""

    code: str
    name: str
    old_status: str
    new_status: str
    effect: str


@dataclass(frozen=True, slots=True)
class PublicUpdate:
    code: str
    status: str
    repeats: bool
    """The status before it."""
    body: str
    body_html: str
    created_at: datetime
    updated_at: datetime
    display_at: datetime
    deliver_notifications: bool
    tweet_id: str | None
    affected: list[PublicAffected]

    @property
    def label(self) -> str:
        return gettext("Update") if self.repeats else str(Phase(self.status).label)


@dataclass(frozen=True, slots=True)
class PublicIncident:
    code: str
    kind: str
    name: str
    status: str
    impact: str
    path: str
    url: str
    number: int
    """In Atom ids."""
    created_at: datetime
    updated_at: datetime
    started_at: datetime
    monitoring_at: datetime | None
    resolved_at: datetime | None
    scheduled_for: datetime | None
    scheduled_until: datetime | None
    is_closed: bool
    component_codes: list[str]
    components: list[PublicComponent]
    updates: list[PublicUpdate]
    """Newest first."""

    @property
    def label(self) -> str:
        return str(Phase(self.status).label)

    @property
    def window(self) -> tuple[datetime, datetime] | None:
        """When maintenance starts and ends; None for a real-time incident."""
        if self.scheduled_for is None or self.scheduled_until is None:
            return None
        return self.scheduled_for, self.scheduled_until

    def touches(self, day: date, zone: ZoneInfo) -> bool:
        """Whether it went on for any part of a day."""
        ended = self.resolved_at if self.is_closed else None
        return self.begins_at.astimezone(zone).date() <= day and (ended is None or ended.astimezone(zone).date() >= day)

    @property
    def begins_at(self) -> datetime:
        """Maintenance begins at its scheduled start."""
        return self.scheduled_for or self.started_at


@dataclass(frozen=True, slots=True)
class Day:
    """A day in the page's time zone, and what went on in it."""

    date: date
    incidents: list[PublicIncident]
    """Those that began on it, newest first where nothing else orders them."""
    ongoing: list[PublicIncident]
    """Those that began before it and touched it. Both: what is open first, the worst of it at the top."""

    @property
    def all_incidents(self) -> list[PublicIncident]:
        return self.incidents + self.ongoing


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole front state of one page at one generation."""

    page: PublicPage
    status: PageStatus
    built_at: datetime
    changes_at: datetime
    """When the snapshot must be built again although nobody changed anything."""
    groups: list[PublicGroup]
    components: list[PublicComponent]
    incidents: list[PublicIncident]
    maintenances: list[PublicIncident]
    days: list[Day]
    """The front page's recent days, newest first, quiet days included."""
