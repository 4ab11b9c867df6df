"""What the product is for, in one walk: a post by staff is everywhere within seconds."""

import time

import pytest
from playwright.sync_api import Page, expect

from tests.browser.posting import code_on_receipt, post_next
from tests.browser.product import Product, new_address
from tests.processes import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
SECONDS = 5
TITLE = "Calls drop after a minute"


def test_one_post_is_everywhere_within_five_seconds(page: Page, staff: Page, product: Product, shop: str) -> None:
    reader = new_address()
    product.subscribe(reader)
    staff.goto("/staff/post/")
    staff.get_by_label("Title").fill(TITLE)
    staff.get_by_label("Message").fill("We see it too and are looking for the cause.")
    staff.get_by_role("combobox", name="Call setup").select_option("Partial outage")
    staff.get_by_role("button", name="Post update").click()
    posted_at = time.monotonic()

    def left() -> float:
        seconds = posted_at + SECONDS - time.monotonic()
        assert seconds > 0, f"{SECONDS} seconds are over"
        return seconds

    for path in ("/", "/history.rss", "/history.atom", "/feed.json", "/api/v2/summary.json", "/api/banner.json"):
        wait_until(lambda path=path: TITLE in product.get(path), within=left(), what=f"the post in {path}")  # type: ignore[misc]
    product.wait_for_mail(reader, TITLE, within=left())
    expect(staff.get_by_text("Finished: every recipient is accounted for.")).to_be_visible(timeout=left() * 1000)
    page.goto(shop)
    expect(page.locator("status-banner")).to_contain_text(TITLE, timeout=left() * 1000)
    page.goto("/")
    expect(page.get_by_role("article").filter(has_text=TITLE)).to_be_visible(timeout=left() * 1000)

    post_next(staff, code_on_receipt(staff), "Calls are stable again.", "Resolved")
