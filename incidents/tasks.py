"""Maintenance starts and ends by itself at its time, told like any other update."""

import logging
from datetime import datetime

from celery import shared_task
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from incidents.models import Incident, Phase, Post, StaleUpdateError, Update
from incidents.phases import WORDS

log = logging.getLogger(__name__)
ACTOR = "schedule"


@shared_task
def advance_maintenance() -> None:
    advance_due(timezone.now())


def advance_due(now: datetime) -> list[Update]:
    """Post what is due: the beginnings first, then the ends. Running it twice, or at once, tells nothing twice.

    One that fails is logged, and does not keep the others from their time.
    """
    posted = []
    for phase in (Phase.IN_PROGRESS, Phase.COMPLETED):
        for incident, newest in _due(phase, now):
            try:
                posted.append(_advance(incident, phase, newest))
            except StaleUpdateError:
                log.info("staff posted meanwhile: incident=%s", incident.code)
            except Exception:  # whatever it was, the next maintenance must still start
                log.exception("maintenance was not moved on: incident=%s phase=%s", incident.code, phase)
    return posted


def _due(phase: Phase, now: datetime) -> list[tuple[Incident, str]]:
    """Each with the code of its newest update, read in the same moment as its phase."""
    newest = Update.objects.filter(incident=OuterRef("pk")).order_by("-pk")
    if phase == Phase.IN_PROGRESS:
        rows = Incident.objects.upcoming().filter(auto_start=True, scheduled_for__lte=now)
    else:
        rows = Incident.objects.active_maintenance().filter(auto_complete=True, scheduled_until__lte=now)
    marked = rows.order_by("pk").annotate(newest=Subquery(newest.values("code")[:1]))
    waiting = [row for row in marked if not Update.objects.filter(token=_token(row, phase)).exists()]
    return [(row, row.newest) for row in waiting]  # type: ignore[attr-defined]


def _token(incident: Incident, phase: Phase) -> str:
    """Once for each window: staff who take work back after it was moved on by itself mean it."""
    moment = incident.scheduled_for if phase == Phase.IN_PROGRESS else incident.scheduled_until
    return f"{incident.code}:{phase}:{moment:%Y%m%dT%H%M%S}"


def _advance(incident: Incident, phase: Phase, newest: str) -> Update:
    return incident.post(Post(str(WORDS[phase]), phase, actor=ACTOR, token=_token(incident, phase), seen=newest))
