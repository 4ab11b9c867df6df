"""Builds the public state of a page (public/shapes.py). Everything public is rendered from it and touches no model."""

from collections.abc import Iterable
from dataclasses import fields
from datetime import UTC, date, datetime, time, timedelta
from itertools import zip_longest
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone

from components.models import Component, Group, StatusSpan
from components.status import Impact, Status
from components.uptime import Uptime, build_uptime
from delivery.models import Delivery
from delivery.registry import kinds_shown_as
from incidents.models import CLOSED, Affected, Incident, Kind, Phase, Update
from incidents.page_status import summarise
from pages.models import Page, Picture
from public.shapes import (
    Day,
    PublicAffected,
    PublicComponent,
    PublicGroup,
    PublicIncident,
    PublicPage,
    PublicUpdate,
    Snapshot,
)

RECENT = 50  # incidents, and maintenances, as many as the v2 API lists
UPTIME_DAYS = 90
RECENT_DAYS = 7
BEGAN = Coalesce("scheduled_for", "started_at")  # maintenance begins at its planned start
MOST_WORDS = 5
FIRST_SLICE = 500
TROUBLE_REFRESH = timedelta(minutes=1)


def build(page: Page, now: datetime | None = None) -> Snapshot:
    """The whole front state: open and recent incidents, components with uptime. At most 12 queries."""
    now = now or timezone.now()
    components = build_components(page, now)
    told = build_incidents(_recent(page), {component.code: component for component in components})
    incidents = [each for each in told if each.kind == Kind.INCIDENT]
    maintenances = [each for each in told if each.kind == Kind.MAINTENANCE]
    return Snapshot(
        page=describe_page(page),
        status=summarise(
            (Status.from_slug(component.status) for component in components),
            [each for each in incidents if not each.is_closed],
        ),
        built_at=now,
        changes_at=find_next_change(page, components, maintenances, now),
        groups=build_groups(page, components),
        components=components,
        incidents=incidents,
        maintenances=maintenances,
        days=recent_days(told, components, page, now),
    )


def find_next_change(
    page: Page, components: list[PublicComponent], maintenances: list[PublicIncident], now: datetime
) -> datetime:
    """When time alone makes a snapshot untrue: a new day, maintenance that is announced, starts or ends.

    While something is down, its minutes of today grow, so then a minute at the latest.
    """
    notice = timedelta(hours=page.maintenance_notice_hours)
    moments = [_next_midnight(now.astimezone(page.zone)).astimezone(UTC)]
    for start, end in filter(None, (work.window for work in maintenances)):
        moments += [start - notice, start, end]
    if any(component.status != Status.OPERATIONAL.slug for component in components):
        moments.append(now + TROUBLE_REFRESH)
    return min(moment for moment in moments if moment > now)


def _next_midnight(now: datetime) -> datetime:
    return datetime.combine(now.date() + timedelta(days=1), time(), tzinfo=now.tzinfo)


def load_page(snapshot: Snapshot) -> Page:
    """The row of the page, for documents that need more than the snapshot. Raises Page.DoesNotExist once it is deleted."""
    return Page.objects.get(pk=snapshot.page.pk)


def load_picture(snapshot: Snapshot, digest: str) -> bytes | None:
    """A picture of the page, shown now or before; None for an unknown one."""
    found = Picture.objects.filter(page_id=snapshot.page.pk, digest=digest).values_list("content", flat=True).first()
    return None if found is None else bytes(found)


def describe_page(page: Page) -> PublicPage:
    return PublicPage(**{field.name: getattr(page, field.name) for field in fields(PublicPage)})


def build_components(page: Page, now: datetime) -> list[PublicComponent]:
    rows = list(page.components.public().labelled().with_causes().with_since().order_by("position", "pk"))
    uptimes = build_uptime([row for row in rows if row.showcase], days=UPTIME_DAYS, now=now, zone=page.zone)
    return [describe_component(row, uptimes.get(row.pk)) for row in rows]


def describe_component(row: Component, uptime: Uptime | None = None) -> PublicComponent:
    return PublicComponent(
        code=row.code,
        name=row.name,
        label=row.label,
        description=row.description,
        status=Status(row.status).slug,
        position=row.position,
        showcase=row.showcase,
        start_date=row.start_date,
        group_code=row.group.code if row.group else None,
        only_show_if_degraded=row.only_show_if_degraded,
        created_at=row.created_at,
        updated_at=row.updated_at,
        uptime=uptime,
        is_set_by_hand=row.is_set_by_hand,
        status_since=getattr(row, "status_since", None),  # annotated by with_since()
    )


