"""What visitors see: on a phone, in the dark, without script, with a screen reader, over a slow line."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewContext
from tests.browser.posting import posted
from tests.browser.product import Product
from tests.browser.watch import Watch, find_barriers_at
from tests.processes import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
FIRST_LOAD_BYTES = 15_000


@pytest.fixture(scope="module")
def paths(product: Product) -> list[str]:
    """Each kind of public page once."""
    incident = re.findall(r'href="(/incidents/[a-z0-9]+)"', product.get("/"))
    component = re.findall(r'href="(/components/[a-z0-9]+)"', product.get("/"))[:1]
    assert incident
    assert component
    return ["/", "/history", incident[0], "/api", "/subscribe", f"/subscribe?incident={incident[0][-12:]}",
            "/subscribe/sent", *component, "/history/search", "/history/search?q=push",
            "/nothing-here", "/unsubscribe/broken"]  # fmt: skip


def test_the_answer_stands_in_the_first_screen_without_script(new_context: NewContext) -> None:
    page = new_context(java_script_enabled=False, viewport={"width": 360, "height": 640}).new_page()
    page.goto("/")
    headline = page.get_by_role("heading", level=1)
    expect(headline).to_be_in_viewport()
    expect(page.get_by_role("link", name="Get updates")).to_be_in_viewport()
    page.get_by_text("Platform").click()
    expect(page.get_by_text("Developer documentation", exact=True)).to_be_visible()
    page.get_by_role("link", name="Push notifications delayed").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Push notifications delayed")
    expect(page.get_by_text("vendor's service that has become slow")).to_be_visible()
    page.get_by_role("link", name="History").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(r"[A-Z][a-z]+ \d{4}"))
    page.get_by_role("link", name="API", exact=True).click()
    expect(page.get_by_role("link", name="/api/v2/summary.json")).to_be_visible()
    page.goto("/nothing-here")
    page.get_by_role("link", name="History").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(r"[A-Z][a-z]+ \d{4}"))


def test_every_page_is_readable_for_all_and_fits_a_phone(new_context: NewContext, paths: list[str]) -> None:
    page = new_context(viewport={"width": 320, "height": 640}).new_page()
    faults = [fault for path in paths for fault in find_barriers_at(page, path, most_width=320)]
    assert not faults, "\n".join(faults)


def test_the_dark_page_is_dark(new_context: NewContext) -> None:
    brightness = (
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).reduce((a, b) => a + +b, 0)"
    )
    shades = {}
    for scheme in ("light", "dark"):
        page = new_context(color_scheme=scheme).new_page()
        page.goto("/")
        shades[scheme] = page.evaluate(brightness)
    assert shades["dark"] < 100 < 600 < shades["light"]


def test_no_page_remembers_asks_others_or_complains(page: Page, watch: Watch, paths: list[str]) -> None:
    for path in paths:
        page.goto(path, wait_until="networkidle")
    not_found = [problem for problem in watch.problems if "404" in problem]
    assert len(not_found) == 2  # the browser itself says so of the last two paths
    watch.problems = [problem for problem in watch.problems if problem not in not_found]
    watch.assert_clean()


def test_the_first_load_is_small(page: Page, watch: Watch) -> None:
    page.goto("/", wait_until="networkidle")
    sizes = {path: size for path, size in watch.bytes_by_path().items() if "htmx" not in path}
    assert "/" in sizes
    assert sum(sizes.values()) <= FIRST_LOAD_BYTES, sizes


def test_an_open_page_shows_news_and_keeps_the_readers_place(
    page: Page, watch: Watch, staff: Page, product: Product
) -> None:
    page.goto("/")
    page.evaluate("window.opened = 'once'")
    summary = page.locator("summary").filter(has=page.get_by_role("heading", name="Platform"))
    summary.click()
    opened = page.locator("details").filter(has=page.get_by_role("heading", name="Platform"))
    link = page.get_by_role("link", name="Earlier days")
    link.focus()
    summary.scroll_into_view_if_needed()
    top = summary.bounding_box()
    assert top

    with posted(staff, "Recordings are late", "Recordings appear with a delay of some minutes."):
        expect(page.get_by_role("article").filter(has_text="Recordings are late")).to_be_attached(timeout=15_000)
        assert page.evaluate("window.opened") == "once"
        expect(link).to_be_focused()
        expect(opened).to_have_attribute("open", "")
        after = summary.bounding_box()
        assert after
        assert abs(after["y"] - top["y"]) < 2
    watch.assert_clean()


def test_no_poll_is_answered_with_what_the_browser_kept(page: Page, staff: Page, product: Product) -> None:
    """A page that has been open for minutes must learn at its next poll, not at the one after."""
    page.goto("/")
    ask = "path => fetch(path).then(answer => answer.text())"
    polled = ("/fragments/summary", "/api/banner.json")
    for path in polled:
        assert "Polls are fresh" not in page.evaluate(ask, path)
    with posted(staff, "Polls are fresh", "Everybody hears at once.", {"Chat API": "Major outage"}):
        wait_until(lambda: "Polls are fresh" in product.get("/"), within=5, what="the update on the page")
        for path in polled:
            assert "Polls are fresh" in page.evaluate(ask, path), path


SHIFTS = """() => new Promise((done) => {
    let sum = 0;
    new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) sum += entry.value;
    }).observe({ type: "layout-shift", buffered: true });
    requestAnimationFrame(() => requestAnimationFrame(() => done(sum)));
})"""


@pytest.mark.parametrize("width", [320, 360, 412, 1280])
def test_nothing_moves_while_a_page_with_an_open_incident_loads(
    new_context: NewContext, staff: Page, product: Product, width: int
) -> None:
    with posted(staff, "Sign-in fails for some people", "We are looking into it.", {"Sign-in": "Major outage"}) as code:
        wait_until(lambda: "Sign-in fails" in product.get("/"), what="the incident")
        page = new_context(viewport={"width": width, "height": 823}).new_page()
        for path in ("/", f"/incidents/{code}"):
            page.goto(path)
            expect(page.locator("time .age").first).to_have_text(re.compile(r"\(.+\)"))
            assert page.evaluate(SHIFTS) == 0, path


def test_a_phone_shows_as_many_bars_as_the_words_say_days(new_context: NewContext) -> None:
    page = new_context(viewport={"width": 320, "height": 640}).new_page()
    page.goto("/")
    bars = page.locator(".bars").first.locator("i")
    expect(bars).to_have_count(90)
    assert all(bars.nth(index).bounding_box()["width"] >= 1.5 for index in (0, 45, 89))  # type: ignore[index]


def test_own_times_keep_the_weekday_and_say_a_shared_date_once(new_context: NewContext) -> None:
    page = new_context(timezone_id="America/St_Johns").new_page()
    page.goto("/")
    window = page.locator("time[data-window]").first
    server = window.inner_text()
    page.get_by_role("button", name="Use my time").click()
    moment = r"\w{3} \d{1,2} \w+( \d{4})?, \d\d:\d\d"
    assert re.fullmatch(rf"{moment} to ({moment}|\d\d:\d\d) \S+", window.inner_text()), window.inner_text()
    assert window.inner_text() != server
    expect(page.locator("#zone-name")).to_have_text("America/St Johns")
    expect(page.locator("#announcer")).to_have_text("Times are in America/St Johns.")
    page.get_by_role("button", name="Use UTC").click()
    expect(window).to_have_text(server)


def test_whoever_has_the_same_time_all_year_is_told_so(new_context: NewContext) -> None:
    page = new_context(timezone_id="Atlantic/Reykjavik").new_page()
    page.goto("/")
    expect(page.locator("#zone-name")).to_have_text("UTC, the same as in Atlantic/Reykjavik")
    expect(page.locator("#zone")).to_be_hidden()
