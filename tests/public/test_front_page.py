import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import time_machine
from bs4 import BeautifulSoup, Tag
from django.conf import settings
from django.contrib.staticfiles import finders
from django.utils import timezone

from components.models import Component, Group
from components.status import Status
from incidents.models import Incident, Post
from incidents.phases import Kind, Phase
from pages.models import Page

if TYPE_CHECKING:
    from tests.public.conftest import Get, Read

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOSTILE = '<script>alert(1)</script>" onload="x'


def one(root: BeautifulSoup | Tag, selector: str) -> Tag:
    found = root.select(selector)
    assert len(found) == 1, (selector, found)
    return found[0]


def text(root: BeautifulSoup | Tag) -> str:
    return " ".join(root.get_text(" ").split())


def component(page: Page, name: str, **fields: object) -> Component:
    return Component.objects.create(page=page, name=name, created_at=NOW - timedelta(days=200), **fields)


def move(item: Component, status: Status, at: datetime | None = None) -> None:
    item.page.raise_generation()
    item.move_to(status, at or timezone.now())


def test_the_first_line_answers_whether_it_is_them_or_me(read: "Read", chat: Component) -> None:
    assert text(one(read("/"), "h1")) == "All systems are working"
    move(chat, Status.MAJOR_OUTAGE)
    page = read("/")
    assert text(one(page, "h1")) == "All systems are down"
    assert "Affected: Chat API." in text(one(page, ".hero"))
    assert one(page, "title").string == "Acme Status: All systems are down"
    assert "major_outage" in one(page, ".hero")["class"]


def test_an_open_incident_is_told_with_its_updates_newest_first(read: "Read", outage: Incident) -> None:
    outage.post(Post("Rolling back.", Phase.IDENTIFIED))
    outage.post(Post("Half way through.", Phase.IDENTIFIED))
    card = one(read("/"), ".incident")
    assert one(card, "h3 a")["href"] == outage.path
    assert [text(each) for each in card.select(".timeline .phase")] == ["Update", "Identified", "Investigating"]
    assert [text(each) for each in card.select(".timeline .body")][1:] == ["Rolling back.", "We are looking into it."]
    assert card.select(".timeline .body strong")
    assert text(one(card, ".affects")) == "Affects Chat API (partial outage)"


def test_maintenance_is_shown_before_it_starts_with_its_window_and_what_it_affects(
    read: "Read", acme: Page, chat: Component
) -> None:
    with time_machine.travel(NOW, tick=False):
        update = Incident.open(acme, "Database work", Post("Read-only for some minutes.", status=Phase.SCHEDULED, components={chat: Status.UNDER_MAINTENANCE}, window=(NOW + timedelta(days=3, hours=14), NOW + timedelta(days=3, hours=15))), kind=Kind.MAINTENANCE)  # fmt: skip
        page = read("/")
        card = one(page, ".scheduled")
        assert text(one(page, "h1")) == "All systems are working"
        assert text(one(card, ".when")) == "Wed 25 November, 02:00 to 03:00 UTC"
        assert "Will affect Chat API" in text(card)
        update.incident.post(Post("It begins.", Phase.IN_PROGRESS, components={chat: Status.UNDER_MAINTENANCE}))
        page = read("/")
        assert text(one(page, "h1")) == "Maintenance is under way"
        assert not page.select(".scheduled")
        assert "Wed 25 November" in text(one(page, ".incident"))


def test_times_are_in_the_zone_of_the_page(read: "Read", acme: Page, chat: Component) -> None:
    Page.objects.filter(pk=acme.pk).update(time_zone="America/New_York")
    with time_machine.travel(NOW, tick=False):
        update = Incident.open(acme, "Errors", Post("Looking.", at=datetime(2026, 11, 21, 3, 30, tzinfo=UTC)))
        page = read(update.incident.path)
    shown = one(page, ".timeline time")
    assert (text(shown), shown["datetime"]) == ("20 Nov, 22:30 EST", "2026-11-21T03:30:00Z")
    assert one(page, "#zone-name").string == "America/New York"


