"""Where the system chooses the colours, what is chosen and what state it is can still be seen."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.conftest import NewContext

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def background(element: Locator) -> str:
    found: str = element.evaluate("element => getComputedStyle(element).backgroundColor")
    return found


def test_the_chosen_state_and_kind_stand_out(new_context: NewContext, signed_in: object) -> None:
    page = new_context(storage_state=signed_in, forced_colors="active").new_page()
    page.goto("/staff/post/")
    chosen, other = page.locator(".phases input:checked + span"), page.locator(".phases input:not(:checked) + span")
    expect(chosen).to_have_count(1)
    assert background(chosen) != background(other.first)
    assert background(page.locator(".kinds a[aria-current]")) != background(
        page.locator(".kinds a:not([aria-current])")
    )


def test_the_screen_one_is_on_stands_out_in_the_menu(new_context: NewContext, signed_in: object) -> None:
    page = new_context(
        storage_state=signed_in, forced_colors="active", viewport={"width": 1280, "height": 800}
    ).new_page()
    page.goto("/staff/components/")
    here = page.locator("#menu li a[aria-current]")
    assert background(here) != background(page.locator("#menu li a:not([aria-current])").first)


def test_states_keep_their_colour_beside_their_word(new_context: NewContext) -> None:
    page = new_context(forced_colors="active").new_page()
    page.goto("/")
    ground = background(page.locator("body"))
    for what in (".hero .dot", ".bars i"):
        assert background(page.locator(what).first) != ground, what