def build_groups(page: Page, components: list[PublicComponent]) -> list[PublicGroup]:
    """Groups with visible components; each has the worst status of its components."""
    groups = []
    for row in page.groups.all():
        children = [component for component in components if component.group_code == row.code]
        if children:
            groups.append(_describe_group(row, children))
    return groups


def _describe_group(row: Group, children: list[PublicComponent]) -> PublicGroup:
    return PublicGroup(
        code=row.code,
        name=row.name,
        description=row.description,
        position=row.position,
        status=max(Status.from_slug(child.status) for child in children).slug,
        created_at=row.created_at,
        updated_at=row.updated_at,
        component_codes=[child.code for child in children],
    )


def _recent(page: Page) -> QuerySet[Incident]:
    """The newest of each kind, and every one that is still open however old it is; newest first."""
    rows = page.incidents.order_by("-created_at", "-pk")
    newest = [Q(pk__in=rows.filter(kind=kind).values("pk")[:RECENT]) for kind in Kind]
    return rows.filter(newest[0] | newest[1] | ~Q(status__in=CLOSED))


def build_incidents(rows: QuerySet[Incident], components: dict[str, PublicComponent]) -> list[PublicIncident]:
    """Incidents in the order of `rows`, each with all its updates. `components`: by code, public ones."""
    affected = Affected.objects.exclude(component__hidden=True)
    updates = Update.objects.prefetch_related(Prefetch("affected", affected))
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


def _describe_incident(row: Incident, components: dict[str, PublicComponent], tweets: dict[str, str]) -> PublicIncident:
    codes = [component.code for component in row.components.all()]
    return PublicIncident(
        code=row.code,
        kind=row.kind,
        name=row.name,
        status=row.status,
        impact=row.impact,
        path=row.path,
        url=row.page.absolute_url(row.path),
        number=row.feed_number or row.pk,
        created_at=row.created_at,
        updated_at=row.updated_at,
        started_at=row.started_at,
        monitoring_at=row.monitoring_at,
        resolved_at=row.resolved_at,
        scheduled_for=row.scheduled_for,
        scheduled_until=row.scheduled_until,
        is_closed=row.is_closed,
        component_codes=codes,
        components=[components[code] for code in codes if code in components],
        updates=_describe_updates(list(row.updates.all()), tweets),
    )


def _describe_updates(rows: list[Update], tweets: dict[str, str]) -> list[PublicUpdate]:
    """Newest first. An update that repeats the status before it is labelled "Update"."""
    former = [row.status for row in rows[1:]]
    return [_describe_update(row, tweets, repeats=row.status == before) for row, before in zip_longest(rows, former)]


def _describe_update(row: Update, tweets: dict[str, str], *, repeats: bool) -> PublicUpdate:
    return PublicUpdate(
        code=row.code,
        status=row.status,
        repeats=repeats,
        body=row.body,
        body_html=row.body_html,
        created_at=row.created_at,
        updated_at=row.updated_at,
        display_at=row.display_at,
        deliver_notifications=row.deliver_notifications,
        tweet_id=tweets.get(row.code),
        affected=[
            PublicAffected(
                code=each.code,
                name=each.name,
                old_status=Status(each.old_status).slug,
                new_status=Status(each.new_status).slug,
                effect=Status(each.effect).slug,
            )
            for each in row.affected.all()
        ],
    )


def recent_days(
    incidents: list[PublicIncident], components: list[PublicComponent], page: Page, now: datetime
) -> list[Day]:
    """The last days in the page's time zone, newest first, quiet ones too; none of which nothing is known."""
    today = now.astimezone(page.zone).date()
    told = [each for each in incidents if each.status != Phase.SCHEDULED]
    begins = [page.created_at, *(each.created_at for each in components), *(each.begins_at for each in told)]
    known_since = min(min(begins).astimezone(page.zone).date(), today)
    days = [today - timedelta(days=back) for back in range(RECENT_DAYS)]
    return [build_day(day, told, page.zone) for day in days if day >= known_since]


def build_day(when: date, incidents: list[PublicIncident], zone: ZoneInfo) -> Day:
    """What went on in a day, of `incidents` that have begun."""
    there = sorted((each for each in incidents if each.touches(when, zone)), key=_open_and_worst_first)
    begun = [each for each in there if each.begins_at.astimezone(zone).date() == when]
    return Day(when, begun, [each for each in there if each not in begun])


def _open_and_worst_first(incident: PublicIncident) -> int:
    """What is closed stays in the order it has."""
    return 1 if incident.is_closed else -Impact(incident.impact).rank


def build_month(page: Page, year: int, month: int) -> list[PublicIncident]:
    """The incidents of one month in the page's time zone, the latest begun first. Raises ValueError for no such month."""
    first = datetime(year, month, 1, tzinfo=page.zone).astimezone(UTC)
    after = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=page.zone).astimezone(UTC)
    return _build_between(page, first, after)


