"""What search engines are told: which pages there are, and what each is about."""

import json
from datetime import timedelta
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from bs4 import BeautifulSoup
from django.utils import timezone

from components.models import Component
from components.status import Status
from incidents.models import Incident, Post
from incidents.phases import Kind, Phase
from pages.models import Page

if TYPE_CHECKING:
    from tests.public.conftest import Get, Read


def data_of(page: BeautifulSoup) -> list[dict[str, object]]:
    return [json.loads(block.string or "") for block in page.select('script[type="application/ld+json"]')]


def test_the_sitemap_lists_pages_that_are_there(get: "Get", acme: Page, chat: Component, outage: Incident) -> None:
    Component.objects.create(page=acme, name="Secret", hidden=True)
    rare = Component.objects.create(page=acme, name="Rare", only_show_if_degraded=True)
    acme.raise_generation()
    answer = get("/sitemap.xml")
    places = [each.text or "" for each in ET.fromstring(answer.content).iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]  # fmt: skip
    paths = [place.removeprefix(acme.url) for place in places]
    assert paths[:3] == ["/", f"/components/{chat.code}", outage.path]
    assert rare.code not in str(paths)
    assert all(get(path).status_code == 200 for path in paths)
    assert len([path for path in paths if path.startswith("/components/")]) == 1


def test_robots_txt_names_the_sitemap(get: "Get", acme: Page) -> None:
    assert f"Sitemap: {acme.url}/sitemap.xml" in get("/robots.txt").content.decode().splitlines()


def test_forms_ask_not_to_be_listed(get: "Get", acme: Page) -> None:
    assert get("/subscribe")["X-Robots-Tag"] == "noindex"
    assert "/subscribe" not in get("/robots.txt").content.decode()


def test_each_page_says_where_it_stands(read: "Read", acme: Page, chat: Component, outage: Incident) -> None:
    for path in (f"/components/{chat.code}", outage.path):
        [trail] = data_of(read(path))
        steps = trail["itemListElement"]
        assert isinstance(steps, list)
        assert (steps[0]["item"], steps[-1]["item"]) == (f"{acme.url}/", acme.absolute_url(path))
        assert read(path).select_one("link[rel=canonical]")["href"] == acme.absolute_url(path)  # type: ignore[index]


def test_maintenance_is_an_event_and_its_name_ends_no_script(read: "Read", acme: Page, chat: Component) -> None:
    start = (timezone.now() + timedelta(days=1)).replace(microsecond=0)
    name = "Move </script><script>alert(1)</script> & more"
    planned = Incident.open(acme, name, Post("We move.", status=Phase.SCHEDULED, components={chat: Status.UNDER_MAINTENANCE}, window=(start, start + timedelta(hours=1))), kind=Kind.MAINTENANCE)  # fmt: skip
    page = read(planned.incident.path)
    event = data_of(page)[1]
    assert (event["@type"], event["name"], event["startDate"]) == ("Event", name, start.isoformat())
    assert all(script.get("src") or script.get("type") == "application/ld+json" for script in page.select("script"))
