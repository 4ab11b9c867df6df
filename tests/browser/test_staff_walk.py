"""The screens of staff that other tests pass by: at 320 px, which is 1280 px at 400 % zoom, with axe-core, by keyboard alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import NewContext
from tests.browser.posting import posted
from tests.browser.watch import find_barriers, width_needed

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
NARROW = {"width": 320, "height": 256}
SCREENS = {
    "overview": ("/staff/", ""),
    "incident": ("/staff/incidents/", ".line-title a"),
    "components found": ("/staff/components/?q=chat", ""),
    "template": ("/staff/page/templates/", ".lines a.name"),
    "account": ("/staff/channels/", ".lines a.name"),
    "page": ("/staff/page/add/", ""),
}
"""By name: where to begin, and the link that leads to the screen, if it is not there."""
FOCUSED = """() => {
  const at = document.activeElement;
  const style = getComputedStyle(at);
  const box = at.getBoundingClientRect();
  const isShown = (box.width > 0 && box.bottom > 0 && box.top < innerHeight) || at.closest("#menu, .skip") !== null;
  const isMarked = style.outlineStyle !== "none" || at.closest(":focus-within .phases") !== null;
  return [at.tagName, at.outerHTML.slice(0, 100), isShown, isMarked];
}"""


@pytest.fixture
def narrow(new_context: NewContext, signed_in: object) -> Page:
    return new_context(storage_state=signed_in, viewport=NARROW).new_page()


def open_screen(page: Page, name: str) -> None:
    start, link = SCREENS[name]
    page.goto(start)
    if link:
        page.goto(page.locator(link).first.get_attribute("href") or "")


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_fits_400_percent_zoom_and_is_walked_by_keyboard(narrow: Page, name: str) -> None:
    open_screen(narrow, name)
    walk(narrow)


def test_what_was_sent_and_its_receipt_are_walked_by_keyboard(narrow: Page, staff: Page) -> None:
    with posted(staff, "Calls are walked through", "We are looking into it."):
        narrow.goto("/staff/notices/?q=walked")
        walk(narrow)
        narrow.get_by_role("link", name="Calls are walked through").first.click()
        narrow.wait_for_url("**/receipt/")
        walk(narrow)


def walk(page: Page) -> None:
    """The screen fits; each stop of the Tab key is on it and marked, and none holds the focus."""
    assert width_needed(page) == NARROW["width"]
    assert find_barriers(page) == []
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    stops: list[str] = []
    for _ in range(150):
        page.keyboard.press("Tab")
        tag, html, is_shown, is_marked = page.evaluate(FOCUSED)
        if tag == "BODY":
            break
        assert is_shown, html
        assert is_marked, html
        stops.append(html)
    else:
        pytest.fail("The focus never leaves the screen.")
    assert len(stops) > 4
