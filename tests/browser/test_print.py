"""The page on paper: nothing is folded away, bars are told apart without colour, links say where they lead."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewContext
from tests.browser.posting import posted

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
HEIGHT = "each => each.getBoundingClientRect().height"


def on_paper(page: Page, path: str) -> None:
    page.goto(path)
    page.keyboard.press("Control")  # with script the style is loaded when a visitor shows that there is one
    page.wait_for_function("[...document.styleSheets].some(sheet => /print/.test(sheet.href))")
    page.emulate_media(media="print", color_scheme="dark")


@pytest.fixture(params=[True, False], ids=["with script", "without script"])
def printed(request: pytest.FixtureRequest, new_context: NewContext) -> Callable[[str], Page]:
    def show(path: str) -> Page:
        page = new_context(java_script_enabled=request.param).new_page()
        if request.param:
            on_paper(page, path)
        else:
            page.goto(path)
            page.emulate_media(media="print", color_scheme="dark")
        return page

    return show


def test_groups_are_unfolded_and_buttons_are_left_out(printed: Callable[[str], Page]) -> None:
    page = printed("/")
    expect(page.get_by_text("Developer documentation", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Get updates")).to_be_hidden()
    expect(page.get_by_text("RSS", exact=True)).to_be_hidden()


def test_bars_are_told_apart_by_their_height(page: Page) -> None:
    on_paper(page, "/")
    heights = [
        round(page.locator(f".bars i{kind}").first.evaluate(HEIGHT))
        for kind in (":not([class])", ".mnt", ".deg", ".part", ".maj")
    ]
    assert heights == sorted(set(heights))
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"


def test_a_link_in_an_update_says_where_it_leads(page: Page, staff: Page) -> None:
    with posted(staff, "Mails are late", "See [our notes](https://example.com/notes).") as code:
        on_paper(page, f"/incidents/{code}")
        link = page.locator(".body a").first
        shown = link.evaluate("each => getComputedStyle(each, '::after').content")
        assert re.search(r"https://example\.com/notes", shown)
