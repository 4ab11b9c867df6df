"""What an update tells the outside world: the notice that delivery sends. Delivery never sees an incident."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.dates import when_line
from core.markdown import absolute_links, render_markdown
from delivery.ledger.outbox import publish
from delivery.models import Notice
from incidents.record import is_public, record_affected, record_incident

if TYPE_CHECKING:
    from incidents.updates import Affected, Update


def publish_notice(update: Update, affected: Sequence[Affected], *, is_first: bool) -> Notice:
    """Write the notice of an update, in the update's transaction; wake a worker on commit.

    Hidden components are left out of it: neither their names nor their codes leave the house.
    """
    incident, page = update.incident, update.incident.page
    record = record_incident(incident)
    body = _body(update)
    return publish(
        Notice(
            page=page,
            code=update.code,
            thread=incident.code,
            stage=_stage(update, is_first=is_first),
            title=incident.name,
            status=update.status,
            status_label=update.get_status_display(),
            severity=incident.impact,
            body=body,
            body_html=absolute_links(update.body_html if body == update.body else render_markdown(body), page.url),
            link=page.absolute_url(incident.path),
            component_codes=[each["code"] for each in record["components"]],
            components=[
                record_affected(each, is_announced=update.is_announcement) for each in affected if is_public(each)
            ],
            incident=record,
            created_at=update.created_at,
        )
    )


def _stage(update: Update, *, is_first: bool) -> Notice.Stage:
    if is_first:
        return Notice.Stage.FIRST
    return Notice.Stage.LAST if update.incident.is_closed else Notice.Stage.MIDDLE


def _body(update: Update) -> str:
    """The update's own words; maintenance says first when it will be, for a mail has no page around it."""
    window = update.incident.window
    if window is None or not update.is_announcement:
        return update.body
    return f"{when_line(*window, update.incident.page.zone)}\n\n{update.body}"
