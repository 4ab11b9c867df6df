"""Posting: one update with all that belongs to it, or nothing. `Incident.open` and `Incident.post` come here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from components.effects import replace_effects, worst_statuses
from components.models import Component, StatusSpan
from components.status import Status
from core.languages import own_language
from core.markdown import render_markdown
from core.text import clean_text
from incidents.effects import effects_after
from incidents.notices import publish_notice
from incidents.phases import CLOSED, Phase, check_phase
from incidents.post import Post
from incidents.updates import Affected, StaleUpdateError, Update
from pages.models import record_audit

if TYPE_CHECKING:
    from incidents.models import Incident


@dataclass(frozen=True)
class Plan:
    """What a post means for components. `effects`: what the incident says of each; `shown`: what each shows then."""

    effects: Mapping[Component, Status]
    shown: Mapping[Component, Status]

    @property
    def moving(self) -> dict[Component, Status]:
        return {component: status for component, status in self.shown.items() if status != component.status}


def open_incident(incident: Incident, post: Post) -> Update:
    """Store a new incident (unsaved yet, without a status) with its first update."""
    phase = check_phase(incident.kind, post.status, None)
    with transaction.atomic():
        incident.page.lock()  # from here on the posts of a page come one by one
        if posted := _posted_with(post.token):
            return posted
        incident.status = phase
        incident.full_clean(exclude=["name"])  # an empty one is refused by clean(), in better words
        incident.save()
        return _tell(incident, post, phase, newest=None)


def post_update(incident: Incident, post: Post) -> Update:
    """Store the next update of an incident."""
    with transaction.atomic():
        incident.page.lock()
        if posted := _posted_with(post.token):
            return posted
        _read_again(incident)
        newest = incident.updates.order_by("-pk").first()
        if post.seen is not None and (newest is None or newest.code != post.seen):
            _refuse_stale(incident, post.seen)
        phase = check_phase(incident.kind, post.status or incident.status, incident.status)
        incident.move_window(post.window)
        return _tell(incident, post, phase, newest=newest)


def _read_again(incident: Incident) -> None:
    try:
        incident.refresh_from_db()
    except ObjectDoesNotExist:
        raise ValidationError(_("This incident was deleted meanwhile. Post your text as a new incident.")) from None


def _posted_with(token: str | None) -> Update | None:
    return Update.objects.filter(token=token).first() if token else None


def _refuse_stale(incident: Incident, seen: str) -> None:
    newer: list[Update] = []
    for update in incident.updates.order_by("-pk"):
        if update.code == seen:
            break
        newer.insert(0, update)
    if newer:
        raise StaleUpdateError(newer)


def _tell(incident: Incident, post: Post, phase: Phase, *, newest: Update | None) -> Update:
    body = _check(incident, post)
    plan = _plan(incident, post, phase, is_first=newest is None)
    told = [] if newest is None else incident.updates.values_list("created_at", flat=True)
    now = _moment(post.at, told, plan.moving)
    incident.page.raise_generation()
    html = render_markdown(body)
    update = Update.objects.create(
        incident=incident,
        status=phase,
        body=body,
        body_html=html,
        author=post.actor,
        token=post.token,
        deliver_notifications=post.notify,
        created_at=now,
        updated_at=now,
        display_at=now,
    )
    affected = _move_components(update, plan, now)
    incident.move_to(phase, now)
    _audit(update, affected, is_first=newest is None)
    if post.notify:
        with translation.override(own_language()):  # staff may read another one; what is told is in the page's
            publish_notice(update, affected, is_first=newest is None)
    return update


def _check(incident: Incident, post: Post) -> str:
    """The body, cleaned."""
    body = clean_text(post.body)
    if not body:
        raise ValidationError({"body": _("Write what visitors should know.")})
    if any(component.page_id != incident.page_id for component in post.components):
        raise ValidationError({"components": _("Choose components of the same page.")})
    return body


def _plan(incident: Incident, post: Post, phase: Phase, *, is_first: bool) -> Plan:
    """Every component of the incident, and whatever the post names; a postmortem is about what is over."""
    named = post.components
    incident.components.add(*named)
    components = list(named)
    if not is_first and phase != Phase.POSTMORTEM:
        components += incident.components.select_related("group").exclude(pk__in=[each.pk for each in named])
    _refresh_statuses(components)
    effects = effects_after(phase, incident.code, components, named)
    if phase in CLOSED:
        _set_base_statuses(named)
    if not is_first or effects:
        replace_effects(incident.code, effects)
    return Plan(effects, worst_statuses(components))


def _refresh_statuses(components: list[Component]) -> None:
    """The caller's objects may be old; under the lock of the page they stay true."""
    rows = Component.objects.filter(pk__in=[each.pk for each in components]).compared_by_name()
    now = {row.pk: row for row in rows.only("status", "base_status", "hidden")}
    for each in components:
        if each.pk not in now:
            gone = _("“%(name)s” was deleted meanwhile: choose the components again.") % {"name": each.name}
            raise ValidationError({"components": gone})
        row = now[each.pk]
        each.status, each.base_status, each.hidden = row.status, row.base_status, row.hidden
        each.has_namesake = row.has_namesake  # type: ignore[attr-defined]


def _set_base_statuses(named: Mapping[Component, Status]) -> None:
    for component, status in named.items():
        if status != component.base_status:
            component.base_status = status
            component.save(update_fields=["base_status"])


def _moment(at: datetime | None, told: Iterable[datetime], moving: Mapping[Component, Status]) -> datetime:
    """When the update happens: `at`, or now. Never before what is told already, else spans would end
    before they start; two servers' clocks may differ by some milliseconds."""
    spans = StatusSpan.objects.filter(component__in=list(moving), ended_at=None)
    told = [*told, *spans.values_list("started_at", flat=True)]
    now = timezone.now()
    if at is None:
        return max([now, *told])
    if at > now:
        raise ValidationError({"at": _("An update cannot be dated in the future.")})
    if told and at < max(told):
        newest = f"{max(told):%Y-%m-%d %H:%M:%S %Z}"
        refusal = _("Something newer was told at %(time)s; date the update after that.") % {"time": newest}
        raise ValidationError({"at": refusal})
    return at


def _move_components(update: Update, plan: Plan, now: datetime) -> list[Affected]:
    """The rows that say what the update did to each component, stored."""
    affected = []
    for component, status in plan.shown.items():
        old = component.move_to(status, now)
        affected.append(
            Affected(
                update=update,
                component=component,
                code=component.code,
                name=component.full_name,
                effect=plan.effects.get(component, Status.OPERATIONAL),
                old_status=old,
                new_status=status,
            )
        )
    return Affected.objects.bulk_create(affected)


def _audit(update: Update, affected: list[Affected], *, is_first: bool) -> None:
    record_audit(
        update.incident.page,
        update.author,
        "incident.open" if is_first else "incident.update",
        update.incident.name,
        incident=update.incident.code,
        update=update.code,
        status=str(update.status),
        components={each.name: [Status(each.old_status).slug, Status(each.new_status).slug] for each in affected},
        notify=update.deliver_notifications,
    )
