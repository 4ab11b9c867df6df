"""A day's bar says what happened on it: to a mouse, a finger and the keyboard, and without script in words."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import NewContext
from tests.browser.product import Product
from tests.browser.test_reading import SHIFTS
from tests.browser.watch import Watch, find_barriers

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
NAME = "Push notifications"


def bars_of(page: Page, name: str = NAME) -> Locator:
    """The demo's component with trouble today; its group is open."""
    return page.locator(".component").filter(has=page.get_by_role("link", name=name, exact=True)).locator(".bars")


def test_a_pointer_shows_a_day_and_leaves_it_again(page: Page, watch: Watch) -> None:
    page.goto("/")
    bars = bars_of(page)
    today = bars.locator("i").last
    today.scroll_into_view_if_needed()
    box = today.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 9)
    answer = page.locator(".answer")
    expect(answer).to_contain_text("Today, ")
    expect(answer).to_contain_text("Partial outage")
    expect(answer.get_by_role("link", name="Push notifications delayed")).to_be_visible()
    answer.get_by_role("link").hover()
    expect(answer).to_be_visible()
    page.mouse.move(5, 5)
    expect(answer).to_have_count(0)
    bars.locator("i").nth(3).hover(force=True)
    expect(answer).to_contain_text("No trouble")
    page.keyboard.press("Escape")
    expect(answer).to_have_count(0)
    assert page.evaluate(SHIFTS) == 0
    watch.assert_clean()


def test_the_keyboard_walks_the_days_and_follows_the_incident(page: Page) -> None:
    page.goto("/")
    slider = bars_of(page).get_by_role("slider", name=f"{NAME}, day by day")
    slider.focus()
    expect(page.locator(".answer")).to_contain_text("Today, ")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("Today, .+: Partial outage"))
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".answer")).not_to_contain_text("Today, ")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("No trouble"))
    page.keyboard.press("End")
    expect(page.locator(".answer").get_by_role("link")).to_be_visible()
    assert find_barriers(page) == []
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Push notifications delayed")


def test_a_finger_that_misses_by_a_few_pixels_means_the_day_with_trouble(new_context: NewContext) -> None:
    page = new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True).new_page()
    page.goto("/")
    bars = bars_of(page)
    bars.scroll_into_view_if_needed()
    box = bars.bounding_box()
    assert box
    page.touchscreen.tap(box["x"] + box["width"] - 12, box["y"] + 15)
    answer = page.locator(".answer")
    expect(answer).to_contain_text("Partial outage")
    expect(answer.get_by_role("link")).to_be_visible()
    shown = answer.bounding_box()
    assert shown
    assert shown["x"] >= 0
    assert shown["x"] + shown["width"] <= 390
    assert find_barriers(page) == []
    page.touchscreen.tap(195, 20)
    expect(answer).to_have_count(0)


def test_a_day_that_lowers_no_uptime_says_so(page: Page) -> None:
    page.goto("/")
    page.get_by_role("heading", name="Platform").click()
    bars_of(page, "Webhooks").locator("i.deg").hover(force=True)
    expect(page.locator(".answer")).to_contain_text("This does not lower the uptime.")
    expect(page.locator(".answer").get_by_role("link", name="Webhooks delayed")).to_be_visible()


def test_an_open_day_stays_open_when_the_page_is_refreshed(page: Page, product: Product) -> None:
    page.goto("/")
    slider = bars_of(page).get_by_role("slider")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".answer")).to_contain_text("No trouble")
    old = page.locator("#summary").element_handle()
    # As if something had changed: the page's own refreshing replaces the whole of it.
    page.route("**/fragments/summary", lambda route: route.fulfill(body=product.get("/fragments/summary").replace("Recent days", "The last days"), content_type="text/html"))  # fmt: skip
    page.evaluate("document.querySelector('[hx-get]').dispatchEvent(new CustomEvent('refresh'))")
    expect(page.get_by_role("heading", name="The last days")).to_be_visible()
    assert old
    assert not old.evaluate("node => node.isConnected")
    expect(page.locator(".answer")).to_contain_text("No trouble")
    expect(slider).to_be_focused()


def test_days_are_told_in_words_without_script(new_context: NewContext) -> None:
    page = new_context(java_script_enabled=False, viewport={"width": 390, "height": 844}).new_page()
    page.goto("/")
    expect(page.get_by_role("slider")).to_have_count(0)
    page.get_by_text("in 90 days", exact=False).and_(page.locator("summary")).locator("visible=true").first.click()
    link = page.locator(".troubled[open] li a").first
    expect(link).to_be_visible()
    link.click()
    expect(page).to_have_url(re.compile(r"/history/\d{4}-\d\d#d-"))
