"""The history as RSS, Atom and JSON Feed: 25 items, in the form that feed readers know from Statuspage.

An item's date is the time of its latest update, so feed readers show it again after each update. Scheduled maintenance has
its time in title and body, because readers ignore or misplace items with a date in the future. Statuspage uses such dates;
`?dates=statuspage` asks for them. An item's id never changes. Reference: docs/api.md.

Without a prefix a feed is in English with Statuspage's words, because programs search for “Resolved”. With a prefix
(/de/history.atom) its words, dates and links are in that language. The ids are the same, so that no reader shows an item
twice.
"""

import re
from datetime import datetime
from email.utils import format_datetime
from enum import StrEnum
from typing import Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.utils import translation
from django.utils.translation import gettext
from feedgen.entry import FeedEntry
from feedgen.ext.base import BaseEntryExtension, BaseExtension
from feedgen.feed import FeedGenerator
from lxml import etree

from core.dates import clock_text, day_and_time, day_text
from core.dates import describe_window as in_words
from core.languages import active_language, local
from core.markdown import absolute_links, render_line
from incidents.phases import Phase
from public.documents.api_v2 import Json, zone_of
from public.documents.timestamps import timestamp, zone_name
from public.documents.topics import Topic
from public.shapes import PublicIncident, PublicPage, PublicUpdate, Snapshot

ITEMS = 25
RSS_TYPE = "application/rss+xml; charset=utf-8"
ATOM_TYPE = "application/atom+xml; charset=utf-8"
BLOCK = re.compile("<(?:ul|ol|table|pre|blockquote|h3|h4|hr)[ >]")
JSON_FEED_TYPE = "application/feed+json; charset=utf-8"


class Dates(StrEnum):
    """How scheduled maintenance is dated: by its latest update, or by its start as in Statuspage."""

    UPDATES = "updates"
    STATUSPAGE = "statuspage"


def rss(snapshot: Snapshot, dates: Dates = Dates.UPDATES, topic: Topic | None = None) -> bytes:
    """`topic`: the component or group that the feed is about; None for the whole page."""
    rendered: bytes = _generate(snapshot, "rss", dates, topic).rss_str(pretty=True)
    return rendered


def atom(snapshot: Snapshot, dates: Dates = Dates.UPDATES, topic: Topic | None = None) -> bytes:
    """`topic` as in `rss`."""
    rendered: bytes = _generate(snapshot, "atom", dates, topic).atom_str(pretty=True)
    return rendered


def json_feed(snapshot: Snapshot, dates: Dates = Dates.UPDATES) -> Json:
    """JSON Feed 1.1."""
    page, zone = snapshot.page, zone_of(snapshot)
    return {
        "version": "https://jsonfeed.org/version/1.1",
        "title": _title(page),
        "home_page_url": _home(page),
        "feed_url": f"{page.url}{local('/feed.json')}",
        "authors": [{"name": page.name, "url": page.url}],
        "language": _language(),
        "items": [
            {
                "id": incident.url,
                "url": f"{page.url}{local(incident.path)}",
                "title": item_title(incident, zone, dates),
                "content_html": item_html(incident, zone, page.url, dates),
                "date_published": timestamp(item_date(incident, dates), zone),
                "date_modified": timestamp(incident.updated_at, zone),
                "tags": [incident.kind, incident.impact],
            }
            for incident in feed_items(snapshot, dates)
        ],
    }


# What is in a feed


def feed_items(snapshot: Snapshot, dates: Dates = Dates.UPDATES) -> list[PublicIncident]:
    """The incidents and maintenance that a feed contains, latest date first.

    Open incidents and running maintenance are chosen first, so that much scheduled maintenance cannot displace them.
    """

    def date_of(incident: PublicIncident) -> datetime:
        return item_date(incident, dates)

    everything = snapshot.incidents + snapshot.maintenances
    everything.sort(key=lambda each: (_is_now(each), date_of(each)), reverse=True)
    return sorted(everything[:ITEMS], key=date_of, reverse=True)


def _is_now(incident: PublicIncident) -> bool:
    return not incident.is_closed and incident.status != Phase.SCHEDULED


