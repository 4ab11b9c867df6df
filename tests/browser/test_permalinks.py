"""An incident's page with script: the link to an update is copied, and the way back leads to where the visitor was."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewContext
from tests.browser.posting import posted
from tests.browser.product import Product
from tests.browser.watch import find_barriers

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
NAME = "Push notifications delayed"


@pytest.fixture
def incident(product: Product) -> str:
    found = re.search(rf'href="(/incidents/[a-z0-9]+)"[^>]*>{NAME}', product.get("/"))
    assert found
    return found[1]


def test_a_link_to_an_update_is_copied_by_keyboard_and_said_aloud(
    new_context: NewContext, product: Product, incident: str
) -> None:
    context = new_context(permissions=["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(incident)
    update = page.locator("#incident .timeline > li").first
    update.locator("a.posted").focus()
    button = update.get_by_role("button")
    expect(button).to_have_accessible_name(re.compile(r"^Copy link \(Identified, [^()]+\)$"))
    page.keyboard.press("Tab")
    expect(button).to_be_focused()
    page.keyboard.press("Enter")
    expect(button).to_contain_text("Copied")
    expect(page.locator("#announcer")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert re.fullmatch(rf"{re.escape(product.url + incident)}#u-[a-z0-9]{{12}}", copied)
    assert find_barriers(page) == []
    expect(button).to_contain_text("Copy link")


def test_where_the_clipboard_is_closed_the_link_is_copied_as_before(page: Page, incident: str) -> None:
    page.add_init_script("Object.defineProperty(Navigator.prototype, 'clipboard', {get() {}})")
    page.goto(incident)
    page.mouse.move(50, 50)
    button = page.locator("#incident button").first
    button.click()
    expect(button).to_contain_text("Copied")
    expect(button).to_be_focused()


def test_the_buttons_come_again_with_each_update(page: Page, staff: Page) -> None:
    with posted(staff, "Uploads are slow", "They take a minute.") as code:
        page.goto(f"/incidents/{code}")
        page.mouse.move(50, 50)
        expect(page.get_by_role("button", name="Copy link")).to_have_count(1)
        page.get_by_role("button", name="Copy link").focus()
    expect(page.get_by_role("button", name="Copy link")).to_have_count(2, timeout=15_000)
    expect(page.get_by_role("button", name="Copy link").last).to_be_focused()


def test_without_script_there_is_no_button(new_context: NewContext, incident: str) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto(incident)
    expect(page.locator("#incident .posted").first).to_be_visible()
    expect(page.locator("#incident button")).to_have_count(0)


def test_the_way_back_keeps_the_place(page: Page, incident: str) -> None:
    page.set_viewport_size({"width": 390, "height": 500})
    page.goto("/history/search?q=push")
    link = page.get_by_role("link", name=NAME).first
    link.scroll_into_view_if_needed()
    place = page.evaluate("scrollY")
    link.click()
    expect(page.get_by_role("heading", level=1, name=NAME)).to_be_visible()
    page.mouse.move(50, 50)
    page.get_by_role("link", name="Back to where you were").click()
    expect(page).to_have_url(re.compile(r"/history/search\?"))
    page.wait_for_function("place => Math.abs(scrollY - place) < 2", arg=place)


def test_who_came_from_elsewhere_has_no_way_back(page: Page, incident: str) -> None:
    page.goto(incident)
    page.mouse.move(50, 50)
    expect(page.get_by_role("button", name="Copy link").first).to_be_visible()
    expect(page.get_by_role("link", name="Status now")).to_be_visible()
    expect(page.get_by_role("link", name="Back to where you were")).to_have_count(0)
