"""A small page with something of everything, at fixed times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import time_machine

from components.models import Component, Group
from components.status import Status
from incidents.models import Incident, Post, Update
from pages.models import Page

if TYPE_CHECKING:
    from public.shapes import Snapshot

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
HOST = "status.acme.localhost"


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


@dataclass
class Example:
    page: Page
    chat: Group
    api: Component
    site: Component
    secret: Component
    outage: Incident
    resolved: Incident
    planned: Incident

    def snapshot(self, now: datetime = NOW) -> Snapshot:
        from public.snapshot import build

        self.page.refresh_from_db()
        return build(self.page, now)


def make_example(time_zone: str = "America/Denver") -> Example:
    """An open outage since 10:00, one resolved on the day before, work planned for the 12th; all UTC."""
    page = Page.objects.create(name="Acme", url=f"http://{HOST}", time_zone=time_zone, created_at=at(1, 0))
    chat = Group.objects.create(page=page, name="Chat", position=1, created_at=at(1, 0), updated_at=at(1, 0))
    born = {"page": page, "created_at": at(1, 0), "updated_at": at(1, 0)}
    api = Component.objects.create(name="Chat API", group=chat, position=1, **born)
    site = Component.objects.create(name="Website", position=2, description="acme.example", **born)
    secret = Component.objects.create(name="Secret project", position=3, hidden=True, **born)
    resolved = _post(page, "Slow website", at(9, 8), {site: Status.DEGRADED_PERFORMANCE})
    resolved.incident.post(Post("All is well again.", "resolved", components={site: Status.OPERATIONAL}, at=at(9, 9)))
    planned = Incident.open(page, "Database work", Post("Dashboards will be **read-only**.", status="scheduled", components={site: Status.UNDER_MAINTENANCE}, at=at(9, 10), window=(at(12, 6), at(12, 7))), kind="maintenance")  # fmt: skip
    outage = _post(page, "Messages delayed", at(10, 10), {api: Status.PARTIAL_OUTAGE, secret: Status.MAJOR_OUTAGE})
    outage.incident.post(
        Post("Still looking.\n\nMore [here](https://acme.example/x).", "investigating", at=at(10, 10, 30))
    )
    Page.objects.update(updated_at=at(10, 10, 30))
    for each in (outage, resolved, planned):
        each.incident.refresh_from_db()
    return Example(page, chat, api, site, secret, outage.incident, resolved.incident, planned.incident)


def _post(page: Page, name: str, moment: datetime, components: dict[Component, Status]) -> Update:
    return Incident.open(page, name, Post("We are looking into it.", components=components, at=moment))


def frozen() -> Any:
    """For requests: the page as it is at NOW."""
    return time_machine.travel(NOW, tick=True)