def item_title(incident: PublicIncident, zone: ZoneInfo, dates: Dates = Dates.UPDATES) -> str:
    """The name; while maintenance is scheduled, with its time: “Database work (scheduled for Sun 13 December 2020, 02:00 to
    03:00 UTC)”."""
    if dates == Dates.STATUSPAGE or incident.status != Phase.SCHEDULED or incident.window is None:
        return incident.name
    return gettext("%(name)s (scheduled for %(window)s)") % {
        "name": incident.name,
        "window": in_words(*incident.window, zone),
    }


def item_date(incident: PublicIncident, dates: Dates = Dates.UPDATES) -> datetime:
    """The time of the latest update. A postmortem does not count, so that it does not make an item new again."""
    if dates == Dates.STATUSPAGE and incident.status == Phase.SCHEDULED:
        return incident.begins_at
    told = [update.display_at for update in incident.updates if update.status != Phase.POSTMORTEM]
    return max(told, default=incident.created_at)


def item_html(incident: PublicIncident, zone: ZoneInfo, base: str, dates: Dates = Dates.UPDATES) -> str:
    """One paragraph for each update, newest first; before them the time of maintenance that has not begun.

    Lists, tables and the like follow the paragraph of their update. Statuspage puts the whole update into one paragraph.
    """
    parts = [_window(incident, zone, dates)] if incident.status == Phase.SCHEDULED else []
    for update in incident.updates:
        first, more = _split_body(update, base, dates)
        parts.append(
            f"<p><small>{_when(update.display_at, zone)}</small><br><strong>{_label(update)}</strong> - {first}</p>{more}"
        )
    return "".join(parts)


def _label(update: PublicUpdate) -> str:
    if _is_translated():
        return update.label
    with translation.override("en"):
        return update.label


def _when(moment: datetime, zone: ZoneInfo) -> str:
    if not _is_translated():
        return f"{_day_and_time(moment, zone)} {zone_name(moment, zone)}"
    when = moment.astimezone(zone)
    return day_and_time(day_text(when, "short", with_year=False), f"{clock_text(when)} {zone_name(when, zone)}")


def _split_body(update: PublicUpdate, base: str, dates: Dates) -> tuple[str, str]:
    """The HTML inside the update's paragraph, and the blocks after it."""
    is_ours = dates != Dates.STATUSPAGE
    if not (is_ours and BLOCK.search(update.body_html)):
        line = render_line(update.body, links_addresses=is_ours)
        return absolute_links(line, base).replace("<br>", "<br />"), ""
    html = absolute_links(update.body_html, base)
    if not html.startswith("<p>"):
        return "", html
    first, _, more = html.removeprefix("<p>").partition("</p>")
    return first, more.strip()


def _window(incident: PublicIncident, zone: ZoneInfo, dates: Dates) -> str:
    """The paragraph with the time of maintenance. If it ends on another day, Statuspage writes both days and other blanks:
    “Jan 8, 21:00 UTC &nbsp;-&nbsp; Jan 9, …”."""
    start, end = incident.begins_at, incident.scheduled_until
    if _is_translated() and end:
        words = gettext("Scheduled for %(window)s") % {"window": in_words(start, end, zone)}
        return f"<p><strong>{words}</strong></p>"
    window = describe_window(start, end, zone)
    if dates == Dates.STATUSPAGE and end and start.astimezone(zone).date() != end.astimezone(zone).date():
        window = " &nbsp;-&nbsp; ".join(f"{_day_and_time(each, zone)} {zone_name(each, zone)}" for each in (start, end))
    return f"<p><strong>THIS IS A SCHEDULED EVENT {window}</strong></p>"


def describe_window(start: datetime, end: datetime | None, zone: ZoneInfo) -> str:
    """Such as “Sep 11, 07:46 - 09:10 UTC” with markup around the numbers; the end has its own day if it differs."""
    text = _day_and_time(start, zone)
    if end is not None and start.astimezone(zone).utcoffset() != end.astimezone(zone).utcoffset():
        text += f" {zone_name(start, zone)}"  # clocks change in between
    if end is not None:
        same_day = start.astimezone(zone).date() == end.astimezone(zone).date()
        text += f" - {_day_and_time(end, zone, with_day=not same_day)}"
    return f"{text} {zone_name(end or start, zone)}"


