"""Page, Share: the preview follows the options, and lines are copied."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.product import Product
from tests.browser.watch import find_barriers

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
SHARE = "/staff/page/share/"


def test_the_preview_follows_the_options_and_the_line_is_copied(staff: Page, product: Product) -> None:
    staff.context.grant_permissions(["clipboard-read", "clipboard-write"])
    staff.goto(SHARE)
    banner = staff.frame_locator("iframe").locator("status-banner")
    expect(banner).to_contain_text("Example: errors while signing in")
    staff.get_by_label("The preview shows").select_option(label="Maintenance, with a countdown")
    expect(banner).to_contain_text("(in 1 d ")
    staff.get_by_label("Position").select_option(label="At the top, over the whole width")
    expect(banner).to_have_attribute("position", "top")
    line = staff.get_by_label("The banner's line")
    expect(line).to_have_value(f'<script async src="{product.url}/embed.js" data-position="top"></script>')
    copy = line.locator("..").get_by_role("button")
    copy.click()
    expect(copy).to_have_text("Copied")
    assert staff.evaluate("navigator.clipboard.readText()") == line.input_value()
    for scheme in ("light", "dark"):
        staff.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert find_barriers(staff) == []


def test_without_script_the_options_are_sent_and_the_text_is_there(new_context, signed_in, product: Product) -> None:  # type: ignore[no-untyped-def]
    page = new_context(storage_state=signed_in, java_script_enabled=False).new_page()
    page.goto(SHARE)
    page.get_by_label("Position").select_option(label="Where the line stands")
    page.get_by_role("button", name="Show").click()
    expect(page.get_by_label("The banner's line")).to_contain_text('data-position="inline"')
    expect(page.get_by_role("button", name="Copy")).to_have_count(0)
