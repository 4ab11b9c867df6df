"""The public state of a page as plain data. Everything public is rendered from this and touches no model.

Shapes (datetimes are aware UTC, statuses and impacts are the slugs of the JSON API):

Snapshot     page, status {indicator, description}, built_at, changes_at (when it must be built again although
             nobody changed anything), groups, components, incidents, maintenances,
             days (the front page's "recent days": [{date, incidents}], newest first, quiet days included)
page         pk (to load the row by, see load_page), code, name, url, host, time_zone, about, support_url, maintenance_notice_hours, generation,
             created_at, updated_at
group        code, name, description, position, status (its worst child's), created_at, updated_at,
             component_codes (by position)
component    code, name, full_name, description, status, position, showcase, start_date, group_code or None,
             only_show_if_degraded, created_at, updated_at, uptime (components/uptime.py) or None
incident     code, kind, name, status, label, impact, path, url, number, created_at, updated_at, started_at,
             monitoring_at, resolved_at, scheduled_for, scheduled_until, is_closed, component_codes,
             components (the component dicts, public ones), updates (newest first)
update       code, status, label, body, body_html, created_at, updated_at, display_at, deliver_notifications,
             tweet_id or None, affected [{code, name, old_status, new_status}] or None

`label` is the status in words; for an update that repeats the status before it, it is "Update".
Hidden components, drafts, authors and addresses never enter a snapshot.
"""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from itertools import zip_longest
from typing import Any

from django.db.models import Prefetch, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from components.models import Component
from components.status import Status, roll_up
from components.uptime import build_uptime
from delivery.models import Delivery
from delivery.registry import kinds_shown_as
from incidents.models import CLOSED, Affected, Incident, Kind, Phase, Update
from pages.models import Page

RECENT = 50  # incidents, and maintenances, as many as the v2 API lists
UPTIME_DAYS = 90
RECENT_DAYS = 7
BEGAN = Coalesce("scheduled_for", "started_at")  # planned work begins at its planned start
TROUBLE_REFRESH = timedelta(minutes=1)

Data = dict[str, Any]


def build(page: Page, now: datetime | None = None) -> Data:
    """The whole front state: open and recent incidents, components with uptime. At most 12 queries."""
    now = now or timezone.now()
    components = build_components(page, now)
    by_code = {component["code"]: component for component in components}
    told = build_incidents(_recent(page), by_code)
    incidents = [each for each in told if each["kind"] == Kind.INCIDENT]
    maintenances = [each for each in told if each["kind"] == Kind.MAINTENANCE]
    status = roll_up(Status.from_slug(component["status"]) for component in components)
    return {
        "page": describe_page(page),
        "status": {"indicator": status.indicator.value, "description": status.description},
        "built_at": now,
        "changes_at": find_next_change(page, components, maintenances, now),
        "groups": build_groups(page, components),
        "components": components,
        "incidents": incidents,
        "maintenances": maintenances,
        "days": recent_days(told, page, now),
    }


def find_next_change(page: Page, components: list[Data], maintenances: list[Data], now: datetime) -> datetime:
    """When time alone makes a snapshot untrue: a new day, planned work that is announced, starts or ends.

    While something is down, its minutes of today grow, so then a minute at the latest.
    """
    notice = timedelta(hours=page.maintenance_notice_hours)
    moments = [_next_midnight(now), _next_midnight(now.astimezone(page.zone)).astimezone(UTC)]
    for work in maintenances:
        moments += [work["scheduled_for"] - notice, work["scheduled_for"], work["scheduled_until"]]
    if any(component["status"] != Status.OPERATIONAL.slug for component in components):
        moments.append(now + TROUBLE_REFRESH)
    return min(moment for moment in moments if moment > now)


def _next_midnight(now: datetime) -> datetime:
    return datetime.combine(now.date() + timedelta(days=1), time(), tzinfo=now.tzinfo)


def load_page(snapshot: Data) -> Page:
    """The row, for what reaches beyond the snapshot. Raises Page.DoesNotExist once it is deleted."""
    return Page.objects.get(pk=snapshot["page"]["pk"])


def describe_page(page: Page) -> Data:
    fields = (
        "pk",
        "code",
        "name",
        "url",
        "host",
        "time_zone",
        "about",
        "support_url",
        "maintenance_notice_hours",
        "generation",
        "created_at",
        "updated_at",
    )
    return {field: getattr(page, field) for field in fields}


def build_components(page: Page, now: datetime) -> list[Data]:
    rows = list(page.components.public().select_related("group").order_by("position", "pk"))
    uptimes = build_uptime([row for row in rows if row.showcase], days=UPTIME_DAYS, now=now)
    return [describe_component(row) | {"uptime": uptimes.get(row.pk)} for row in rows]


def describe_component(row: Component) -> Data:
    fields = (
        "code",
        "name",
        "full_name",
        "description",
        "position",
        "showcase",
        "start_date",
        "only_show_if_degraded",
        "created_at",
        "updated_at",
    )
    described = {field: getattr(row, field) for field in fields}
    return described | {"status": Status(row.status).slug, "group_code": row.group.code if row.group else None}


