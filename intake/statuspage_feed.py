"""Reads Statuspage's history feeds, RSS and Atom, into records (intake/recordings.py).

A feed tells less than the JSON: updates to the minute, without a year and in the page's time, no components
and no impact. What can be worked out is; the rest is reported.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from html import unescape
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from lxml import etree

from components.status import Impact
from core.text import TITLE_LIMIT, clean_text
from incidents.models import YEARS
from incidents.phases import CLOSED, PHASES, WATCHED, Kind, Phase
from intake.recordings import (
    EntryError,
    IncidentRecord,
    PageRecord,
    Recording,
    RecordingError,
    Remarks,
    UpdateRecord,
    derive_code,
    keep_code,
)

ATOM = "{http://www.w3.org/2005/Atom}"
DATE = r"(?P<month>[A-Z][a-z]{2}) +(?P<day>\d{1,2}), *(?P<time>\d\d:\d\d)"
UPDATE = re.compile(
    rf"\s*<small>{DATE} [^<]*</small>\s*<br ?/?>\s*<strong>(?P<label>[^<]+)</strong>\s*-\s*(?P<body>.*)", re.DOTALL
)
WINDOW = re.compile(rf"THIS IS A SCHEDULED EVENT {DATE} - (?P<end>(?:[A-Z][a-z]{{2}} +\d{{1,2}}, *)?\d\d:\d\d)")
TITLE_END = " Status - Incident History"
PHASE_BY_LABEL = {phase.value.replace("_", " "): phase for phase in Phase}
# None of these may look at the same text again from each of many beginnings: a feed can be megabytes of one tag.
KEPT_MARKUP = (
    (re.compile(r"(?:(?<![ \t])[ \t]+)?\r?\n?<br ?/?>[ \t]*\r?\n?"), "\n"),
    (re.compile(r"<a [^<>]{0,500}?href=['\"]([^'\"<>]*)['\"][^<>]*>((?:(?!</?a[ >]).)*)</a>", re.DOTALL), r"[\2](\1)"),
    (re.compile(r"</?(?:strong|b)>"), "**"),
    (re.compile(r"</?(?:em|i)>"), "*"),
    (re.compile(r"</?code>"), "`"),
)
TAG = re.compile(r"</?[a-z][^<>]*>")


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


def is_feed(content: bytes) -> bool:
    return content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def parse_feed(content: bytes, find_zone: Callable[[str], str | None]) -> Recording:
    """`find_zone` gives the IANA zone of the page at an address where that is known already: a feed only has
    offsets. Raises RecordingError."""
    root = _read_xml(content)
    try:
        if root.tag == "rss" and (channel := root.find("channel")) is not None:
            page, items = _read_rss_page(channel), channel.findall("item")
            read_item = _read_rss_item
        elif root.tag == f"{ATOM}feed":
            page, items = _read_atom_page(root), root.findall(f"{ATOM}entry")
            read_item = _read_atom_item
        else:
            raise RecordingError("This is neither an RSS nor an Atom feed (an HTML page, perhaps?).")
    except EntryError as error:
        raise RecordingError(f"This is not a Statuspage feed: {error}.") from None
    page = replace(page, time_zone=_choose_zone(find_zone(page.url), content, page.updated_at))
    recording = Recording(page)
    zone = ZoneInfo(page.time_zone)
    for element in items:
        try:
            recording.incidents.append(_parse_item(read_item(element), zone, recording.remarks))
        except EntryError as error:
            recording.remarks.lose(str(error))
    return recording


def _read_xml(content: bytes) -> Any:
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        return etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise RecordingError(f"This is not a feed: {error.msg} (an HTML page, perhaps?).") from None


def _choose_zone(known: str | None, content: bytes, updated_at: datetime | None) -> str:
    if known:
        return known
    abbreviations = set(re.findall(rb"\b(\w{1,40})\s*(?:</small>|&lt;/small&gt;)", content))
    if (updated_at is None or updated_at.utcoffset() == timedelta(0)) and abbreviations <= {b"UTC"}:
        return "Etc/UTC"
    raise RecordingError("A feed does not tell its time zone by name: say it with --time-zone, such as Europe/London.")


# The two formats


def _text(element: Any, path: str) -> str:
    found = element.findtext(path)
    if not found or not found.strip():
        raise EntryError(f"no <{path.removeprefix(ATOM)}>")
    return str(found).strip()


def _mail_date(text: str) -> datetime:
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        raise EntryError(f"not a date: {text}") from None
    return _of_our_age(date)


def _iso_date(text: str) -> datetime:
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        raise EntryError(f"not a date: {text}") from None
    return _of_our_age(date)


def _of_our_age(date: datetime) -> datetime:
    """In UTC where it names no zone. Raises EntryError at the ends of the calendar, as for dates in JSON."""
    if date.year not in YEARS:
        raise EntryError(f"not a time of our age: {date}")
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _read_rss_page(channel: Any) -> PageRecord:
    name = _text(channel, "title").removesuffix(TITLE_END)
    return PageRecord(name, _text(channel, "link").rstrip("/"), "", _mail_date(_text(channel, "pubDate")))


def _read_atom_page(feed: Any) -> PageRecord:
    link = feed.find(f"{ATOM}link[@rel='alternate']")
    if link is None or not link.get("href"):
        raise EntryError("no link to its page")
    name = _text(feed, f"{ATOM}title").removesuffix(TITLE_END)
    return PageRecord(name, link.get("href").rstrip("/"), "", _iso_date(_text(feed, f"{ATOM}updated")))


def _read_rss_item(element: Any) -> Item:
    end = element.findtext("maintenanceEndDate")
    return Item(
        title=_text(element, "title"),
        link=_text(element, "link"),
        body=_text(element, "description"),
        dated=_mail_date(_text(element, "pubDate")),
        changed=None,
        number=None,
        ends=_mail_date(end) if end else None,
    )


def _read_atom_item(element: Any) -> Item:
    link = element.find(f"{ATOM}link[@rel='alternate']")
    number = _text(element, f"{ATOM}id").rpartition("/")[2]
    return Item(
        title=_text(element, f"{ATOM}title"),
        link=link.get("href", "") if link is not None else "",
        body=_text(element, f"{ATOM}content"),
        dated=_iso_date(_text(element, f"{ATOM}published")),
        changed=_iso_date(_text(element, f"{ATOM}updated")),
        number=int(number) if number.isdecimal() and len(number) < 19 else None,
        ends=None,
    )


# One item


def _parse_item(item: Item, zone: ZoneInfo, notes: Remarks) -> IncidentRecord:
    code = keep_code(urlsplit(item.link).path.rpartition("/")[2], notes)
    html = re.sub(r"</?var[^<>]*>", "", item.body)
    window = WINDOW.search(html)
    paragraphs = [text for text in _split_paragraphs(html) if not WINDOW.search(text)]
    try:
        name = clean_text(item.title, limit=TITLE_LIMIT, multiline=False)
        updates = _parse_updates(paragraphs, item, code, zone, notes)
    except ValidationError as error:
        raise EntryError(f"“{item.title[:60]}”: {' '.join(error.messages)}") from None
    kind = Kind.MAINTENANCE if updates[0].status in PHASES[Kind.MAINTENANCE] else Kind.INCIDENT
    start, end = _find_window(item, updates, window, zone, notes) if kind == Kind.MAINTENANCE else (None, None)
    return IncidentRecord(
        code=code,
        kind=kind,
        name=name,
        status=updates[-1].status,
        impact=Impact.MAINTENANCE if kind == Kind.MAINTENANCE else Impact.NONE,
        created_at=updates[0].created_at,
        updated_at=item.changed or max(update.display_at for update in updates),
        started_at=updates[0].created_at,
        monitoring_at=_first(updates, WATCHED),
        resolved_at=_first(updates, CLOSED),
        scheduled_for=start,
        scheduled_until=end,
        updates=updates,
        feed_number=item.number,
        from_feed=True,
    )


def _split_paragraphs(html: str) -> list[str]:
    """What stands between <p> and </p>, in one pass: a pattern would look for each </p> to the very end."""
    *closed, _ = html.split("</p>")
    return [text.partition("<p>")[2] for text in closed if "<p>" in text]


def _first(updates: list[UpdateRecord], phases: frozenset[Phase]) -> datetime | None:
    return next((update.display_at for update in updates if update.status in phases), None)


def _parse_updates(paragraphs: list[str], item: Item, code: str, zone: ZoneInfo, notes: Remarks) -> list[UpdateRecord]:
    """Oldest first. Raises EntryError when there is none, or one that is not worded as they are."""
    found = [UPDATE.fullmatch(paragraph) for paragraph in paragraphs]
    if not found or None in found:
        raise EntryError(f"“{item.title[:60]}”: an update is not worded as Statuspage words them")
    matches = [match for match in found if match]
    times = _find_times(matches, item, zone)
    phases = _find_phases([match["label"].strip() for match in reversed(matches)])
    return [
        UpdateRecord(
            code=derive_code("update", code, str(number)),
            status=phase,
            body=clean_text(_to_source(match["body"], notes)),
            created_at=moment,
            updated_at=moment,
            display_at=moment,
        )
        for number, (match, moment, phase) in enumerate(zip(reversed(matches), reversed(times), phases, strict=True))
    ]


def _find_phases(labels: list[str]) -> list[Phase]:
    """Of labels, oldest first: “Update” repeats the phase before it."""
    phases: list[Phase] = []
    for label in labels:
        phase = PHASE_BY_LABEL.get(label.lower())
        if phase is None and (label != "Update" or not phases):
            raise EntryError(f"“{label}” is not a status")
        phases.append(phase or phases[-1])
    return phases


def _find_times(matches: list[re.Match[str]], item: Item, zone: ZoneInfo) -> list[datetime]:
    """Newest first, with the years that the feed leaves out: each the latest that is not after the one before.

    The update that dated the item has its seconds. A postmortem may be later than the item's date, an
    announcement of maintenance is earlier.
    """
    latest = max(item.dated, item.changed or item.dated)
    if matches[0]["label"] == "Postmortem":
        latest += timedelta(days=180)
    times = []
    for match in matches:
        moment = _place(match["month"], match["day"], match["time"], zone, latest + timedelta(minutes=1))
        if moment == item.dated.replace(second=0) and item.dated not in times:
            moment = item.dated
        times.append(moment)
        latest = moment
    return [moment.astimezone(UTC) for moment in times]


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


def _to_source(html: str, notes: Remarks) -> str:
    """The Markdown that such HTML came from."""
    for pattern, replacement in KEPT_MARKUP:
        html = pattern.sub(replacement, html)
    for tag in TAG.findall(html):
        notes.note(f"markup left out of updates: {tag[:20]}")
    return unescape(TAG.sub("", html)).strip()


def _find_window(
    item: Item, updates: list[UpdateRecord], window: re.Match[str] | None, zone: ZoneInfo, notes: Remarks
) -> tuple[datetime, datetime]:
    """When maintenance starts and ends: as told, else as it went, else an hour."""
    ends = item.ends
    if window:
        start = item.dated
        ends = ends or _window_end(window, start, zone)
    else:
        working = [update.display_at for update in updates if update.status != Phase.SCHEDULED]
        start = min(working, default=item.dated)
        ends = ends or _first(updates, CLOSED)
    if ends is None or ends <= start:
        notes.note("the feed does not say when maintenance ends: one hour is assumed")
        ends = start + timedelta(hours=1)
    return start, ends


def _window_end(window: re.Match[str], start: datetime, zone: ZoneInfo) -> datetime:
    """“05:00” is on the day of the start, “Oct 6, 05:00” on its own."""
    month, day, time = re.fullmatch(r"(?:(\w+) +(\d+), *)?(\d\d:\d\d)", window["end"]).groups()  # type: ignore[union-attr]
    if month is None:
        hour, minute = map(int, time.split(":"))
        if hour > 23 or minute > 59:
            raise EntryError(f"not a time: {time}")
        return start.astimezone(zone).replace(hour=hour, minute=minute, second=0)
    return _place(month, day, time, zone, start + timedelta(days=330))
