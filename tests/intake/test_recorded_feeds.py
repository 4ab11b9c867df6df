"""Feeds recorded elsewhere, imported here: our feeds equal the recording, but for what is named below."""

import re
from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime
from html import unescape
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from lxml import etree

from pages.models import Page
from public.documents import feeds
from public.snapshot import build

SAMPLES = Path(__file__).resolve().parents[3] / "shared" / "reference" / "samples"
pytestmark = [
    pytest.mark.skipif(not SAMPLES.is_dir(), reason="the recordings of other people's pages are not here: ../shared"),
    pytest.mark.django_db,
]
ATOM = "{http://www.w3.org/2005/Atom}"
DIGITAL_OCEAN, GOV_UK = "feed__digitalocean-2020-history.rss", "feed__govuk-2024-maintenance-item.rss"
PARSE = "feed__parse-2014-history.rss"
GITHUB_2022, GITHUB_2026 = "feed__github-2022-scheduled-history.atom", "feed__github-2026-history.atom"

Item = dict[str, Any]


def import_feed(name: str, zone: str = "") -> str:
    """What the command printed to stderr."""
    errors = StringIO()
    options = ["--time-zone", zone] if zone else []
    call_command("import_statuspage", str(SAMPLES / name), *options, stdout=StringIO(), stderr=errors)
    return errors.getvalue()


def our_rss() -> Any:
    return etree.fromstring(feeds.rss(build(Page.objects.get()), feeds.Dates.STATUSPAGE)).find("channel")


def our_atom() -> Any:
    return etree.fromstring(feeds.atom(build(Page.objects.get()), feeds.Dates.STATUSPAGE))


def recorded(name: str) -> Any:
    root = etree.fromstring((SAMPLES / name).read_bytes())
    return root.find("channel") if root.tag == "rss" else root


def plain(html: str) -> str:
    """A body as a reader sees it: white space at tags means nothing in HTML (the recordings of 2026 are full
    of it), and an entity is its character (the recordings escape none)."""
    html = re.sub(r"\s*(<[^>]*>)\s*", r"\1", html.strip().replace("&nbsp;", " "))
    html = html.replace("</strong>-<br />", "</strong>- ")  # one update of 2026 begins with an empty line
    return re.sub(r" {2,}", " ", unescape(html).replace("<var data-var='date'> ", "<var data-var='date'>"))


def rss_items(channel: Any, rewrite: Callable[[str], str] = str) -> list[Item]:
    names = ("title", "link", "guid", "pubDate", "maintenanceEndDate")
    return [
        {name: item.findtext(name) for name in names} | {"body": plain(rewrite(item.findtext("description")))}
        for item in channel.findall("item")
    ]


def atom_items(feed: Any) -> list[Item]:
    return [
        {
            "id": entry.findtext(f"{ATOM}id"),
            # “Z” and “+00:00” are the same in RFC 3339.
            "published": datetime.fromisoformat(entry.findtext(f"{ATOM}published")),
            "updated": datetime.fromisoformat(entry.findtext(f"{ATOM}updated")),
            "links": [dict(link.attrib) for link in entry.findall(f"{ATOM}link")],
            "title": entry.findtext(f"{ATOM}title"),
            "type": entry.find(f"{ATOM}content").get("type"),
            "body": plain(entry.findtext(f"{ATOM}content")),
        }
        for entry in feed.findall(f"{ATOM}entry")
    ]


def test_an_rss_feed_comes_back_item_by_item() -> None:
    notes = import_feed(DIGITAL_OCEAN)
    assert "left out" not in notes
    assert "does not say when maintenance ends" in notes  # of the one in progress: the end tag came later than 2020
    ours, theirs = our_rss(), recorded(DIGITAL_OCEAN)
    for name in ("title", "link", "description", "pubDate"):
        assert ours.findtext(name) == theirs.findtext(name)
    items = rss_items(ours)
    ends = [bool(item.pop("maintenanceEndDate")) for item in items]
    assert ends == ["<strong>Scheduled</strong>" in item["body"] for item in items]
    expected = rss_items(theirs)
    assert {item.pop("maintenanceEndDate") for item in expected} == {None}
    for item in expected:  # their items say https, their page http; ours keep to the page's address
        for name in ("link", "guid"):
            item[name] = item[name].replace("https://", "http://")
    assert items == expected


