"""Reads Statuspage's history feeds, RSS and Atom, into records (intake/recordings.py): the page and its items.
What an item says: intake/feed_items.py."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo

from lxml import etree

from core.text import TITLE_LIMIT, clean_text
from incidents.models import YEARS
from intake.feed_items import Item, parse_item
from intake.recordings import EntryError, PageRecord, Recording, RecordingError, Remarks, shown

ATOM = "{http://www.w3.org/2005/Atom}"
TITLE_END = " Status - Incident History"
NO_DATE = "it tells no date, and its updates no year"
Reader = Callable[[Any, Remarks], Item]


def is_feed(content: bytes) -> bool:
    return content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def parse_feed(content: bytes, find_zone: Callable[[str], str | None]) -> Recording:
    """`find_zone` gives the IANA zone of the page at an address where that is known already: a feed only has
    offsets. Raises RecordingError."""
    root = _read_xml(content)
    remarks = Remarks()
    read_item: Reader
    if root.tag == "rss" and (channel := root.find("channel")) is not None:
        page, items = _read_rss_page(channel, remarks), channel.findall("item")
        read_item = _read_rss_item
    elif root.tag == f"{ATOM}feed":
        page, items = _read_atom_page(root, remarks), root.findall(f"{ATOM}entry")
        read_item = _read_atom_item
    else:
        raise RecordingError("This is neither an RSS nor an Atom feed (an HTML page, perhaps?).")
    if not page.url and not page.name:
        raise RecordingError("This is not a Statuspage feed: no <title> and no <link>.")
    page = replace(page, time_zone=_choose_zone(find_zone(page.url), content, page.updated_at))
    recording = Recording(page, remarks=remarks)
    zone = ZoneInfo(page.time_zone)
    for element in items:
        try:
            recording.incidents.append(parse_item(read_item(element, remarks), zone, remarks))
        except EntryError as error:
            remarks.lose(str(error))
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
    """ "" where it is missing."""
    return str(element.findtext(path) or "").strip()


def _date(text: str, parse: Callable[[str], datetime], what: str, remarks: Remarks) -> datetime | None:
    """In UTC where it names no zone. None where it is missing, or cannot be read, which is reported; so is a date
    at the ends of the calendar, as in JSON."""
    if not text:
        return None
    try:
        date = parse(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        remarks.lose(f"{what}: not a date: {shown(text)}")
        return None
    if date.year not in YEARS:
        remarks.lose(f"{what}: not a time of our age: {shown(text)}")
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def _read_rss_page(channel: Any, remarks: Remarks) -> PageRecord:
    changed = _date(_text(channel, "pubDate"), parsedate_to_datetime, "page", remarks)
    return _describe_page(_text(channel, "title"), _text(channel, "link"), changed)


def _read_atom_page(feed: Any, remarks: Remarks) -> PageRecord:
    changed = _date(_text(feed, f"{ATOM}updated"), datetime.fromisoformat, "page", remarks)
    return _describe_page(_text(feed, f"{ATOM}title"), _link_of(feed), changed)


def _describe_page(title: str, link: str, changed: datetime | None) -> PageRecord:
    name = clean_text(title[: TITLE_LIMIT * 2].removesuffix(TITLE_END), limit=TITLE_LIMIT * 4, multiline=False)
    return PageRecord(name[:TITLE_LIMIT].rstrip(), link.rstrip("/"), "", changed)


def _link_of(element: Any) -> str:
    link = element.find(f"{ATOM}link[@rel='alternate']")
    return "" if link is None else link.get("href", "").strip()


def _read_rss_item(element: Any, remarks: Remarks) -> Item:
    what = f"incident “{shown(_text(element, 'title'))}”"
    dated = _date(_text(element, "pubDate"), parsedate_to_datetime, what, remarks)
    if dated is None:
        raise EntryError(f"{what}: {NO_DATE}")
    return Item(
        title=_text(element, "title"),
        link=_text(element, "link") or _text(element, "guid"),
        body=_text(element, "description"),
        dated=dated,
        changed=None,
        number=None,
        ends=_date(_text(element, "maintenanceEndDate"), parsedate_to_datetime, what, remarks),
    )


def _read_atom_item(element: Any, remarks: Remarks) -> Item:
    what = f"incident “{shown(_text(element, f'{ATOM}title'))}”"
    identity = _text(element, f"{ATOM}id")
    number = identity.rpartition("/")[2]
    changed = _date(_text(element, f"{ATOM}updated"), datetime.fromisoformat, what, remarks)
    dated = _date(_text(element, f"{ATOM}published"), datetime.fromisoformat, what, remarks) or changed
    if dated is None:
        raise EntryError(f"{what}: {NO_DATE}")
    return Item(
        title=_text(element, f"{ATOM}title"),
        link=_link_of(element) or identity,
        body=_text(element, f"{ATOM}content"),
        dated=dated,
        changed=changed,
        number=int(number) if number.isdecimal() and len(number) < 19 else None,
        ends=None,
    )
