"""Reads one item of Statuspage's history feeds, RSS and Atom alike, into a record.

A feed tells updates to the minute, without a year and in the page's time, no components and no impact. What can be
worked out is; what cannot be read is named.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from sys import maxsize
from zoneinfo import ZoneInfo

from django.utils import translation

from components.status import Impact
from core.dates import describe_window
from core.text import TITLE_LIMIT, clean_text
from incidents.phases import CLOSED, PHASES, WATCHED, Kind, Phase
from incidents.post import Window
from intake.feed_markup import to_source
from intake.recordings import EntryError, IncidentRecord, Remarks, UpdateRecord, derive_code, keep_code, shown

DATE = r"(?P<month>[A-Z][a-z]{2}) +(?P<day>\d{1,2}), *(?P<time>\d\d:\d\d)"
UPDATE = re.compile(
    rf"\s*<small>{DATE} [^<]*</small>\s*<br ?/?>\s*<strong>(?P<label>[^<]+)</strong>\s*-\s*(?P<body>.*)", re.DOTALL
)
BLANKS = r"(?:\s|&nbsp;|&#160;){0,20}"
PLANNED = "THIS IS A SCHEDULED EVENT"
# “Jan 8, 21:00 - 23:00 UTC”; over midnight “Jan 8, 21:00 UTC &nbsp;-&nbsp; Jan 9, 01:00 UTC”.
WINDOW = re.compile(
    rf"{PLANNED} {DATE}(?: {{1,9}}[+-]?\w{{1,6}})?{BLANKS}-{BLANKS}(?P<end>(?:[A-Z][a-z]{{2}} +\d{{1,2}}, *)?\d\d:\d\d)"
)
# In our own feeds lists and further paragraphs of an update follow its first one.
UPDATE_BEGINS = re.compile(rf"<p>(?=\s*(?:<small>|<strong>{PLANNED}))")
PHASE_BY_LABEL = {phase.value.replace("_", " "): phase for phase in Phase}
BACKDATED = timedelta(days=31)
"""An update whose day is later than that of a newer one by no more was backdated; by more, it is a year older."""
AHEAD = timedelta(days=330)
WRITTEN_LATER = timedelta(days=180)


@dataclass(frozen=True)
class Item:
    """One item of either format. `dated` is the latest update's time, or when maintenance begins."""

    title: str
    link: str
    body: str
    dated: datetime
    changed: datetime | None
    number: int | None
    ends: datetime | None


@dataclass(frozen=True)
class Paragraph:
    """An update as it is worded. `number` counts from the oldest, so that a later feed counts alike."""

    number: int
    text: re.Match[str]
    moment: datetime


def parse_item(item: Item, zone: ZoneInfo, remarks: Remarks) -> IncidentRecord:
    """Raises EntryError when it has no update that can be read."""
    identity = re.split("[?#]", item.link, maxsplit=1)[0].rpartition("/")[2]
    code = keep_code(identity, remarks) if identity else derive_code("incident", item.link, item.title)
    what = f"incident {code} “{shown(item.title)}”"
    html = re.sub(r"</?var[^<>]*>", "", item.body)
    before, *texts = UPDATE_BEGINS.split(html)
    if before := re.sub("<[^<>]*>", " ", before).strip():
        remarks.lose(f"{what}: text before its first update: “{shown(before)}”")
    updates = _parse_updates([text for text in texts if PLANNED not in text], item, code, what, zone, remarks)
    if not updates:
        raise EntryError(f"{what}: none of its updates is worded as Statuspage words them")
    kind = Kind.MAINTENANCE if updates[0].status in PHASES[Kind.MAINTENANCE] else Kind.INCIDENT
    window = None
    if kind == Kind.MAINTENANCE:
        window = _find_window(item, updates, next((t for t in texts if PLANNED in t), ""), what, zone, remarks)
    return IncidentRecord(
        code=code,
        kind=kind,
        name=_find_name(item, window, what, zone, remarks) or str(kind.label),
        status=updates[-1].status,
        impact=Impact.MAINTENANCE if kind == Kind.MAINTENANCE else Impact.NONE,
        created_at=min(update.created_at for update in updates),
        updated_at=item.changed or max(update.display_at for update in updates),
        started_at=min(update.created_at for update in updates),
        monitoring_at=_first(updates, WATCHED),
        resolved_at=_first(updates, CLOSED),
        scheduled_for=window[0] if window else None,
        scheduled_until=window[1] if window else None,
        updates=updates,
        feed_number=item.number,
        from_feed=True,
    )


def _find_name(item: Item, window: Window | None, what: str, zone: ZoneInfo, remarks: Remarks) -> str:
    """Without the window that our own feeds add to the title of what is planned."""
    name = clean_text(item.title, limit=maxsize, multiline=False)
    if window:
        with translation.override("en"):  # as feeds without a language's prefix are
            name = name.removesuffix(f" (scheduled for {describe_window(*window, zone)})")
    if item.title.strip() != " ".join(item.title.split()):
        remarks.note(f"{what}: white space in its title is folded")
    if len(name) > TITLE_LIMIT:
        remarks.lose(f"{what}: its title has {len(name)} characters: cut after {TITLE_LIMIT}")
    return name[:TITLE_LIMIT].rstrip()


