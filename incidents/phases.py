"""What kinds of incident there are, and how far one is."""

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _


class Kind(models.TextChoices):
    INCIDENT = "incident", _("Incident")
    MAINTENANCE = "maintenance", _("Maintenance")


class Phase(models.TextChoices):
    """How far an incident is: the first five for incidents, the last four for maintenance."""

    INVESTIGATING = "investigating", _("Investigating")
    IDENTIFIED = "identified", _("Identified")
    MONITORING = "monitoring", _("Monitoring")
    RESOLVED = "resolved", _("Resolved")
    POSTMORTEM = "postmortem", _("Postmortem")
    SCHEDULED = "scheduled", _("Scheduled")
    IN_PROGRESS = "in_progress", _("In progress")
    VERIFYING = "verifying", _("Verifying")
    COMPLETED = "completed", _("Completed")


PHASES: dict[str, list[Phase]] = {Kind.INCIDENT: list(Phase)[:5], Kind.MAINTENANCE: list(Phase)[5:]}
CLOSED = frozenset({Phase.RESOLVED, Phase.POSTMORTEM, Phase.COMPLETED})
# The first time one of these is reached is kept in `monitoring_at`.
WATCHED = frozenset({Phase.MONITORING, Phase.IN_PROGRESS})


# Said when nobody wrote anything: maintenance that moves on by itself, and closing from a terminal.
WORDS = {
    Phase.IN_PROGRESS: _("The maintenance has begun."),
    Phase.COMPLETED: _("The maintenance is complete."),
    Phase.RESOLVED: _("This incident has been resolved."),
}


def phases_after(kind: str, current: str | None) -> list[Phase]:
    """What may be posted next: everything but a postmortem, which needs a resolved incident before it."""
    if kind == Kind.INCIDENT and current not in CLOSED:
        return PHASES[kind][:-1]
    return PHASES[kind]


def likely_next(kind: str, current: str | None) -> Phase:
    """The phase a form offers first: the one after `current`; the kind's first for a new incident."""
    phases = PHASES[kind]
    if current is None:
        return phases[0]
    return phases[min(phases.index(Phase(current)) + 1, len(phases) - 1)]


def check_phase(kind: str, status: str, current: str | None) -> Phase:
    """The phase that `status` names, the kind's first one for "". Raises ValidationError for one that
    cannot be posted after `current`, naming those that can."""
    if kind not in PHASES:
        raise ValidationError(
            {"kind": _("“%(kind)s” is not a kind; use one of %(names)s.") % {"kind": kind, "names": ", ".join(PHASES)}}
        )
    possible = phases_after(kind, current)
    if status == Phase.POSTMORTEM and status in PHASES[kind] and status not in possible:
        raise ValidationError({"status": _("A postmortem can be posted once the incident is resolved.")})
    status = status or possible[0]
    if status not in possible:
        words = ", ".join(possible)
        raise ValidationError(
            {
                "status": _("“%(status)s” is not a status of this kind; use one of %(names)s.")
                % {"status": status, "names": words}
            }
        )
    return Phase(status)
