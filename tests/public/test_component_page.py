"""A page for each component."""

from datetime import timedelta
from typing import TYPE_CHECKING

import feedparser
import pytest
from django.utils import timezone

from components.models import Component, Group
from components.status import Status
from incidents.models import Incident, Post
from incidents.phases import Kind, Phase
from pages.models import Page

if TYPE_CHECKING:
    from tests.public.conftest import Get, Read


def page_of(component: Component) -> str:
    return f"/components/{component.code}"


def test_the_front_page_leads_to_the_page_of_a_component(read: "Read", chat: Component) -> None:
    assert page_of(chat) in [link["href"] for link in read("/").select(".component .name a")]
    assert [heading.get_text() for heading in read(page_of(chat)).select("h1")] == ["Chat API"]


def test_it_says_what_the_component_shows_and_since_when(
    read: "Read", acme: Page, chat: Component, outage: Incident
) -> None:
    chat.group = Group.objects.create(page=acme, name="Chat")
    chat.save()
    acme.raise_generation()
    page = read(page_of(chat))
    hero = page.select(".hero")[0]
    since = chat.spans.get(ended_at=None).started_at
    assert "Chat" in hero.get_text()
    assert "Partial outage" in hero.get_text()
    assert [time["datetime"] for time in hero.select("time")] == [f"{since:%Y-%m-%dT%H:%M:%SZ}"]
    assert len(page.select(".bars i")) == 90
    assert [link["href"] for link in page.select("h3 a")] == [outage.path]


def test_it_shows_what_touched_the_component_and_nothing_else(read: "Read", acme: Page, chat: Component) -> None:
    site = Component.objects.create(page=acme, name="Website")
    now = timezone.now()
    for name, component in (("Chat was slow", chat), ("Site was slow", site)):
        incident = Incident.open(acme, name, Post("Looking.", components={component: Status.PARTIAL_OUTAGE})).incident
        incident.post(Post("Done.", Phase.RESOLVED, components={component: Status.OPERATIONAL}))
    window = (now + timedelta(days=1), now + timedelta(days=1, hours=1))
    Incident.open(acme, "Chat moves", Post("We move.", status=Phase.SCHEDULED, components={chat: Status.UNDER_MAINTENANCE}, window=window), kind=Kind.MAINTENANCE)  # fmt: skip
    page = read(page_of(chat))
    assert [link.get_text() for link in page.select(".scheduled h3 a")] == ["Chat moves"]
    assert [link.get_text() for link in page.select(".day a")] == ["Chat was slow"]
    assert "Site was slow" not in page.get_text()


def test_a_component_that_was_always_well_says_so(read: "Read", chat: Component) -> None:
    assert "No earlier incidents or maintenance are known." in read(page_of(chat)).get_text()


@pytest.mark.parametrize("change", [{"hidden": True}, {"archived_at": timezone.now()}])
def test_a_hidden_or_archived_component_has_no_page(
    get: "Get", acme: Page, chat: Component, change: dict[str, object]
) -> None:
    Component.objects.filter(pk=chat.pk).update(**change)
    acme.raise_generation()
    assert get(page_of(chat)).status_code == get(f"/fragments{page_of(chat)}").status_code == 404


def test_a_component_shown_only_when_degraded_keeps_its_page_when_it_is_well(
    read: "Read", acme: Page, chat: Component
) -> None:
    Component.objects.filter(pk=chat.pk).update(only_show_if_degraded=True)
    acme.raise_generation()
    assert page_of(chat) not in str(read("/"))
    assert "Operational" in read(page_of(chat)).get_text()


def test_the_page_of_a_component_leads_to_subscribing_to_it_alone(read: "Read", acme: Page, chat: Component) -> None:
    Component.objects.create(page=acme, name="Website")
    address = f"/subscribe?component={chat.code}"
    assert address in [link["href"] for link in read(page_of(chat)).select("main a")]
    form = read(address).select("form")[0]
    assert [each["value"] for each in form.select("[checked]")] == ["chosen", chat.code]


@pytest.mark.parametrize("code", ["nothing", "", "<script>", "a" * 5000])
def test_subscribing_passes_over_a_code_that_no_component_has(read: "Read", chat: Component, code: str) -> None:
    assert [each["value"] for each in read(f"/subscribe?component={code}").select("[checked]")] == ["everything"]


def test_one_page_does_not_show_the_component_of_another(get: "Get", chat: Component, globex: Page) -> None:
    assert get(page_of(chat), host=globex.host).status_code == 404


@pytest.mark.parametrize("form", ["rss", "atom"])
def test_a_component_and_a_group_have_feeds_of_what_touches_them(
    get: "Get", acme: Page, chat: Component, outage: Incident, form: str
) -> None:
    chat.group = Group.objects.create(page=acme, name="Messaging")
    chat.save()
    site = Component.objects.create(page=acme, name="Website")
    slow = Incident.open(acme, "Site was slow", Post("Looking.", components={site: Status.PARTIAL_OUTAGE})).incident
    for path in (page_of(chat), f"/groups/{chat.group.code}"):
        feed = feedparser.parse(get(f"{path}/history.{form}").content)
        assert [entry["link"] for entry in feed.entries] == [acme.absolute_url(outage.path)]
    assert feed.feed.title == "Messaging - Acme Status Status - Incident History"
    assert feed.feed.link == acme.absolute_url(f"/#g-{chat.group.code}")
    feed = feedparser.parse(get(f"{page_of(site)}/history.{form}").content)
    assert [entry["link"] for entry in feed.entries] == [acme.absolute_url(slow.path)]


def test_the_page_of_a_component_tells_feed_readers_of_its_feeds(read: "Read", chat: Component) -> None:
    found = [link["href"] for link in read(page_of(chat)).select("link[rel=alternate][type]")]
    assert found[:2] == [f"{page_of(chat)}/history.atom", f"{page_of(chat)}/history.rss"]


def test_nothing_hidden_has_a_feed(get: "Get", acme: Page) -> None:
    group = Group.objects.create(page=acme, name="Hidden ones")
    hidden = Component.objects.create(page=acme, name="Secret", hidden=True, group=group)
    for path in (page_of(hidden), f"/groups/{group.code}"):
        assert [get(f"{path}/history.{form}").status_code for form in ("rss", "atom")] == [404, 404]
