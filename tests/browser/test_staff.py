"""Staff in the middle of the night: sign in, post by keyboard alone, and watch it go out."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewContext
from tests.browser.posting import code_on_receipt, post_next, posted
from tests.browser.product import PASSWORD, STAFF, Product, new_address
from tests.browser.watch import Watch, find_barriers, find_barriers_at, width_needed

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
LONGEST_WALK = 60  # presses of Tab


def walk_to(page: Page, name: str, role: str = "") -> None:
    """Press Tab until the focus stands on the thing with this accessible name."""
    for _ in range(LONGEST_WALK):
        target = page.locator(":focus")
        if target.count() and name in describe(page):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"“{name}” cannot be reached with Tab; the focus is on {describe(page)!r}")


def describe(page: Page) -> str:
    """The words by which the focused thing is known: its label, else its text."""
    words: str = page.evaluate(
        "(e => e.ariaLabel || [...(e.labels || [])].map(l => l.innerText).join(' ') || e.innerText || '')(document.activeElement)"
    )
    return words


def test_staff_sign_in_and_post_by_keyboard_alone_and_the_receipt_fills(page: Page, product: Product) -> None:
    reader = new_address()
    product.subscribe(reader)
    page.goto("/staff/")
    expect(page.get_by_label("User name")).to_be_focused()
    page.keyboard.type(STAFF)
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Open", exact=True)).to_be_visible()

    walk_to(page, "Post update")
    page.keyboard.press("Enter")
    expect(page.locator(".open-now a").first).to_be_focused()  # what is open is one key away
    walk_to(page, "Title")
    page.keyboard.type("Recordings cannot be played")
    walk_to(page, "Investigating")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("radio", name="Identified")).to_be_checked()
    walk_to(page, "Message")
    page.keyboard.type("A disk is full. **New** recordings are safe.")
    expect(page.locator("#preview strong")).to_have_text("New")
    walk_to(page, "Recordings")
    page.keyboard.type("Partial")
    expect(page.get_by_role("combobox", name="Recordings")).to_have_value("partial_outage")
    expect(page.get_by_role("heading", name="Who will be told")).to_be_visible()
    page.keyboard.press("Control+Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text("Recordings cannot be played")
    expect(page.get_by_role("region", name="E-mail").locator(".tag")).to_have_text("written to files")
    expect(page.get_by_text("Finished: every recipient is accounted for.")).to_be_visible()
    product.wait_for_mail(reader, "Recordings cannot be played")
    post_next(page, code_on_receipt(page), "There is room again.", "Resolved")


def test_the_staff_screens_are_for_all_and_fit_a_phone(new_context: NewContext, signed_in: object) -> None:
    context = new_context(storage_state=signed_in, viewport={"width": 360, "height": 740})
    page = context.new_page()
    watch = Watch(context, page.url)
    page.goto("/staff/")
    receipt = page.locator('a[href*="/receipt/"]').first.get_attribute("href")
    assert receipt
    for path in ("/staff/", "/staff/post/", "/staff/post/?kind=maintenance", receipt):
        assert find_barriers_at(page, path, most_width=360) == []
    assert watch.problems == []


def test_the_sign_in_screen_is_for_all(page: Page) -> None:
    page.goto("/admin/login/")
    assert find_barriers(page) == []


def test_posting_works_without_script(new_context: NewContext, signed_in: object) -> None:
    page = new_context(storage_state=signed_in, java_script_enabled=False).new_page()
    page.goto("/staff/post/")
    page.get_by_label("Title").fill("Search is slow")
    page.get_by_label("Message").fill("It takes *seconds*.")
    page.get_by_role("button", name="Preview", exact=True).last.click()
    expect(page.locator("#preview em")).to_have_text("seconds")
    page.get_by_role("button", name="Post update").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Search is slow")
    post_next(page, code_on_receipt(page), "It is fast again.", "Resolved")


CODE_WORDS = re.compile(r"\b\w+\.py\b|\bGeneration\b|\bpk\b|\bHome\b")
CUT_OFF = """() => [...document.querySelectorAll(":is(.help, label, th, td, h1):not(.unseen)")]
    .filter((each) => each.clientWidth && each.scrollWidth > each.clientWidth + 1 && getComputedStyle(each).overflowX !== "visible")
    .map((each) => each.outerHTML.slice(0, 120))"""

SIDEWAYS = """() => [...document.querySelectorAll("#changelist *")]
    .filter((each) => each.scrollWidth > each.clientWidth + 1 && ["auto", "scroll"].includes(getComputedStyle(each).overflowX))
    .map((each) => each.outerHTML.slice(0, 120))"""


@pytest.mark.timeout(400)
def test_every_screen_for_data_is_for_all_fits_a_phone_and_has_no_words_of_the_code(
    new_context: NewContext, signed_in: object
) -> None:
    context = new_context(storage_state=signed_in, viewport={"width": 390, "height": 844})
    page = context.new_page()
    page.goto("/admin/")
    found = {link.get_attribute("href") or "" for link in page.locator("a[href^='/admin/']").all()}
    lists = sorted(path for path in found if re.fullmatch(r"/admin/[a-z]+/[a-z]+/", path))
    assert len(lists) > 12
    faults = []
    for path in lists:
        for address in _screens(page, path):
            faults += [f"{address}: {barrier}" for barrier in find_barriers(page)]
            faults += [f"{address}: scrolls sideways: {each}" for each in page.evaluate(SIDEWAYS)]
            faults += [f"{address}: {width_needed(page)} px wide"] * (width_needed(page) > 390)
            faults += [f"{address}: cut off: {each}" for each in page.evaluate(CUT_OFF)]
            words = page.locator("body").inner_text()
            faults += [f"{address}: “{found}”" for found in set(CODE_WORDS.findall(words))]
    assert not faults, "\n".join(faults)


def _screens(page: Page, path: str) -> Iterator[str]:
    """A list, and the form of its first row; for a new one where there is none. Each is open when it is given."""
    page.goto(path)
    rows, new = page.locator("#result_list th a"), page.locator(".object-tools .addlink")
    forms = [link.get_attribute("href") or "" for link in (*rows.all()[:1], *new.all()[:1])]
    yield path
    for form in forms[:1]:
        page.goto(form)
        yield form


def test_a_list_in_an_update_has_one_bullet_for_each_of_its_items(staff: Page) -> None:
    with posted(staff, "Lists", "- one\n- two\n\n1. first", {"Sign-in": "Partial outage"}) as code:
        staff.goto(f"/staff/post/{code}/")
        drawn = "(e) => [getComputedStyle(e, '::before').content, getComputedStyle(e).listStyleType]"
        assert staff.locator(".told-body ul > li").first.evaluate(drawn) == ["none", "disc"]
        assert staff.locator(".told-body ol > li").first.evaluate(drawn) == ["none", "decimal"]
