"""Rows to measure with: pages with groups, components, incidents and updates, written in bulk."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from components.models import Component, Group, StatusSpan
from components.status import Status
from incidents.models import Incident, Update
from incidents.phases import Kind, Phase
from pages.models import Page

BODY = "We are looking into slow answers of this part. Messages are stored and will arrive late. "


@dataclass(frozen=True)
class Size:
    components: int
    groups: int
    incidents: int


def fill(urls: Sequence[str], size: Size) -> None:
    """One page of `size` for each address."""
    for number, url in enumerate(urls):
        page = Page.objects.create(name=f"Example {number + 1}", url=url, about="Messaging for other people's apps.")
        _fill_page(page, size, timezone.now())


def _fill_page(page: Page, size: Size, now: datetime) -> None:
    since = now - timedelta(days=100)
    groups = [Group(page=page, name=f"Region {number + 1}", position=number) for number in range(size.groups)]
    Group.objects.bulk_create(groups)
    components = [
        Component(
            page=page,
            group=groups[number % len(groups)] if groups else None,
            name=f"Service {number + 1}",
            description="What customers call it",
            position=number,
            status=Status.OPERATIONAL,
            start_date=since.date(),
            created_at=since,
        )
        for number in range(size.components)
    ]
    Component.objects.bulk_create(components)
    StatusSpan.objects.bulk_create(_spans(components, since, now))
    _add_incidents(page, components, size.incidents, now)


def _spans(components: Sequence[Component], since: datetime, now: datetime) -> list[StatusSpan]:
    """Each was degraded for an hour, at a time of its own."""
    spans = []
    for number, component in enumerate(components):
        began = now - timedelta(days=1 + number % 85, hours=3)
        edges = [since, began, began + timedelta(hours=1), None]
        states = [Status.OPERATIONAL, Status.DEGRADED_PERFORMANCE, Status.OPERATIONAL]
        for index, status in enumerate(states):
            start, end = edges[index], edges[index + 1]
            spans.append(StatusSpan(component=component, status=status, started_at=start, ended_at=end))
    return spans


def _add_incidents(page: Page, components: Sequence[Component], count: int, now: datetime) -> None:
    moments = [now - timedelta(hours=8 * number + 2) for number in range(count)]
    incidents = [
        Incident(
            page=page,
            kind=Kind.INCIDENT,
            name=f"Slow answers from service {number % max(len(components), 1) + 1}",
            status=Phase.RESOLVED,
            impact="minor",
            created_at=moment,
            started_at=moment,
            resolved_at=moment + timedelta(hours=1),
        )
        for number, moment in enumerate(moments)
    ]
    Incident.objects.bulk_create(incidents)
    phases = (Phase.INVESTIGATING, Phase.IDENTIFIED, Phase.RESOLVED)
    updates = []
    for incident in incidents:
        for step, phase in enumerate(phases):
            moment = incident.started_at + timedelta(minutes=25 * step)
            body_html = f"<p>{BODY * 2}</p>"
            updates.append(
                Update(
                    incident=incident,
                    status=phase,
                    body=BODY * 2,
                    body_html=body_html,
                    created_at=moment,
                    display_at=moment,
                )
            )
    Update.objects.bulk_create(updates, batch_size=500)
    if components:
        through = Incident.components.through
        rows = [
            through(incident_id=incident.pk, component_id=components[number % len(components)].pk)
            for number, incident in enumerate(incidents)
        ]
        through.objects.bulk_create(rows, batch_size=500)
