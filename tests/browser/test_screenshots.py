"""The pictures in the README. `make screenshots` keeps them; any other run sees to it that they can be taken."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewContext
from tests.browser.posting import code_on_receipt, post_next
from tests.browser.product import Product, html_of, new_address

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
LARGEST_BYTES = 200_000
READERS = 8
TITLE = "Recordings cannot be played"
MESSAGE = """A storage node has run out of space, and recordings from before 14:00 do not load.

**New recordings are safe.** We are moving the old ones to another node; that takes about an hour."""


@pytest.fixture
def pictures(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Where they go."""
    chosen = request.config.getoption("--screenshots", None)
    directory = Path(chosen) if chosen else tmp_path
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def keep(page: Page, path: Path, *, without: str = "") -> None:
    """Take a picture of the window, leaving out what the selector `without` names."""
    page.evaluate("document.activeElement.blur()")
    if without:
        page.locator(without).evaluate_all("found => found.forEach((each) => { each.hidden = true })")
    page.screenshot(path=path, animations="disabled")
    assert 5_000 < path.stat().st_size < LARGEST_BYTES


def test_screenshots_of_what_readers_see(new_context: NewContext, pictures: Path) -> None:
    page = new_context(viewport={"width": 1000, "height": 1380}).new_page()
    page.goto("/")
    expect(page.get_by_role("article").first).to_be_visible()
    keep(page, pictures / "page.png")
    phone = new_context(viewport={"width": 390, "height": 844}, color_scheme="dark").new_page()
    phone.goto("/")
    keep(phone, pictures / "page-phone-dark.png")


def test_screenshots_of_posting_and_what_it_sets_off(
    new_context: NewContext, staff: Page, product: Product, pictures: Path
) -> None:
    readers = [new_address() for _ in range(READERS)]
    for reader in readers:
        product.subscribe(reader)
    staff.set_viewport_size({"width": 1100, "height": 860})
    staff.goto("/staff/post/")
    staff.get_by_label("Title").fill(TITLE)
    staff.get_by_role("radio", name="Identified").check()
    staff.get_by_label("Message").fill(MESSAGE)
    staff.get_by_role("combobox", name="Recordings").select_option("Partial outage")
    expect(staff.locator("#preview strong")).to_be_visible()
    staff.evaluate("scrollTo(0, 0)")
    keep(staff, pictures / "posting.png", without="#audience .caution + .caution")  # mail goes to files here

    staff.get_by_role("button", name="Post update").click()
    expect(staff.get_by_text("Finished: every recipient is accounted for.")).to_be_visible()
    # It names the directory that mail is written to here instead of an SMTP server.
    keep(staff, pictures / "receipt.png", without=".channel .caution")

    mail = new_context(viewport={"width": 680, "height": 640}).new_page()
    mail.set_content(html_of(product.wait_for_mail(readers[0], TITLE)))
    keep(mail, pictures / "mail.png")
    post_next(staff, code_on_receipt(staff), "All recordings can be played again.", "Resolved")