def test_maintenance_in_rss_comes_back_with_its_window() -> None:
    import_feed(GOV_UK, "Europe/London")
    assert rss_items(our_rss()) == rss_items(recorded(GOV_UK))


def as_in_2014(html: str) -> str:
    """Then: no <var>, “PST” all year round, and Markdown links left as typed."""
    html = re.sub(r"</?var[^>]*>", "", html).replace(" PDT</small>", " PST</small>")
    return re.sub(r'<a href="([^"]*)" rel="noopener nofollow">(.*?)</a>', r"[\2](\1)", html)


def test_a_feed_of_2014_comes_back_in_the_words_of_today() -> None:
    import_feed(PARSE, "America/Los_Angeles")
    ours = rss_items(our_rss(), as_in_2014)
    assert len(ours) == 17
    assert ours == rss_items(recorded(PARSE))


@pytest.mark.parametrize("name", [GITHUB_2022, GITHUB_2026])
def test_an_atom_feed_comes_back_entry_by_entry(name: str) -> None:
    assert "left out" not in import_feed(name)
    ours, theirs = our_atom(), recorded(name)
    for path in (f"{ATOM}id", f"{ATOM}title", f"{ATOM}author/{ATOM}name"):
        assert ours.findtext(path) == theirs.findtext(path)
    updated = [datetime.fromisoformat(feed.findtext(f"{ATOM}updated")) for feed in (ours, theirs)]
    assert updated[0] == updated[1]
    links = [sorted((dict(link.attrib) for link in feed.findall(f"{ATOM}link")), key=str) for feed in (ours, theirs)]
    assert links[0] == links[1]
    assert ours.attrib == theirs.attrib
    assert atom_items(ours) == atom_items(theirs)


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        (DIGITAL_OCEAN, ""),
        (GOV_UK, "Europe/London"),
        (PARSE, "America/Los_Angeles"),
        (GITHUB_2022, ""),
        (GITHUB_2026, ""),
    ],
)
def test_importing_the_same_feed_again_changes_nothing(name: str, zone: str) -> None:
    import_feed(name, zone)
    before = Page.objects.get()
    output = StringIO()
    call_command("import_statuspage", str(SAMPLES / name), stdout=output, stderr=StringIO())
    assert " new" not in output.getvalue()
    assert " changed" not in output.getvalue().replace("unchanged", "")
    after = Page.objects.get()
    assert (after.generation, after.updated_at) == (before.generation, before.updated_at)


def test_a_feed_after_the_json_adds_its_numbers_and_spoils_nothing() -> None:
    from incidents.models import Incident

    name = "stactus__github-incidents-2024.json"
    call_command("import_statuspage", str(SAMPLES / name), stdout=StringIO(), stderr=StringIO())
    before = {incident.code: incident.updates.count() for incident in Incident.objects.all()}
    import_feed(GITHUB_2022)
    assert Page.objects.count() == 1
    assert {code: Incident.objects.get(code=code).updates.count() for code in before} == before
    assert Incident.objects.get(code="6w7lf30qkgqq").feed_number == 11314069


def test_the_dates_of_a_feed_are_those_of_their_latest_update() -> None:
    """What our date rule rests on, read from the recordings themselves."""
    for item in rss_items(recorded(DIGITAL_OCEAN)):
        latest = re.search(r"<var data-var='date'>(\d+)</var>,<var data-var='time'>(\d\d:\d\d)", item["body"])
        assert latest
        dated = parsedate_to_datetime(item["pubDate"])
        assert (latest[1], latest[2]) == (str(dated.day), f"{dated:%H:%M}")