def _first(updates: Sequence[UpdateRecord], phases: frozenset[Phase]) -> datetime | None:
    return next((update.display_at for update in updates if update.status in phases), None)


# Updates


def _parse_updates(
    texts: list[str], item: Item, code: str, what: str, zone: ZoneInfo, remarks: Remarks
) -> list[UpdateRecord]:
    """Oldest first, as the feed lists them. `texts` are newest first."""
    updates: list[UpdateRecord] = []
    for paragraph in reversed(_read_paragraphs(texts, item, what, zone, remarks)):
        which = f"{what}, update of {paragraph.text['month']} {paragraph.text['day']}, {paragraph.text['time']}"
        updates.append(
            UpdateRecord(
                code=derive_code("update", code, str(paragraph.number)),
                status=_find_phase(paragraph.text["label"].strip(), updates, which, remarks),
                body=to_source(paragraph.text["body"], which, remarks),
                created_at=paragraph.moment,
                updated_at=paragraph.moment,
                display_at=paragraph.moment,
            )
        )
    return updates


def _read_paragraphs(texts: list[str], item: Item, what: str, zone: ZoneInfo, remarks: Remarks) -> list[Paragraph]:
    """Newest first, with the years that the feed leaves out: each the latest that fits after the one before.

    The update that dated the item has its seconds. A postmortem may be later than the item's date, an announcement
    of maintenance is earlier.
    """
    found: list[Paragraph] = []
    is_dated = False
    bound = max(item.dated, item.changed or item.dated) + timedelta(minutes=1)
    for number, text in zip(range(len(texts), 0, -1), texts, strict=True):
        match = UPDATE.fullmatch(text)
        try:
            if match is None:
                raise EntryError("it is not worded as Statuspage words updates")
            if not found and match["label"] == "Postmortem":
                bound += WRITTEN_LATER
            latest = min(bound, found[-1].moment + BACKDATED) if found else bound
            moment = _place(match["month"], match["day"], match["time"], zone, latest)
        except EntryError as error:
            remarks.lose(f"{what}, update “{shown(re.sub('<[^<>]*>', ' ', text[:500]))}”: {error}")
            continue
        if moment == item.dated.replace(second=0) and not is_dated:
            moment, is_dated = item.dated, True
        found.append(Paragraph(number, match, moment.astimezone(UTC)))
    return found


def _find_phase(label: str, updates: list[UpdateRecord], which: str, remarks: Remarks) -> str:
    """“Update” repeats the phase before it."""
    phase = PHASE_BY_LABEL.get(label.lower())
    if phase is None and (label != "Update" or not updates):
        remarks.lose(f"{which}: “{shown(label)}” is not a status")
    return phase or (updates[-1].status if updates else Phase.INVESTIGATING)


def _place(month: str, day: str, time: str, zone: ZoneInfo, latest: datetime) -> datetime:
    """The last “Jan 8, 16:20” of the page's time that is not after `latest`. Raises EntryError for no such day."""
    for year in range(latest.astimezone(zone).year, latest.year - 9, -1):
        try:
            moment = datetime.strptime(f"{year} {month} {day} {time}", "%Y %b %d %H:%M").replace(tzinfo=zone)
        except ValueError:  # 29 February, in most years
            continue
        if moment <= latest:
            return moment
    raise EntryError(f"not a date: {month} {day}, {time}")


# Windows


def _find_window(
    item: Item, updates: Sequence[UpdateRecord], told: str, what: str, zone: ZoneInfo, remarks: Remarks
) -> Window:
    """When maintenance starts and ends: as told, else as it went, else an hour."""
    window = WINDOW.search(told)
    if told and window is None:
        remarks.lose(f"{what}: its window cannot be read: “{shown(re.sub('<[^<>]*>', ' ', told[:500]))}”")
    working = [update.display_at for update in updates if update.status != Phase.SCHEDULED]
    start, ends = min(working, default=item.dated), item.ends
    try:
        if window:
            start = _window_start(window, item.dated, zone)
            ends = ends or _window_end(window["end"], start, zone)
        elif not told:
            ends = ends or _first(updates, CLOSED)
    except EntryError as error:
        remarks.lose(f"{what}: its window: {error}")
    if ends is None or ends <= start:
        remarks.note(f"{what}: the feed does not say when maintenance ends: one hour is assumed")
        ends = start + timedelta(hours=1)
    return start, ends


def _window_start(window: re.Match[str], dated: datetime, zone: ZoneInfo) -> datetime:
    """Mostly the item's date, which has a year; a feed may date what is planned by its announcement instead."""
    start = _place(window["month"], window["day"], window["time"], zone, dated + AHEAD)
    return dated if start == dated.replace(second=0, microsecond=0) else start


def _window_end(end: str, start: datetime, zone: ZoneInfo) -> datetime:
    """“05:00” is on the day of the start or the next, “Oct 6, 05:00” on its own."""
    *day, time = re.findall(r"[A-Z][a-z]{2}|\d\d:\d\d|\d{1,2}", end)
    if day:
        return _place(day[0], day[1], time, zone, start + AHEAD)
    local = start.astimezone(zone)
    found = _place(local.strftime("%b"), str(local.day), time, zone, start + timedelta(days=1))
    return found if found > start else found + timedelta(days=1)