def _day_and_time(moment: datetime, zone: ZoneInfo, *, with_day: bool = True) -> str:
    """Such as “Jan  8, 16:20”; programs find the two numbers by their attribute data-var."""
    local = moment.astimezone(zone)
    day = f"{local:%b} <var data-var='date'>{local.day:>2}</var>, " if with_day else ""
    return f"{day}<var data-var='time'>{local:%H:%M}</var>"


# The two XML formats


class ItemExtension(BaseEntryExtension):  # type: ignore[misc]  # feedgen has no types
    """Adds to an item what feedgen cannot write."""

    maintenance_end: datetime | None = None

    def extend_rss(self, entry: Any) -> Any:
        """Adds <maintenanceEndDate>, which feed readers for status pages read."""
        if self.maintenance_end is not None:
            etree.SubElement(entry, "maintenanceEndDate").text = format_datetime(self.maintenance_end)
        return entry

    def extend_atom(self, entry: Any) -> Any:
        """Adds the attributes of links, which feedgen 1.0.0 leaves out."""
        for link in entry.findall("link"):
            link.attrib.update({"rel": "alternate", "type": "text/html"})
        return entry


def _generate(snapshot: Snapshot, form: Literal["rss", "atom"], dates: Dates, topic: Topic | None) -> FeedGenerator:
    page, zone = snapshot.page, zone_of(snapshot)
    path = f"{topic.path if topic else ''}/history"
    host = urlsplit(page.url).hostname
    updated = _local(page.updated_at, zone)
    feed = FeedGenerator()
    feed.register_extension("item", BaseExtension, ItemExtension)
    feed.id(f"tag:{host},2005:{path}")
    feed.title(f"{topic.name} - {_title(page)}" if topic else _title(page))
    feed.link(href=f"{page.url}{local(f'{path}.{form}')}", rel="self", type=f"application/{form}+xml")
    feed.link(href=f"{page.url}{topic.home}" if topic else _home(page), rel="alternate", type="text/html")
    if form == "rss":
        feed.description("Statuspage")  # required in RSS; some readers know the format by this word
    feed.author({"name": page.name})
    feed.language(_language())
    feed.generator("")
    feed.updated(updated)
    feed.lastBuildDate(updated)
    feed.pubDate(updated)
    for incident in feed_items(topic.snapshot if topic else snapshot, dates):
        entry = _add_entry(feed, incident, zone, page.url, dates)
        if form == "rss":
            entry.guid(incident.url, permalink=True)
        else:
            entry.id(f"tag:{host},2005:Incident/{incident.number}")
    return feed


def _add_entry(feed: FeedGenerator, incident: PublicIncident, zone: ZoneInfo, base: str, dates: Dates) -> FeedEntry:
    entry = feed.add_entry(order="append")
    entry.title(item_title(incident, zone, dates))
    entry.link(href=f"{base}{local(incident.path)}")
    entry.content(item_html(incident, zone, base, dates), type="html")
    entry.published(_local(item_date(incident, dates), zone))
    entry.updated(_local(incident.updated_at, zone))
    if incident.scheduled_until:
        entry.item.maintenance_end = _local(incident.scheduled_until, zone)
    return entry


def _is_translated() -> bool:
    """Whether the feed's address has the prefix of a language."""
    return bool(local(""))


def _language() -> str:
    return active_language() if _is_translated() else "en-US"


def _home(page: PublicPage) -> str:
    return f"{page.url}{local('/')}" if _is_translated() else page.url


def _title(page: PublicPage) -> str:
    if _is_translated():
        return gettext("%(name)s: history") % {"name": page.name}
    return f"{page.name} Status - Incident History"


def _local(moment: datetime, zone: ZoneInfo) -> datetime:
    """`moment` in the page's time zone, in whole seconds, because RSS has no fractions."""
    return moment.astimezone(zone).replace(microsecond=0)