def build_groups(page: Page, components: list[Data]) -> list[Data]:
    """Groups that have something to show; each as bad as its worst child."""
    groups = []
    for row in page.groups.all():
        children = [component for component in components if component["group_code"] == row.code]
        if not children:
            continue
        worst = max(Status.from_slug(child["status"]) for child in children)
        fields = ("code", "name", "description", "position", "created_at", "updated_at")
        groups.append(
            {field: getattr(row, field) for field in fields}
            | {"status": worst.slug, "component_codes": [child["code"] for child in children]}
        )
    return groups


def _recent(page: Page) -> QuerySet[Incident]:
    """The newest of each kind, and every one that is still open however old it is; newest first."""
    rows = page.incidents.order_by("-created_at", "-pk")
    newest = [Q(pk__in=rows.filter(kind=kind).values("pk")[:RECENT]) for kind in Kind]
    return rows.filter(newest[0] | newest[1] | ~Q(status__in=CLOSED))


def build_incidents(rows: QuerySet[Incident], components: dict[str, Data]) -> list[Data]:
    """Incidents in the order of `rows`, each with all its updates. `components`: by code, public ones."""
    affected = Affected.objects.exclude(component__hidden=True)
    updates = Update.objects.order_by("-display_at", "-pk").prefetch_related(Prefetch("affected", affected))
    found = list(
        rows.select_related("page").prefetch_related(
            Prefetch("updates", updates), Prefetch("components", Component.objects.public().order_by("position", "pk"))
        )
    )
    tweets = _tweet_ids(row.code for incident in found for row in incident.updates.all())
    return [_describe_incident(row, components, tweets) for row in found]


def _tweet_ids(update_codes: Iterable[str]) -> dict[str, str]:
    sent = Delivery.objects.filter(channel__in=kinds_shown_as("tweet_id"), notice__code__in=list(update_codes))
    return dict(sent.exclude(remote={}).values_list("notice__code", "remote__id"))


def _describe_incident(row: Incident, components: dict[str, Data], tweets: dict[str, str]) -> Data:
    fields = (
        "code",
        "kind",
        "name",
        "status",
        "impact",
        "path",
        "created_at",
        "updated_at",
        "started_at",
        "monitoring_at",
        "resolved_at",
        "scheduled_for",
        "scheduled_until",
        "is_closed",
    )
    codes = [component.code for component in row.components.all()]
    return {field: getattr(row, field) for field in fields} | {
        "label": row.get_status_display(),
        "number": row.feed_number or row.pk,
        "url": row.page.absolute_url(row.path),
        "component_codes": codes,
        "components": [components[code] for code in codes if code in components],
        "updates": _describe_updates(list(row.updates.all()), tweets),
    }


def _describe_updates(rows: list[Update], tweets: dict[str, str]) -> list[Data]:
    """Newest first. An update that repeats the status before it is labelled "Update"."""
    former = [row.status for row in rows[1:]]
    return [_describe_update(row, tweets, repeats=row.status == before) for row, before in zip_longest(rows, former)]


def _describe_update(row: Update, tweets: dict[str, str], *, repeats: bool) -> Data:
    fields = ("code", "status", "body", "body_html", "created_at", "updated_at", "display_at", "deliver_notifications")
    affected = [
        {
            "code": each.code,
            "name": each.name,
            "old_status": Status(each.old_status).slug,
            "new_status": Status(each.new_status).slug,
        }
        for each in row.affected.all()
    ]
    return {field: getattr(row, field) for field in fields} | {
        "label": "Update" if repeats else row.get_status_display(),
        "tweet_id": tweets.get(row.code),
        "affected": affected or None,
    }


def recent_days(incidents: list[Data], page: Page, now: datetime) -> list[Data]:
    """The last days in the page's time zone, newest first, each with what began on it."""
    today = now.astimezone(page.zone).date()
    days: dict[date, list[Data]] = {today - timedelta(days=back): [] for back in range(RECENT_DAYS)}
    for incident in incidents:
        began = (incident["scheduled_for"] or incident["started_at"]).astimezone(page.zone).date()
        if began in days and incident["status"] != Phase.SCHEDULED:
            days[began].append(incident)
    return [{"date": day, "incidents": found} for day, found in days.items()]


def build_month(page: Page, year: int, month: int) -> list[Data]:
    """What began in one month of the page's time zone, newest first. Raises ValueError for no such month."""
    first = datetime(year, month, 1, tzinfo=page.zone)
    after = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=page.zone)
    rows = _begun(page).annotate(began=BEGAN).filter(began__gte=first.astimezone(UTC), began__lt=after.astimezone(UTC))
    return build_incidents(rows.order_by("-began", "-pk"), _component_map(page))


def find_first_month(page: Page) -> date | None:
    """The first of the month in which the oldest incident began; None when there was none."""
    oldest = _begun(page).annotate(began=BEGAN).order_by("began").values_list("began", flat=True).first()
    return oldest.astimezone(page.zone).date().replace(day=1) if oldest else None


def _begun(page: Page) -> QuerySet[Incident]:
    """Planned work is no history before it has started."""
    return page.incidents.exclude(status=Phase.SCHEDULED)


def build_incident(page: Page, code: str) -> Data | None:
    """One incident however old; None when the page has no such incident."""
    found = build_incidents(page.incidents.filter(code=code), _component_map(page))
    return found[0] if found else None


def _component_map(page: Page) -> dict[str, Data]:
    rows = page.components.public().select_related("group")
    return {row.code: describe_component(row) for row in rows}
