"""The banner in a page of somebody else: another origin, and a content security policy that allows little."""

import json

import pytest
from playwright.sync_api import Page, expect

from tests.browser.posting import post_next, posted
from tests.browser.product import Product
from tests.browser.watch import Watch, find_barriers
from tests.processes import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
BANNER = "**/api/banner.json"


@pytest.fixture
def guest(watch: Watch, shop: str) -> Watch:
    """The watch on a visitor of the shop, to whom the status page is the only other host."""
    watch.foreign = _Except(shop, watch.own)
    return watch


class _Except(list[str]):
    def __init__(self, *allowed: str) -> None:
        super().__init__()
        self.allowed = tuple(f"{each}/" for each in allowed)

    def append(self, url: str) -> None:
        if not url.startswith(self.allowed):
            super().append(url)


def test_the_banner_shows_news_in_another_origin_and_stays_dismissed_until_there_is_more(
    page: Page, guest: Watch, shop: str, staff: Page, product: Product
) -> None:
    def wait_for(news: str) -> None:
        """Who asks within a second of the post may hear the old news, and asks again a minute later."""
        wait_until(lambda: news in str(json.loads(product.get("/api/banner.json"))["banner"]), what=news)

    page.route(BANNER, lambda route: route.continue_())  # asks anew each time; browsers may keep the document for 10 s
    banner = page.locator("status-banner").get_by_role("status")
    with posted(staff, "Sign-in fails", "We are looking into it.", {"Sign-in": "Major outage"}) as code:
        wait_for("Sign-in fails")
        page.goto(shop)
        expect(banner).to_contain_text("Sign-in fails")
        details = banner.get_by_role("link", name="Details")
        expect(details).to_have_attribute("href", f"{guest.own}/incidents/{code}")
        assert find_barriers(page) == []
        main = page.locator("main").bounding_box()

        banner.get_by_role("button", name="Dismiss this message").click()
        expect(banner).to_be_empty()
        assert page.locator("main").bounding_box() == main
        with page.expect_response(BANNER):
            page.reload()
        expect(banner).to_be_empty()

        post_next(staff, code, "A fix is on its way.", "Identified")
        wait_for("A fix is on its way.")
        page.reload()
        expect(banner).to_contain_text("A fix is on its way.")
    wait_for("Push notifications delayed")
    page.reload()
    expect(banner).to_contain_text("Push notifications delayed")
    guest.assert_clean()


@pytest.mark.parametrize("answer", ['{"banner": null}', "{}", "null", "<html>", '{"banner": {"title": 1}}', ""])
def test_nothing_to_show_and_nonsense_draw_nothing_and_throw_nothing(
    page: Page, guest: Watch, shop: str, answer: str
) -> None:
    headers = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
    page.route(BANNER, lambda route: route.fulfill(body=answer, content_type="application/json", headers=headers))
    with page.expect_response(BANNER):
        page.goto(shop)
    page.evaluate("new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    if "title" not in answer:
        expect(page.locator("status-banner").get_by_role("status")).to_be_empty()
    guest.assert_clean()


def test_a_status_page_that_is_down_costs_the_other_page_nothing(page: Page, guest: Watch, shop: str) -> None:
    page.route("**/embed.js", lambda route: route.abort())
    page.goto(shop)
    expect(page.get_by_role("heading", name="Shop")).to_be_visible()
    page.unroute("**/embed.js")
    page.route(BANNER, lambda route: route.abort())
    with page.expect_event("requestfailed"):
        page.reload()
    expect(page.locator("status-banner").get_by_role("status")).to_be_empty()
    assert [problem for problem in guest.problems if "net::ERR_FAILED" not in problem] == []


def test_the_frame_shows_the_same_without_script_in_the_page(page: Page, product: Product, shop: str) -> None:
    page.goto(shop)
    page.goto(f"{product.url}/embed/frame")
    expect(page.locator("body")).to_contain_text("Push notifications delayed")
    assert find_barriers(page) == []


def test_a_site_written_for_statuspages_helper_works_with_another_host(
    page: Page, guest: Watch, product: Product
) -> None:
    ask = """([name, filter]) => new Promise((success, error) =>
        new StatusPage.page({ page: "kctbh9vrtdwd" })[name]({ filter, success, error }))"""
    page.set_content(f'<!doctype html><title>An old page</title><script src="{guest.own}/se-v2.js"></script>')
    for name, chosen, path in (
        ("summary", None, "summary"),
        ("status", None, "status"),
        ("components", None, "components"),
        ("incidents", None, "incidents"),
        ("incidents", "unresolved", "incidents/unresolved"),
        ("scheduled_maintenances", None, "scheduled-maintenances"),
        ("scheduled_maintenances", "active", "scheduled-maintenances/active"),
        ("scheduled_maintenances", "upcoming", "scheduled-maintenances/upcoming"),
    ):
        answer = page.evaluate(ask, [name, chosen])
        assert answer == json.loads(product.get(f"/api/v2/{path}.json"))
