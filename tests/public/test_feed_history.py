"""RSS, Atom and JSON Feed: what feed readers see."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET

import feedparser
import pytest
import time_machine
from django.test import Client

from incidents.models import Incident, Post
from public.documents import feeds
from tests.public.examples import HOST, Example, at, frozen, make_example

ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def example(db: None) -> Iterator[Example]:
    with frozen():
        yield make_example()


def items(content: bytes) -> list[ET.Element]:
    root = ET.fromstring(content)
    return root.findall("channel/item") or root.findall(f"{ATOM}entry")


def test_rss_says_what_statuspage_readers_expect(example: Example) -> None:
    content = feeds.rss(example.snapshot())
    channel = ET.fromstring(content).find("channel")
    assert channel is not None
    assert channel.findtext("title") == "Acme Status - Incident History"
    assert channel.findtext("link") == example.page.url
    assert channel.findtext("pubDate") == "Tue, 10 Mar 2026 04:30:00 -0600"
    outage, planned, _resolved = items(content)
    assert outage.findtext("title") == "Messages delayed"
    assert outage.findtext("link") == outage.findtext("guid") == f"{example.page.url}/incidents/{example.outage.code}"
    assert outage.findtext("pubDate") == "Tue, 10 Mar 2026 04:30:00 -0600"
    assert outage.find("maintenanceEndDate") is None
    assert planned.findtext("pubDate") == "Mon, 09 Mar 2026 04:00:00 -0600"
    assert planned.findtext("title") == "Database work (scheduled for Thu 12 March 2026, 00:00 to 01:00 MDT)"
    assert planned.findtext("maintenanceEndDate") == "Thu, 12 Mar 2026 01:00:00 -0600"


def test_atom_ids_are_tags_with_a_number_that_stays(example: Example) -> None:
    content = feeds.atom(example.snapshot())
    root = ET.fromstring(content)
    assert root.get("{http://www.w3.org/XML/1998/namespace}lang") == "en-US"
    assert root.findtext(f"{ATOM}id") == f"tag:{HOST},2005:/history"
    assert {link.get("rel"): link.get("href") for link in root.findall(f"{ATOM}link")} == {
        "alternate": example.page.url,
        "self": f"{example.page.url}/history.atom",
    }
    assert root.findtext(f"{ATOM}author/{ATOM}name") == "Acme"
    outage, planned, _ = items(content)
    assert outage.findtext(f"{ATOM}id") == f"tag:{HOST},2005:Incident/{example.outage.pk}"
    assert planned.findtext(f"{ATOM}published") == "2026-03-09T04:00:00-06:00"
    assert planned.findtext(f"{ATOM}updated") == "2026-03-09T04:00:00-06:00"


def test_an_item_tells_its_updates_newest_first_in_statuspages_words(example: Example) -> None:
    (outage, _, resolved) = feeds.feed_items(example.snapshot())
    zone = example.page.zone
    assert feeds.item_html(outage, zone, example.page.url) == (
        "<p><small>Mar <var data-var='date'>10</var>, <var data-var='time'>04:30</var> MDT</small><br>"
        "<strong>Update</strong> - Still looking.<br /><br />"
        'More <a href="https://acme.example/x" rel="noopener nofollow">here</a>.</p>'
        "<p><small>Mar <var data-var='date'>10</var>, <var data-var='time'>04:00</var> MDT</small><br>"
        "<strong>Investigating</strong> - We are looking into it.</p>"
    )
    assert "Mar <var data-var='date'> 9</var>" in feeds.item_html(resolved, zone, example.page.url)
    assert "<strong>Resolved</strong> - All is well again." in feeds.item_html(resolved, zone, example.page.url)


def test_maintenance_shows_its_window_until_it_begins(example: Example) -> None:
    planned = next(each for each in feeds.feed_items(example.snapshot()) if each.window)
    window = (
        "<p><strong>THIS IS A SCHEDULED EVENT Mar <var data-var='date'>12</var>, <var data-var='time'>00:00</var>"
        " - <var data-var='time'>01:00</var> MDT</strong></p>"
    )
    assert feeds.item_html(planned, example.page.zone, example.page.url).startswith(window)
    assert feeds.item_html(planned, example.page.zone, example.page.url, feeds.Dates.STATUSPAGE).startswith(window)
    with time_machine.travel(at(12, 6, 1)):
        example.planned.post(Post("Begun.", "in_progress"))
    running = feeds.feed_items(example.snapshot(at(12, 6, 2)))[0]
    html = feeds.item_html(running, example.page.zone, example.page.url)
    assert "SCHEDULED EVENT" not in html
    assert "<strong>In progress</strong> - Begun." in html
    assert feeds.item_date(running).replace(microsecond=0) == at(12, 6, 1)


def test_a_window_over_midnight_is_worded_as_statuspage_does_where_its_dates_are_asked_for(example: Example) -> None:
    planned = next(each for each in feeds.feed_items(example.snapshot()) if each.window)
    planned = replace(planned, scheduled_until=planned.begins_at + timedelta(days=1))
    window = (
        "<p><strong>THIS IS A SCHEDULED EVENT Mar <var data-var='date'>12</var>, <var data-var='time'>00:00</var>"
        " MDT &nbsp;-&nbsp; Mar <var data-var='date'>13</var>, <var data-var='time'>00:00</var> MDT</strong></p>"
    )
    assert feeds.item_html(planned, example.page.zone, example.page.url, feeds.Dates.STATUSPAGE).startswith(window)
    assert "&nbsp;" not in feeds.item_html(planned, example.page.zone, example.page.url)


def test_a_new_update_brings_its_item_up_and_a_postmortem_does_not(example: Example) -> None:
    with time_machine.travel(at(20, 8)):
        example.outage.post(Post("Done.", "resolved", at=at(11, 8)))
        example.outage.post(Post("What happened …", "postmortem", at=at(20, 8)))
    outage = next(each for each in feeds.feed_items(example.snapshot()) if each.code == example.outage.code)
    assert feeds.item_date(outage) == at(11, 8)
    assert outage.updated_at == at(20, 8)


def test_correcting_a_text_keeps_ids_and_item_dates(example: Example) -> None:
    def identity() -> list[tuple[str | None, ...]]:
        found = items(feeds.rss(example.snapshot())), items(feeds.atom(example.snapshot()))
        return [
            (rss.findtext("guid"), rss.findtext("pubDate"), atom.findtext(f"{ATOM}id"))
            for rss, atom in zip(*found, strict=True)
        ]

    before = identity()
    example.resolved.updates.first().rewrite("All is well.", actor="ann")
    assert identity() == before


def test_a_feed_holds_the_25_latest(example: Example) -> None:
    for number in range(30):
        told = Incident.open(
            example.page, f"Number {number}", Post("Words.", at=at(10, 11) + timedelta(minutes=number))
        )
        told.incident.post(Post("Well again.", "resolved", at=at(10, 11) + timedelta(minutes=number)))
    found = items(feeds.rss(example.snapshot()))
    assert len(found) == 25
    assert [each.findtext("title") for each in found[:2]] == ["Number 29", "Number 28"]


HOSTILE = "\x00\x0b]]> </title><script>alert(1)</script> & \ufffe \u202e \U0001f469\u200d\U0001f4bb"


def test_a_hostile_title_breaks_no_feed(example: Example) -> None:
    Incident.open(example.page, HOSTILE, Post(HOSTILE + " <img src=x onerror=alert(1)>", at=at(10, 11)))
    snapshot = example.snapshot()
    for content in (feeds.rss(snapshot), feeds.atom(snapshot), json.dumps(feeds.json_feed(snapshot)).encode()):
        if content.startswith(b"{"):
            item = json.loads(content)["items"][0]
            title, html = item["title"], item["content_html"]
        else:
            parsed = feedparser.parse(content, sanitize_html=False)
            assert not parsed.bozo
            title, html = (
                parsed.entries[0].title,
                parsed.entries[0].get("summary") or parsed.entries[0].content[0].value,
            )
        assert "]]>" in title
        assert "<script" not in html
        assert "<img" not in html


def test_feeds_have_their_media_types_and_parse(example: Example, client: Client) -> None:
    types = {}
    for path in ("/history.rss", "/history.atom", "/feed.json"):
        response = client.get(path, headers={"host": HOST})
        types[path] = response["Content-Type"]
        assert response["Access-Control-Allow-Origin"] == "*"
    assert types == {
        "/history.rss": "application/rss+xml; charset=utf-8",
        "/history.atom": "application/atom+xml; charset=utf-8",
        "/feed.json": "application/feed+json; charset=utf-8",
    }


def test_the_json_feed_has_what_version_1_1_asks_for(example: Example) -> None:
    feed: Any = feeds.json_feed(example.snapshot())
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert feed["feed_url"] == f"{example.page.url}/feed.json"
    outage, planned, _ = feed["items"]
    assert outage["id"] == outage["url"] == f"{example.page.url}/incidents/{example.outage.code}"
    assert planned["date_published"] == "2026-03-09T04:00:00.000-06:00"
    assert datetime.fromisoformat(outage["date_modified"]).astimezone(UTC) == at(10, 10, 30)


def test_a_feed_of_an_empty_page_is_a_feed(db: None) -> None:
    from pages.models import Page
    from public.snapshot import build

    snapshot = build(Page.objects.create(name="Empty", url="http://empty.localhost"))
    assert items(feeds.rss(snapshot)) == items(feeds.atom(snapshot)) == feeds.json_feed(snapshot)["items"] == []


def test_words_that_a_template_engine_would_run_stay_words(example: Example) -> None:
    text = "{{7*7}} {% debug %} ${x} {0.__class__} {{ settings.SECRET_KEY }}"
    Incident.open(example.page, text, Post(text, at=at(10, 11)))
    assert items(feeds.rss(example.snapshot()))[0].findtext("title") == text


@pytest.mark.parametrize(
    ("open_", "scheduled", "shown"),
    [(0, 25, 1), (1, 25, 2), (24, 25, 25), (0, 2, 1)],
)
def test_scheduled_maintenance_displaces_nothing_that_is_open(example: Example, open_: int, scheduled: int, shown: int):
    """The example has one open incident of its own."""
    for number in range(open_):
        Incident.open(example.page, f"Trouble {number}", Post("We are looking into it."))
    for number in range(scheduled):
        start = at(20, 6) + timedelta(hours=number)
        Incident.open(example.page, f"Work {number}", Post("We will replace disks.", status="scheduled", window=(start, start + timedelta(hours=1))), kind="maintenance")  # fmt: skip

    items = feeds.feed_items(example.snapshot())

    is_open = [each for each in items if each.kind == "incident" and not each.is_closed]
    assert len(is_open) == shown
    assert len(items) == min(25, 3 + open_ + scheduled)
    dates = [feeds.item_date(each) for each in items]
    assert dates == sorted(dates, reverse=True)


def test_an_update_before_the_start_brings_maintenance_up_again(example: Example) -> None:
    example.planned.post(Post("An hour later than we said.", "scheduled", at=at(10, 11)))
    first = feeds.feed_items(example.snapshot())[0]
    assert (first.code, feeds.item_date(first)) == (example.planned.code, at(10, 11))


@pytest.mark.parametrize("address", ["/history.rss", "/history.atom", "/feed.json"])
def test_who_relies_on_statuspages_dates_can_have_them(example: Example, client: Client, address: str) -> None:
    """Then maintenance is dated by its start, and keeps its bare name."""
    plain = client.get(address, headers={"host": HOST}).content.decode()
    theirs = client.get(f"{address}?dates=statuspage", headers={"host": HOST}).content.decode()
    for content, is_theirs in ((plain, False), (theirs, True)):
        assert ("Thu, 12 Mar 2026 00:00:00" in content or "2026-03-12T00:00:00" in content) == is_theirs
        assert ("(scheduled for Thu 12 March 2026" in content) != is_theirs


BLOCKS = "Known:\n\n- EU\n- US\n\n| Region | State |\n|---|---|\n| EU | down |\n\nSee [history](/history)."


def test_lists_and_tables_stay_what_they_are(example: Example) -> None:
    update = example.outage.post(Post(BLOCKS, "investigating", at=at(10, 11)))
    snapshot = example.snapshot()
    told = next(each for each in snapshot.incidents if each.code == update.incident.code)
    html = feeds.item_html(told, example.page.zone, example.page.url)
    assert "<strong>Update</strong> - Known:</p><ul>\n<li>EU</li>\n<li>US</li>\n</ul>" in html
    assert "<td>down</td>" in html
    assert f'<a href="{example.page.url}/history"' in html
    for content in (feeds.rss(snapshot), feeds.atom(snapshot)):
        [entry] = [each for each in feedparser.parse(content).entries if each.title == "Messages delayed"]
        assert "<li>US</li>" in (entry.get("content") or [{"value": entry.summary}])[0]["value"]


def test_statuspages_way_keeps_an_update_in_its_one_paragraph(example: Example) -> None:
    example.outage.post(Post(BLOCKS, "investigating", at=at(10, 11)))
    told = next(each for each in example.snapshot().incidents if each.code == example.outage.code)
    html = feeds.item_html(told, example.page.zone, example.page.url, feeds.Dates.STATUSPAGE)
    assert "- EU<br />- US" in html
    assert "<ul>" not in html
    assert f'<a href="{example.page.url}/history"' in html


def test_an_update_that_is_a_list_has_its_own_paragraph_all_the_same(example: Example) -> None:
    example.outage.post(Post("- EU\n- US", "investigating", at=at(10, 11)))
    told = next(each for each in example.snapshot().incidents if each.code == example.outage.code)
    html = feeds.item_html(told, example.page.zone, example.page.url)
    assert "<strong>Update</strong> - </p><ul>" in html
