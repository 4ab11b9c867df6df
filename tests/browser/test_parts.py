"""The catalogue of parts, photographed: light, dark, on a phone, from the right; nothing overflows, axe-core is content."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import NewContext
from tests.browser.watch import CONTRAST, find_barriers, width_needed

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
PARTS = "/staff/parts/"
WIDE, PHONE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}, {"width": 320, "height": 640}
OVERFLOWING = """() => [...document.querySelectorAll("#content *")]
  .filter((each) => !each.closest(".unseen") && each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 0
    && getComputedStyle(each).display !== "inline" && !/^(INPUT|TEXTAREA|SELECT|svg)$/.test(each.tagName))
  .map((each) => `${each.outerHTML.slice(0, 120)}: ${each.scrollWidth} px in ${each.clientWidth}`)"""


@pytest.fixture
def pictures(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Not kept beside those of the README, which are for readers."""
    chosen = request.config.getoption("--screenshots", None)
    directory = Path(chosen, "parts") if chosen else tmp_path
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@pytest.mark.parametrize("window", [WIDE, PHONE, NARROW], ids=["wide", "phone", "narrow"])
def test_the_catalogue_is_drawn_whole_everywhere(
    new_context: NewContext, signed_in: object, pictures: Path, window: Any
) -> None:
    page: Page = new_context(storage_state=signed_in, viewport=window).new_page()
    page.goto(PARTS)
    schemes: tuple[Any, ...] = ("light", "dark")
    for scheme, direction in product(schemes, ("ltr", "rtl")):
        page.emulate_media(color_scheme=scheme)
        page.evaluate("(direction) => { document.documentElement.dir = direction; }", direction)
        picture = pictures / f"{window['width']}-{scheme}-{direction}.png"
        page.screenshot(path=picture, full_page=True, animations="disabled")
        assert picture.stat().st_size > 50_000
        assert width_needed(page) == window["width"], (scheme, direction)
        assert page.evaluate(OVERFLOWING) == [], (scheme, direction)


def test_axe_finds_nothing_in_any_part(staff: Page) -> None:
    staff.goto(PARTS)
    assert find_barriers(staff) == []


def test_every_part_is_read_in_the_dark_and_in_forced_colours(staff: Page) -> None:
    staff.emulate_media(color_scheme="dark")
    staff.goto(PARTS)
    assert find_barriers(staff, CONTRAST) == []
    staff.emulate_media(forced_colors="active")
    assert find_barriers(staff, CONTRAST) == []


def test_every_part_is_reached_by_keyboard_and_shows_it(staff: Page) -> None:
    """Each thing that can be pressed or filled in is reached, in the order of the screen, and shows that it was."""
    staff.goto(PARTS)
    reached: list[str] = staff.evaluate("""() => {
      const all = [...document.querySelectorAll("#content :is(a[href], button, input, select, textarea, summary)")];
      const shown = all.filter((each) => !each.disabled && each.checkVisibility());
      return shown.map((each) => each.outerHTML.slice(0, 80));
    }""")
    staff.locator("#content").focus()
    seen = set()
    for _ in range(2 * len(reached)):
        staff.keyboard.press("Tab")
        here = staff.evaluate("""() => {
          const at = document.activeElement;
          if (!at.closest("#content")) return null;
          const style = getComputedStyle(at);
          return [at.outerHTML.slice(0, 80), parseFloat(style.outlineWidth) > 0 && style.outlineStyle !== "none"];
        }""")
        if here is None:
            break
        assert here[1], here[0]
        seen.add(here[0])
    # Of radio buttons, one of a group is reached; a date has several stops of its own.
    missed = [each for each in reached if each not in seen and 'type="radio"' not in each]
    assert not missed, missed
