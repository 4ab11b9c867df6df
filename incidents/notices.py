"""What an update tells the outside world: the notice that delivery sends. Delivery never sees an incident."""

from __future__ import annotations

from typing import TYPE_CHECKING

from components.status import Status
from delivery.models import Notice
from delivery.outbox import publish

if TYPE_CHECKING:
    from incidents.models import Update


def publish_notice(update: Update, *, is_first: bool) -> Notice:
    """Write the notice of an update, in the update's transaction; ring the bell on commit."""
    incident = update.incident
    affected = update.affected.exclude(component__hidden=True)
    if is_first:
        stage = Notice.Stage.FIRST
    else:
        stage = Notice.Stage.LAST if incident.is_closed else Notice.Stage.MIDDLE
    return publish(
        Notice(
            page=incident.page,
            code=update.code,
            thread=incident.code,
            stage=stage,
            title=incident.name,
            status_label=update.get_status_display(),
            severity=incident.impact,
            body=update.body,
            body_html=update.body_html,
            link=incident.page.absolute_url(incident.path),
            component_codes=[component.code for component in incident.components.public()],
            component_lines=[f"{each.name}: {Status(each.new_status).label}" for each in affected],
            created_at=update.created_at,
        )
    )