def test_groups_stand_among_loose_components_by_position(read: "Read", acme: Page) -> None:
    component(acme, "Website", position=1)
    component(acme, "Mail", position=2)
    group = Group.objects.create(page=acme, name="Messaging", position=3)
    component(acme, "Chat", position=2, group=group)
    component(acme, "Push", position=1, group=group)
    component(acme, "Dashboard", position=4)
    Group.objects.create(page=acme, name="Empty", position=5)
    cards = read("/").select(".card")
    names = [[text(name) for name in card.select(".name")] for card in cards]
    assert names == [["Website", "Mail"], ["Push", "Chat"], ["Dashboard"]]
    assert "open" not in cards[1].attrs


def test_a_group_with_trouble_is_open_and_as_bad_as_its_worst_child(read: "Read", acme: Page) -> None:
    group = Group.objects.create(page=acme, name="Messaging")
    component(acme, "Push", group=group)
    move(component(acme, "Chat", group=group), Status.PARTIAL_OUTAGE)
    card = one(read("/"), "details.group")
    assert "open" in card.attrs
    assert text(one(card, "summary > .state")) == "Partial outage"


def test_a_quiet_component_may_be_left_out_until_it_is_degraded(read: "Read", acme: Page, chat: Component) -> None:
    group = Group.objects.create(page=acme, name="Partners")
    vendor = component(acme, "Vendor", group=group, only_show_if_degraded=True)
    assert "Vendor" not in text(read("/"))
    assert "Partners" not in text(read("/"))
    move(vendor, Status.DEGRADED_PERFORMANCE)
    assert "Vendor" in text(read("/"))


@time_machine.travel(NOW, tick=False)
def test_days_with_trouble_are_told_in_words_and_not_by_colour_alone(read: "Read", acme: Page) -> None:
    chat = component(acme, "Chat API")
    move(chat, Status.PARTIAL_OUTAGE, NOW - timedelta(days=2, hours=1))
    move(chat, Status.MAJOR_OUTAGE, NOW - timedelta(days=2, minutes=5))
    move(chat, Status.UNDER_MAINTENANCE, NOW - timedelta(days=2))
    move(chat, Status.OPERATIONAL, NOW - timedelta(days=2) + timedelta(hours=26))
    row = one(read("/"), ".component")
    bars = row.select(".bars i")
    assert (len(bars), [each.get("class") for each in bars[-4:]]) == (90, [None, ["maj"], ["mnt"], None])
    days = one(read("/"), ".troubled")
    assert text(one(days, "summary")) == "1 day with trouble, 1 with maintenance in 90 days"
    assert [text(each) for each in days.select(f"#d-{chat.code} li")] == [
        "20 November : Under maintenance 14 hours",
        "19 November : Major outage 5 minutes, partial outage 55 minutes, under maintenance 12 hours",
    ]
    assert [link["href"] for link in days.select("a")] == [
        "/history/2026-11#d-2026-11-20",
        "/history/2026-11#d-2026-11-19",
    ]
    assert text(row.select(".scale")[0]) == "90 days ago 99.98 % uptime in 90 days Today"


@time_machine.travel(NOW, tick=False)
def test_only_what_was_never_down_has_a_hundred_percent(read: "Read", acme: Page) -> None:
    chat = component(acme, "Chat API")
    assert "100.00 % uptime" in text(read("/"))
    move(chat, Status.MAJOR_OUTAGE, NOW - timedelta(days=2, seconds=10))
    move(chat, Status.OPERATIONAL, NOW - timedelta(days=2))
    assert "99.99 % uptime" in text(read("/"))


@time_machine.travel(NOW, tick=False)
def test_days_before_a_component_existed_have_pale_bars(read: "Read", acme: Page) -> None:
    Component.objects.create(page=acme, name="New", start_date=date(2026, 11, 20))
    bars = read("/").select(".bars i")
    assert [each.get("class") for each in bars] == [["none"]] * 88 + [None] * 2


def test_a_component_without_uptime_has_no_bars(read: "Read", acme: Page) -> None:
    component(acme, "Quiet", showcase=False)
    row = one(read("/"), ".component")
    assert not row.select(".bars")
    assert "%" not in text(row)


