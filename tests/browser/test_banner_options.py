"""The banner's options in a page of another origin. What it is told is made up here: its shape is tested in tests/public/."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import ConsoleMessage, Locator, Page, Route, expect

from core.banner_script import integrity_of, kept_versions
from tests.browser.other_site import OtherSite, serve_site
from tests.browser.product import Product
from tests.browser.watch import find_barriers

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
NOW = "2026-03-10T12:00:00Z"
WORDS = {
    "lang": "en",
    "dir": "ltr",
    "details": "Details",
    "dismiss": "Dismiss this message",
    "left": ["in {m} min", "in {h} h {m} min", "in {d} d {h} h"],
}
NAMES = ["chat00000000", "chat api", "site00000000", "website"]
SHIFTS = """() => new Promise((seen) => {
    let sum = 0;
    new PerformanceObserver((list) => { for (const each of list.getEntries()) sum += each.value; }).observe({
        type: "layout-shift", buffered: true });
    requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => seen(sum), 50)));
})"""


def told(number: int, concerns: list[str], **more: Any) -> dict[str, Any]:
    return {
        "id": f"update{number}",
        "kind": "incident",
        "severity": "major",
        "title": f"Trouble {number}",
        "status": "investigating",
        "label": "Investigating",
        "text": "We are looking into it.",
        "link": "https://status.example.com/incidents/a",
        "concerns": concerns,
        "starts_at": "2026-03-10T11:00:00.000+00:00",
        "ends_at": None,
        "updated_at": f"2026-03-10T11:00:0{number}.000+00:00",
    } | more


CHAT, SITE = told(1, NAMES[:2]), told(2, NAMES[2:])
WORK = told(
    3,
    NAMES[2:],
    kind="maintenance",
    severity="maintenance",
    status="scheduled",
    label="Scheduled",
    starts_at="2026-03-10T14:10:00.000+00:00",
    ends_at="2026-03-10T15:00:00.000+00:00",
)


class Guest:
    """A page of another origin with some HTML, the banners that it is told of, and what the browser complained about."""

    def __init__(self, page: Page, site: OtherSite, status_page: str) -> None:
        self.page, self.site, self.src = page, site, f"{status_page}/embed.js"
        self.warnings: list[str] = []
        self.errors: list[str] = []
        self.asked = 0
        self.told: list[dict[str, Any]] = []
        self.words: dict[str, Any] = WORDS
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.route("**/api/banner.json", self._answer)

    def _hear(self, message: ConsoleMessage) -> None:
        heard = {"warning": self.warnings, "error": self.errors}.get(message.type)
        if heard is not None:
            heard.append(message.text)

    def _answer(self, route: Route) -> None:
        self.asked += 1
        document = {"banners": self.told, "components": NAMES, "words": self.words}
        route.fulfill(json=document, headers={"Access-Control-Allow-Origin": "*"})

    def open(self, body: str, *banners: dict[str, Any], direction: str = "ltr") -> None:
        self.told = list(banners) or self.told
        html = f"""<!doctype html><html lang="en" dir="{direction}"><head><meta charset="utf-8"><title>Shop</title>
        <meta name="viewport" content="width=device-width"></head><body><header>Shop</header>{body}</body></html>"""
        origin = self.src.rpartition("/")[0]
        policy = f"default-src 'none'; style-src 'unsafe-inline'; script-src {origin}; connect-src {origin}"
        self.site.pages["/"] = (html, f"{policy}; require-trusted-types-for 'script'")
        with self.page.expect_response("**/api/banner.json"):
            self.page.goto(f"{self.site.url}/")

    def line(self, options: str = "") -> str:
        return f'<main><h1>Shop</h1><p>Things to buy.</p></main><script async src="{self.src}" {options}></script>'

    @property
    def banner(self) -> Locator:
        return self.page.locator("status-banner")


@pytest.fixture
def guest(page: Page, product: Product) -> Iterator[Guest]:
    with serve_site() as site:
        yield Guest(page, site, product.url)


Box = dict[str, float]


@pytest.mark.parametrize("direction", ["ltr", "rtl"])
@pytest.mark.parametrize(
    ("position", "is_there"),
    [
        ("", lambda box, start, end: (end, box["y"] + box["height"]) == (16, 784)),
        ("corner", lambda box, start, end: (end, box["y"] + box["height"]) == (16, 784)),
        ("top", lambda box, start, end: (start, end, box["y"]) == (0, 0, 0)),
        ("bottom", lambda box, start, end: (start, end, box["y"] + box["height"]) == (0, 0, 800)),
    ],
)
def test_it_stands_where_the_page_wants_it_and_moves_nothing(
    guest: Guest, position: str, direction: str, is_there: Callable[[Box, float, float], bool]
) -> None:
    guest.page.set_viewport_size({"width": 1280, "height": 800})
    guest.open(guest.line(f'data-position="{position}"' if position else ""), CHAT, direction=direction)
    expect(guest.banner).to_contain_text("Trouble 1")
    box = guest.banner.locator(".card").bounding_box()
    assert box
    left, right = box["x"], 1280 - box["x"] - box["width"]
    assert is_there(box, *((left, right) if direction == "ltr" else (right, left))), box  # type: ignore[arg-type]
    assert guest.page.evaluate(SHIFTS) == 0
    assert find_barriers(guest.page, ("wcag2a", "wcag2aa", "wcag21aa")) == []
    assert (guest.warnings, guest.errors) == ([], [])


@pytest.mark.parametrize(
    ("height", "drawn", "below"), [("", True, 0), ("120px", True, 120), ("120px", False, 120), ("", False, 0)]
)
def test_inline_it_takes_the_room_that_the_page_keeps_free_and_no_other(
    guest: Guest, height: str, drawn: bool, below: int
) -> None:
    element = f'<status-banner position="inline" style="--status-banner-height: {height}"></status-banner>'
    if not height:
        element = '<status-banner position="inline"></status-banner>'
    guest.told = []
    guest.open(
        f'<div id="a"></div>{element}<div id="b">Below</div><script async src="{guest.src}"></script>',
        *([CHAT] if drawn else []),
    )
    if drawn:
        expect(guest.banner).to_contain_text("Trouble 1")
        top = guest.page.locator("#a").bounding_box()
        card = guest.banner.locator(".card").bounding_box()
        assert top
        assert card
        assert card["y"] == top["y"]
    else:
        expect(guest.banner.get_by_role("status")).to_be_empty()
    gap = "document.getElementById('b').offsetTop - document.getElementById('a').offsetTop"
    assert guest.page.evaluate(gap) == below
    if not height:
        assert guest.page.evaluate(SHIFTS) == 0


def test_the_line_itself_may_stand_where_the_banner_shall(guest: Guest) -> None:
    guest.open(f'<p id="a">A</p><script async src="{guest.src}" data-position="inline"></script><p>B</p>', CHAT)
    expect(guest.banner).to_contain_text("Trouble 1")
    assert guest.page.evaluate("document.querySelector('status-banner').previousElementSibling.tagName") == "SCRIPT"


@pytest.mark.parametrize(
    ("chosen", "shown"),
    [("Website", "Trouble 2"), ("site00000000", "Trouble 2"), (" chat API ,Website", "Trouble 1"), ("", "Trouble 1")],
)
def test_only_what_concerns_chosen_components_is_shown(guest: Guest, chosen: str, shown: str) -> None:
    guest.open(guest.line(f'data-components="{chosen}"'), CHAT, SITE)
    expect(guest.banner).to_contain_text(shown)
    assert guest.warnings == []


def test_trouble_elsewhere_is_not_shown(guest: Guest) -> None:
    guest.open(guest.line('data-components="website"'), CHAT)
    guest.page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    expect(guest.banner.get_by_role("status")).to_be_empty()


def test_chosen_components_may_change_while_the_page_is_open(guest: Guest) -> None:
    guest.open(guest.line('data-components="website"'), CHAT, SITE)
    expect(guest.banner).to_contain_text("Trouble 2")
    guest.banner.evaluate("(banner) => banner.setAttribute('components', 'chat api')")
    expect(guest.banner).to_contain_text("Trouble 1")
    assert guest.asked == 1


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ('data-position="middle"', "bad position “middle”"),
        ('data-components="Sing-in"', "bad component “sing-in”"),
        ('style="" data-src="http://["', "bad src “http://[”"),
    ],
)
def test_a_bad_option_is_passed_over_and_said_once(guest: Guest, options: str, says: str) -> None:
    guest.open(guest.line(options), CHAT)
    expect(guest.banner).to_contain_text("Trouble 1")
    box = guest.banner.locator(".card").bounding_box()
    assert box
    assert box["width"] <= 380
    guest.banner.evaluate("(banner) => { banner.draw(); banner.draw(); }")
    assert guest.warnings == [f"status-banner: {says}"]
    assert guest.errors == []


def test_the_link_has_the_accent_of_the_status_page_unless_the_page_around_sets_the_text(guest: Guest) -> None:
    dressed = CHAT | {"accent": ["#5a28c8", "#aa88ff"]}
    link = guest.banner.get_by_role("link")
    guest.page.emulate_media(color_scheme="light")
    guest.open(guest.line(), dressed)
    expect(link).to_have_css("color", "rgb(90, 40, 200)")
    guest.page.emulate_media(color_scheme="dark")
    expect(link).to_have_css("color", "rgb(170, 136, 255)")
    guest.open("<style>:root { --status-banner-text: rgb(1, 2, 3) }</style>" + guest.line(), dressed)
    expect(link).to_have_css("color", "rgb(1, 2, 3)")
    guest.page.emulate_media(color_scheme="light")
    guest.open(guest.line(), CHAT | {"accent": None})
    expect(link).to_have_css("color", "rgb(21, 24, 29)")
    assert guest.errors == []


def test_the_page_sets_colours_and_a_bad_one_is_passed_over(guest: Guest) -> None:
    style = (
        "<style>:root { --brand: rgb(1, 2, 3); --status-banner-background: var(--brand); --status-banner-text: banana; "
        "--status-banner-major: rgb(200, 210, 220); --status-banner-radius: 3px }</style>"
    )
    guest.page.emulate_media(color_scheme="light")
    guest.open(style + guest.line(), CHAT)
    card = guest.banner.locator(".card")
    expect(card).to_have_css("background-color", "rgb(1, 2, 3)")
    expect(card).to_have_css("border-left-color", "rgb(200, 210, 220)")
    expect(card).to_have_css("border-radius", "3px")
    expect(card).to_have_css("color", "rgb(21, 24, 29)")
    assert guest.warnings == ["status-banner: bad --status-banner-text “banana”"]
    guest.page.evaluate("document.documentElement.style.setProperty('--brand', 'rgb(4, 5, 6)')")
    expect(card).to_have_css("background-color", "rgb(4, 5, 6)")


def test_it_counts_down_to_maintenance_by_the_minute(guest: Guest) -> None:
    guest.page.clock.install(time=NOW)
    guest.open(guest.line('data-components="website"'), WORK)
    left = guest.banner.get_by_role("timer")
    expect(left).to_have_text("(in 2 h 10 min)")
    guest.page.clock.fast_forward(61_000)
    expect(left).to_have_text("(in 2 h 9 min)")
    guest.page.clock.fast_forward(80 * 60_000)
    expect(left).to_have_text("(in 49 min)")
    assert find_barriers(guest.page, ("wcag2a", "wcag2aa")) == []
    guest.page.clock.fast_forward(50 * 60_000)
    expect(left).to_be_empty()
    assert (guest.warnings, guest.errors) == ([], [])


def test_days_are_counted_too_and_no_countdown_is_shown_for_others(guest: Guest) -> None:
    guest.page.clock.install(time="2026-03-08T10:00:00Z")
    guest.open(guest.line(), WORK)
    expect(guest.banner.get_by_role("timer")).to_have_text("(in 2 d 4 h)")
    guest.open(guest.line('data-components="chat api"'), WORK)
    expect(guest.banner.get_by_role("status")).to_be_empty()


def test_running_maintenance_and_incidents_have_no_countdown(guest: Guest) -> None:
    guest.open(guest.line(), WORK | {"status": "in_progress", "starts_at": "2999-01-01T00:00:00Z", "ends_at": "2999-01-02T00:00:00Z"})  # fmt: skip
    expect(guest.banner.get_by_role("timer")).to_be_empty()
    guest.open(guest.line(), CHAT)
    expect(guest.banner.get_by_role("timer")).to_have_count(0)


def test_each_update_is_dismissed_for_itself(guest: Guest) -> None:
    dismiss = guest.banner.get_by_role("button", name="Dismiss this message")
    for news in (CHAT, SITE):
        guest.open(guest.line(), news)
        dismiss.click()
        expect(guest.banner.get_by_role("status")).to_be_empty()
    for old in (CHAT, SITE):
        guest.open(guest.line(), old)
        expect(guest.banner.get_by_role("status")).to_be_empty()
    guest.open(guest.line(), CHAT | {"id": "newer"})
    expect(guest.banner).to_contain_text("Trouble 1")
    dismiss.press("Escape")
    expect(guest.banner.get_by_role("status")).to_be_empty()


def test_nothing_in_it_moves(guest: Guest) -> None:
    """So a visitor who wants less motion has nothing to switch off."""
    guest.open(guest.line(), CHAT)
    expect(guest.banner).to_contain_text("Trouble 1")
    assert guest.page.evaluate("document.getAnimations().length") == 0


def test_its_words_are_read_in_their_own_direction(guest: Guest) -> None:
    guest.words = WORDS | {"lang": "ar", "dir": "rtl", "details": "التفاصيل"}
    guest.open(guest.line(), CHAT)
    card = guest.banner.locator(".card")
    expect(card).to_have_css("direction", "rtl")
    expect(card.get_by_text("Trouble 1")).to_have_css("direction", "ltr")
    expect(card).to_have_attribute("lang", "ar")


def test_two_banners_ask_once_and_the_same_line_twice_is_one_banner(guest: Guest) -> None:
    lines = [f'<script async src="{guest.src}" {each}></script>' for each in ("", "", 'data-position="top"')]
    guest.open("".join(lines), CHAT)
    expect(guest.banner).to_have_count(2)
    for number in (0, 1):
        expect(guest.banner.nth(number)).to_contain_text("Trouble 1")
    assert guest.asked == 1
    guest.banner.nth(1).get_by_role("button").click()
    for number in (0, 1):
        expect(guest.banner.nth(number).get_by_role("status")).to_be_empty()


def test_a_removed_banner_asks_no_more_and_one_that_comes_back_does(guest: Guest) -> None:
    guest.page.clock.install(time=NOW)
    guest.open(guest.line(), WORK)
    expect(guest.banner).to_contain_text("Trouble 3")
    guest.page.evaluate("window.kept = document.querySelector('status-banner'); kept.remove()")
    guest.page.clock.run_for(10 * 60_000)
    assert guest.asked == 1
    with guest.page.expect_response("**/api/banner.json"):
        guest.page.evaluate("document.body.append(kept)")
    expect(guest.banner).to_contain_text("(in 2 h 0 min)")


def test_a_page_that_places_banners_itself_gets_no_other(guest: Guest) -> None:
    guest.open(f'<script async src="{guest.src}" data-manual></script><div id="app"></div>' + "<status-banner></status-banner>", CHAT)  # fmt: skip
    expect(guest.banner).to_have_count(1)
    expect(guest.banner).to_contain_text("Trouble 1")


@pytest.mark.parametrize("nonsense", [None, 7, [None], [{"concerns": 1}], [CHAT | {"link": "javascript:alert(1)"}]])
def test_nonsense_throws_nothing_and_makes_no_link_to_a_script(guest: Guest, nonsense: Any) -> None:
    body = json.dumps({"banners": nonsense, "words": WORDS})
    guest.page.route(
        "**/api/banner.json", lambda route: route.fulfill(body=body, headers={"Access-Control-Allow-Origin": "*"})
    )
    guest.open(guest.line('data-components="website"' if nonsense and "link" not in str(nonsense) else ""))
    guest.page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    assert guest.banner.locator('a[href^="javascript"]').count() == 0
    assert guest.errors == []


@pytest.mark.parametrize("version", sorted(kept_versions()))
def test_every_version_that_was_ever_served_still_works_with_its_sri_value(guest: Guest, version: str) -> None:
    integrity = integrity_of(kept_versions()[version])
    guest.src = guest.src.replace("/embed.js", f"/embed.{version}.js")
    guest.open(guest.line(f'integrity="{integrity}" crossorigin="anonymous" data-components="Website"'), SITE)
    expect(guest.banner).to_contain_text("Trouble 2")
    assert (guest.warnings, guest.errors) == ([], [])
