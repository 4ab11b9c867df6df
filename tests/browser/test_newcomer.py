"""From an empty installation to a page of one's own, with a logo, five components, a subscriber and the banner elsewhere.

Each field that is filled in counts as a click, a chosen file as two.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.other_site import OtherSite, serve_site
from tests.browser.posting import post_incident
from tests.browser.product import PASSWORD, STAFF, Product, path_in

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
MOST_CLICKS = 25
COMPONENTS = """Chat
    Chat API
    Webhooks
Site
    Website
    Dashboard
    Search"""


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Product]:
    started = Product(tmp_path / "data", "--no-demo")
    try:
        started.wait()
        yield started
    finally:
        started.stop()


@pytest.fixture
def other_site() -> Iterator[OtherSite]:
    with serve_site() as site:
        yield site


class Hand:
    def __init__(self) -> None:
        self.clicks = 0

    def click(self, what: Locator) -> None:
        self.clicks += 1
        what.click()

    def fill(self, field: Locator, text: str) -> None:
        self.clicks += 1
        field.fill(text)

    def choose(self, field: Locator, file: Path) -> None:
        self.clicks += 2
        field.set_input_files(file)


def test_a_page_of_ones_own_takes_few_clicks(
    browser: Browser, empty: Product, other_site: OtherSite, tmp_path: Path
) -> None:
    context = browser.new_context(base_url=empty.url, locale="en-GB")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page, hand = context.new_page(), Hand()

    page.goto("/")
    sign_in(page, hand)
    name_and_components(page, hand)
    logo(page, hand, tmp_path)
    line = banner_line(page, hand)
    subscribe(page, hand, empty)

    assert hand.clicks <= MOST_CLICKS
    other_site.pages["/"] = (f"<!doctype html><title>Shop</title><h1>Shop</h1>{line}", "")
    assert_all_is_there(page, empty, other_site)
    context.close()


def sign_in(page: Page, hand: Hand) -> None:
    hand.click(page.get_by_role("link", name="Make the first page"))
    hand.fill(page.get_by_label("User name"), STAFF)
    hand.fill(page.get_by_label("Password"), PASSWORD)
    hand.click(page.get_by_role("button", name="Sign in"))


def name_and_components(page: Page, hand: Hand) -> None:
    hand.fill(page.get_by_label("Name", exact=True), "Acme")
    hand.click(page.get_by_role("button", name="Save"))
    expect(page.get_by_role("heading", name="Set up: 1 of 7")).to_be_visible()
    hand.click(page.get_by_role("link", name="Go on"))
    hand.click(page.get_by_role("link", name="Add many"))
    hand.fill(page.get_by_role("textbox", name="Components"), COMPONENTS)
    hand.click(page.get_by_role("button", name="Show what would be added"))
    hand.click(page.get_by_role("button", name="Add them"))
    expect(page.get_by_text("5 components were added.")).to_be_visible()


def logo(page: Page, hand: Hand, directory: Path) -> None:
    Image.new("RGB", (400, 100), "navy").save(directory / "logo.png")
    hand.click(page.get_by_role("link", name="Page", exact=True))
    hand.click(page.get_by_role("link", name="Look"))
    hand.choose(page.locator("[name=logo]"), directory / "logo.png")
    hand.click(page.get_by_role("button", name="Save"))


def banner_line(page: Page, hand: Hand) -> str:
    hand.click(page.get_by_role("link", name="Share"))
    hand.click(page.get_by_label("The banner's line").locator("..").get_by_role("button"))
    copied: str = page.evaluate("navigator.clipboard.readText()")
    return copied


def subscribe(page: Page, hand: Hand, product: Product) -> None:
    page.goto("/subscribe")
    hand.fill(page.get_by_label("E-mail address"), "ann@acme.example")
    hand.click(page.get_by_role("button", name="Subscribe"))
    mail = product.wait_for_mail("ann@acme.example", "Confirm")
    page.goto(path_in(mail, "/subscribe/confirm/"))
    hand.click(page.get_by_role("button", name="Confirm"))
    expect(page.get_by_role("heading", name="You are subscribed")).to_be_visible()


def assert_all_is_there(page: Page, product: Product, shop: OtherSite) -> None:
    post_incident(page, "Chat is slow", "We look into it.")
    product.wait_for_mail("ann@acme.example", "Chat is slow")
    page.goto("/")
    expect(page.get_by_role("img", name="Acme")).to_be_visible()
    for group in ("Chat", "Site"):
        page.locator("summary").filter(has_text=group).first.click()
    for name in ("Chat API", "Webhooks", "Website", "Dashboard", "Search"):
        expect(page.get_by_text(name, exact=True).first).to_be_visible()
    page.goto(f"{shop.url}/")
    expect(page.locator("status-banner")).to_contain_text("Chat is slow")
