"""Ticking rows and doing one thing to all of them: by keyboard alone, and without script."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewContext
from tests.browser.watch import find_barriers, width_needed

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
COMPONENTS = "/staff/components/"


def press_button(page: Page, name: str) -> None:
    """By keyboard."""
    page.get_by_role("button", name=name).focus()
    page.keyboard.press("Enter")


def test_components_are_ticked_hidden_and_shown_again_by_keyboard(staff: Page) -> None:
    staff.goto(f"{COMPONENTS}?q=messaging")
    boxes = staff.locator("[name=row]")
    count = boxes.count()
    assert count > 1
    staff.get_by_role("searchbox").focus()
    while not staff.evaluate("document.activeElement.matches('[name=row]')"):
        staff.keyboard.press("Tab")
    staff.keyboard.press("Space")
    expect(boxes.first).to_be_checked()
    everything = staff.get_by_label("Tick all that are shown")
    assert everything.evaluate("box => box.indeterminate")
    everything.focus()
    staff.keyboard.press("Space")
    for at in range(count):
        expect(boxes.nth(at)).to_be_checked()
    press_button(staff, "Hide the ticked")
    expect(staff.get_by_text(f"{count} components are hidden now.")).to_be_visible()
    press_button(staff, "Undo")
    expect(staff.get_by_text("It is back.")).to_be_visible()
    expect(staff.get_by_text("Hidden", exact=True)).to_have_count(0)


def test_shift_ticks_all_between_two(staff: Page) -> None:
    staff.goto(COMPONENTS)
    boxes = staff.locator("[name=row]")
    boxes.nth(1).check()
    boxes.nth(4).click(modifiers=["Shift"])
    assert staff.locator("[name=row]:checked").count() == 4


def test_all_that_match_is_asked_in_words_without_script(new_context: NewContext, signed_in: object) -> None:
    phone = {"width": 320, "height": 700}
    page = new_context(storage_state=signed_in, java_script_enabled=False, viewport=phone).new_page()
    page.goto(f"{COMPONENTS}?q=messaging")
    expect(page.get_by_label("Tick all that are shown")).to_be_hidden()
    page.get_by_role("button", name="Archive all that match").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Archive")
    page.get_by_role("link", name="Leave all as it is").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Components")


def test_the_question_is_for_all_and_fits_a_narrow_phone(new_context: NewContext, signed_in: object) -> None:
    page = new_context(storage_state=signed_in, viewport={"width": 320, "height": 700}).new_page()
    page.goto(f"{COMPONENTS}?q=a")
    page.get_by_role("button", name="Hide all that match").click()
    expect(page.get_by_role("link", name="Leave all as it is")).to_be_visible()
    assert width_needed(page) == 320
    assert find_barriers(page) == []