@time_machine.travel(NOW, tick=False)
def test_recent_days_tell_what_happened_and_when_nothing_did(read: "Read", acme: Page, chat: Component) -> None:
    update = Incident.open(acme, "Slow", Post("Looking.", at=NOW - timedelta(days=1, minutes=14)))
    update.incident.post(Post("Done.", Phase.RESOLVED, at=NOW - timedelta(days=1)))
    days = [text(day) for day in read("/").select(".day, .quiet-days")]
    assert days == [
        "Today, 21 November No incidents.",
        "20 November Slow Resolved after 14 minutes",
        "15 to 19 November : no incidents",
    ]
    update.incident.post(Post("What went wrong.", Phase.POSTMORTEM))
    assert "Postmortem of Slow" in text(read("/").select(".day")[1])


def test_what_staff_wrote_cannot_become_markup(get: "Get", acme: Page) -> None:
    Page.objects.filter(pk=acme.pk).update(name=HOSTILE, about=HOSTILE)
    group = Group.objects.create(page=acme, name=HOSTILE, description=HOSTILE)
    part = component(acme, HOSTILE, group=group, description=HOSTILE)
    body = f"{HOSTILE} <img src=x onerror=alert(1)> [x](javascript:alert(1)) <div hx-get=/admin/>"
    update = Incident.open(acme, HOSTILE, Post(body, components={part: Status.MAJOR_OUTAGE}))
    for address in ("/", update.incident.path, "/history"):
        page = BeautifulSoup(get(address).content, "html.parser")
        assert not page.select("script:not([src], [type='application/ld+json'])")
        assert all(
            "<" not in data.text and json.loads(data.text) for data in page.select("[type='application/ld+json']")
        )
        assert not page.select("[onload], [onerror], img, [href^=javascript], .body [hx-get]")


@pytest.mark.parametrize("code", ["{{7*7}}", "{% debug %}", "${x}", "{{ settings.SECRET_KEY }}", "{0.__class__}"])
def test_template_code_in_texts_is_only_text(get: "Get", acme: Page, code: str) -> None:
    Incident.open(acme, code, Post("Looking."))
    assert code in get("/").content.decode()


def test_texts_in_other_scripts_choose_their_own_direction(read: "Read", acme: Page) -> None:
    Incident.open(acme, "عطل في الدردشة", Post("نحن نبحث"))
    assert one(read("/"), ".incident h3 a")["dir"] == "auto"


def test_nothing_is_inline_and_nothing_comes_from_elsewhere(read: "Read", outage: Incident) -> None:
    for address in ("/", "/history", outage.path, "/api", "/nothing-here"):
        page = read(address) if address != "/nothing-here" else BeautifulSoup(b"", "html.parser")
        assert not page.select(
            "style, [style], [onclick], iframe, object, form:not([role=search][action='/history/search'])"
        )
        scripts = page.select("script:not([type='application/ld+json'])")  # which is data, and never run
        assert all(script["src"].startswith("/") for script in scripts)
        loads = page.select("link[rel=stylesheet], link[rel=icon], img")
        assert all((each.get("href") or each.get("src", "")).startswith("/") for each in loads)


def test_the_fragment_is_the_very_part_of_the_page_that_it_replaces(get: "Get", outage: Incident) -> None:
    for page, fragment in (("/", "/fragments/summary"), (outage.path, f"/fragments{outage.path}")):
        assert get(fragment).content.decode().strip() in get(page).content.decode()
        poller = one(BeautifulSoup(get(page).content, "html.parser"), "[hx-get]")
        assert poller["hx-get"] == fragment
        assert one(BeautifulSoup(get(fragment).content, "html.parser"), poller["hx-target"])


def test_htmx_is_told_to_run_nothing_that_it_finds_in_a_page(read: "Read", acme: Page) -> None:
    """Another version of htmx ignores keys that it does not know, without a word."""
    page = read("/")
    config = json.loads(str(one(page, "meta[name=htmx-config]")["content"]))
    assert (config["allowEval"], config["allowScriptTags"], config["selfRequestsOnly"]) == (False, False, True)
    assert config["includeIndicatorStyles"] is False  # they would be inline, which the policy forbids
    script = next(str(each["src"]) for each in page.select("script") if "htmx" in str(each["src"]))
    source = Path(str(finders.find(script.removeprefix(settings.STATIC_URL)))).read_text()
    for key in config:
        assert f"{key}:" in source, key


