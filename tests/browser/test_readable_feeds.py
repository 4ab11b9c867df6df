"""A feed that somebody opens in Chromium, which shows other feeds as plain text."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewContext

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


@pytest.mark.parametrize("name", ["RSS", "Atom"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_link_of_a_page_leads_to_a_feed_that_can_be_read(new_context: NewContext, name: str, scheme: str) -> None:
    page: Page = new_context(color_scheme=scheme).new_page()
    page.goto("/")
    page.get_by_role("link", name=name, exact=True).click()
    expect(page).to_have_url(re.compile(r"/history\.\w+\?view=browser$"))
    entry = page.locator("entry, item").first
    assert entry.evaluate("each => getComputedStyle(each).display") == "block"
    assert page.locator("content, description").first.evaluate("each => getComputedStyle(each).display") == "none"
    ground = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    assert (
        sum(map(int, re.findall(r"\d+", ground)[:3])) > 600
        if scheme == "light"
        else sum(map(int, re.findall(r"\d+", ground)[:3])) < 150
    )
    page.get_by_text("Read it on the page").first.click()
    expect(page).to_have_url(re.compile(r"/incidents/[a-z0-9]{12}$"))
