"""The view of a feed for browsers: styled, with links, and the same feed to feed readers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import feedparser
import pytest
from django.contrib.staticfiles import finders
from lxml import etree

from public.documents.readable_feeds import ATOM, XHTML

if TYPE_CHECKING:
    from components.models import Component
    from incidents.models import Incident
    from tests.public.conftest import Get

FORMS = ("rss", "atom")


@pytest.mark.parametrize("form", FORMS)
def test_the_view_for_browsers_is_xml_with_our_style(get: Get, outage: Incident, form: str) -> None:
    answer = get(f"/history.{form}?view=browser")
    assert answer["Content-Type"] == "application/xml; charset=utf-8"
    styles = re.findall(r'<\?xml-stylesheet type="text/css" href="/static/([^"]+)"\?>', answer.content.decode())
    assert styles == ["css/tokens.css", "css/feed.css"]
    assert all(finders.find(each) for each in styles)


@pytest.mark.parametrize("form", FORMS)
def test_without_what_is_for_browsers_it_is_the_feed(get: Get, outage: Incident, form: str) -> None:
    plain, shown = (etree.fromstring(get(f"/history.{form}{query}").content) for query in ("", "?view=browser"))
    links = [str(each.get("href")) for each in shown.iter(f"{XHTML}a")]
    assert links == [f"https://status.acme.localhost/history.{form}", f"https://status.acme.localhost{outage.path}"]
    for each in [each for each in shown.iter() if str(each.tag).startswith(XHTML)]:
        if each.getparent() is not None:
            each.getparent().remove(each)
    parser = etree.XMLParser(remove_blank_text=True)
    first, second = (
        etree.tostring(etree.fromstring(etree.tostring(each), parser), method="c14n") for each in (plain, shown)
    )
    assert first == second


@pytest.mark.parametrize("form", FORMS)
def test_feed_readers_read_the_same_in_both(get: Get, outage: Incident, form: str) -> None:
    plain, shown = (feedparser.parse(get(f"/history.{form}{query}").content) for query in ("", "?view=browser"))
    assert not shown.bozo
    for name in ("id", "title", "link", "published", "summary"):
        assert [each.get(name) for each in shown.entries] == [each.get(name) for each in plain.entries]
    assert shown.feed.title == plain.feed.title


def test_the_feeds_of_a_component_have_it_too(get: Get, chat: Component) -> None:
    answer = get(f"/components/{chat.code}/history.atom?view=browser")
    assert answer["Content-Type"].startswith("application/xml")
    assert etree.fromstring(answer.content).find(f"{ATOM}title") is not None


@pytest.mark.parametrize("query", ["", "?view=", "?view=text", "?utm_source=x"])
def test_the_feed_s_own_address_stays_as_it_is(get: Get, outage: Incident, query: str) -> None:
    answer = get(f"/history.atom{query}")
    assert answer["Content-Type"] == "application/atom+xml; charset=utf-8"
    assert b"xml-stylesheet" not in answer.content