def build_days(page: Page, now: datetime) -> list[Day]:
    """The days of which uptime is shown on which something went on, newest first."""
    today = now.astimezone(page.zone).date()
    dates = [today - timedelta(days=back) for back in range(UPTIME_DAYS)]
    start = datetime.combine(dates[-1], time(), tzinfo=page.zone).astimezone(UTC)
    incidents = _build_between(page, start, now + timedelta(microseconds=1))
    return [day for day in (build_day(each, incidents, page.zone) for each in dates) if day.all_incidents]


def _build_between(page: Page, first: datetime, after: datetime) -> list[PublicIncident]:
    """What went on in any part of the time from `first` to `after`, the latest begun first."""
    rows = _begun(page).annotate(began=BEGAN).filter(began__lt=after)
    rows = rows.filter(Q(began__gte=first) | ~Q(status__in=CLOSED) | Q(resolved_at__gte=first))
    return build_incidents(rows.order_by("-began", "-pk"), _component_map(page))


def list_days(incidents: list[PublicIncident], first: date, zone: ZoneInfo) -> list[Day]:
    """The days of the month that begins on `first` on which something began or ended, newest first, and the first one
    when something from before went on."""
    days = {max(first, each.begins_at.astimezone(zone).date()) for each in incidents}
    ends = {each.resolved_at.astimezone(zone).date() for each in incidents if each.is_closed and each.resolved_at}
    days |= {day for day in ends if (day.year, day.month) == (first.year, first.month)}
    return [build_day(when, incidents, zone) for when in sorted(days, reverse=True)]


def find_first_month(page: Page) -> date | None:
    """The first of the month of the day below; None when there is none."""
    oldest = find_first_day(page)
    return oldest.replace(day=1) if oldest else None


def find_first_day(page: Page) -> date | None:
    """The day of the oldest incident, or of the oldest trouble of a public component, which the lists of days lead to;
    None when there was none."""
    incidents = _begun(page).annotate(began=BEGAN).order_by("began").values_list("began", flat=True)
    troubles = StatusSpan.objects.filter(component__in=page.components.public()).exclude(status=Status.OPERATIONAL)
    known = [*incidents[:1], *troubles.order_by("started_at").values_list("started_at", flat=True)[:1]]
    return min(known).astimezone(page.zone).date() if known else None


def _begun(page: Page) -> QuerySet[Incident]:
    """Leaves out maintenance that has not started."""
    return page.incidents.exclude(status=Phase.SCHEDULED)


def build_incident(page: Page, code: str) -> PublicIncident | None:
    """One incident however old; None when the page has no such incident."""
    found = build_incidents(page.incidents.filter(code=code), _component_map(page))
    return found[0] if found else None


def build_past(page: Page, component_code: str, most: int) -> list[PublicIncident]:
    """What is over and touched a public component, the latest begun first, as many as `most`."""
    rows = page.incidents.filter(components__code=component_code, components__page=page, status__in=CLOSED)
    return build_incidents(rows.annotate(began=BEGAN).order_by("-began", "-pk")[:most], _component_map(page))


def find_incidents(page: Page, text: str, component_code: str, *, most: int) -> list[PublicIncident]:
    """Incidents and maintenance in whose name and updates every word of `text` stands, the latest begun first.

    `component_code`: of a public component that they touched; empty for any. Words after the fifth are passed over. The
    latest are asked first, in slices that grow: only a word that is rare is looked for in all of them.
    """
    rows = page.incidents.annotate(began=BEGAN).order_by("-began", "-pk")
    if component_code:
        rows = rows.filter(components__code=component_code, components__page=page)
    keys, found, end = list(rows.values_list("pk", "began")), list[int](), FIRST_SLICE
    while keys and len(found) < most:
        part, keys, end = keys[:end], keys[end:], end * 4
        matching = _say(rows.filter(began__range=(part[-1][1], part[0][1])), text.split()[:MOST_WORDS])
        known = set(matching.values_list("pk", flat=True))
        found += [pk for pk, _ in part if pk in known]
    return build_incidents(rows.filter(pk__in=found[:most]), _component_map(page))


def _say(rows: QuerySet[Incident], words: list[str]) -> QuerySet[Incident]:
    for word in words:
        said = Update.objects.filter(incident=OuterRef("pk"), body__icontains=word)
        rows = rows.filter(Q(name__icontains=word) | Exists(said))
    return rows


def _component_map(page: Page) -> dict[str, PublicComponent]:
    rows = page.components.public().labelled()
    return {row.code: describe_component(row) for row in rows}