def test_the_worst_open_incident_comes_first(read: "Read", acme: Page, chat: Component) -> None:
    Incident.open(acme, "Outage", Post("x", components={chat: Status.MAJOR_OUTAGE}))
    Incident.open(acme, "A typo", Post("x"))
    assert [text(each) for each in read("/").select(".incident h3")][:2] == ["Outage", "A typo"]


def test_a_page_without_components_says_so_in_no_status_colour(read: "Read", acme: Page) -> None:
    page = read("/")
    assert text(one(page, "h1")) == "This page is being set up"
    assert not set(one(page, ".hero")["class"]) & {status.slug for status in Status}


def test_days_before_the_page_was_there_are_not_called_quiet(read: "Read", acme: Page) -> None:
    """Unless something older is known, as after an import."""
    Page.objects.filter(pk=acme.pk).update(created_at=NOW - timedelta(days=2))
    acme.raise_generation()
    with time_machine.travel(NOW, tick=False):
        assert text(one(read("/"), ".quiet-days")) == "19 to 20 November : no incidents"
        Incident.open(acme, "Imported", Post("Once.", at=NOW - timedelta(days=4))).incident.post(
            Post("Over.", Phase.RESOLVED, at=NOW - timedelta(days=4))
        )
        page = read("/")
        assert text(one(page, ".quiet-days")) == "18 to 20 November : no incidents"
        assert [day["id"] for day in page.select(".day")] == ["d-2026-11-21", "d-2026-11-17"]


@time_machine.travel(NOW, tick=False)
def test_a_group_has_one_list_of_days_with_trouble_for_all_its_components(read: "Read", acme: Page) -> None:
    """A day on which two of them had trouble counts once, as the worse of them had it."""
    group = Group.objects.create(page=acme, name="Messaging")
    push, chat = component(acme, "Push", group=group), component(acme, "Chat", group=group, position=1)
    component(acme, "Well", group=group, position=2)
    for part, status, days in ((push, Status.UNDER_MAINTENANCE, 3), (chat, Status.MAJOR_OUTAGE, 3), (push, Status.DEGRADED_PERFORMANCE, 1)):  # fmt: skip
        move(part, status, NOW - timedelta(days=days, minutes=5))
        move(part, Status.OPERATIONAL, NOW - timedelta(days=days))
    days = one(read("/"), "details.group .troubled")
    assert text(one(days, "summary")) == "2 days with trouble in 90 days"
    assert [text(each) for each in days.select("h4")] == ["Push", "Chat"]
    assert "Only outages lower the uptime" in text(read("/"))


@time_machine.travel(NOW, tick=False)
def test_the_incidents_of_a_day_are_told_to_the_script_with_the_components_they_touched(
    read: "Read", acme: Page, chat: Component
) -> None:
    """Two on one day, one over midnight, one that names no component; none that has not begun or is older than the bars."""
    mail = component(acme, "Mail")
    for part in (chat, mail):
        part.spans.update(started_at=NOW - timedelta(days=190))
    cases = (("Night", {chat: Status.MAJOR_OUTAGE}, 40, 14), ("Mail slow", {mail: Status.DEGRADED_PERFORMANCE}, 20, 19), ("Nothing named", {}, 18, 17), ("Old", {}, 24 * 95, 24 * 94))  # fmt: skip
    for name, moves, began, ended in sorted(cases, key=lambda case: -case[2]):
        update = Incident.open(acme, name, Post("x", components=moves, at=NOW - timedelta(hours=began)))
        update.incident.post(Post("x", Phase.RESOLVED, at=NOW - timedelta(hours=ended)))
    window = (NOW + timedelta(days=1), NOW + timedelta(days=2))
    Incident.open(acme, "Ahead", Post("x", status=Phase.SCHEDULED, window=window), kind=Kind.MAINTENANCE)
    lists = {each["data-day"]: each for each in read("/fragments/days").select("[data-day]")}
    told = {
        day: {text(one(item, "a")): item.get("data-for") for item in each.select("li")} for day, each in lists.items()
    }
    assert told == {
        "2026-11-20": {"Night": chat.code, "Mail slow": mail.code, "Nothing named": None},
        "2026-11-19": {"Night": chat.code},
    }
