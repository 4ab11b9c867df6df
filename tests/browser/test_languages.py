"""The pages in languages that nobody speaks (tests/pseudo_locale.py): on a phone, nothing is in English, nothing is too
wide, and what is read from the right begins there."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.product import Product, new_address, path_in
from tests.browser.watch import find_barriers, width_needed
from tests.pseudo_locale import FROM_THE_RIGHT, LONGER, find_untranslated, outside_brackets, write_pseudo_locales

# A group of its own: it needs nothing of what the other browser tests have started.
pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser in other languages")]
PHONE = {"width": 320, "height": 640}


@pytest.fixture(scope="module")
def translated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    """The product with an operator's own catalogues."""
    data = tmp_path_factory.mktemp("languages") / "data"
    write_pseudo_locales(data / "locale")
    started = Product(data)
    try:
        started.wait()
        yield started
    finally:
        started.stop()


@pytest.fixture(params=[LONGER, FROM_THE_RIGHT])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def phone(browser: Browser, translated: Product) -> Iterator[Page]:
    """A visitor's in New York, whose clocks are not the page's."""
    context = browser.new_context(base_url=translated.url, viewport=PHONE, timezone_id="America/New_York")
    yield context.new_page()
    context.close()


def assert_translated(page: Page, language: str) -> None:
    where = page.url
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert find_untranslated(page.content()) == [], where
    assert width_needed(page) <= PHONE["width"], where
    assert page.evaluate("document.documentElement.lang") == language, where
    direction = "rtl" if language == FROM_THE_RIGHT else "ltr"
    assert page.evaluate("getComputedStyle(document.body).direction") == direction, where
    # Read from the right, the page begins at the right edge and has not slipped out at the left.
    assert page.evaluate("document.querySelector('h1').getBoundingClientRect().left >= 0"), where


def test_every_page_fits_a_phone_in_a_language_that_is_longer_or_written_from_the_right(
    phone: Page, translated: Product, language: str
) -> None:
    incidents = sorted(set(re.findall(r'href="(/incidents/[a-z0-9]+)"', translated.get("/"))))
    assert incidents
    for path in ("/", "/history", "/api", "/nothing-here", "/unsubscribe/broken", *incidents):
        phone.goto(f"/{language}{path}")
        assert_translated(phone, language)
    phone.goto(f"/{language}/")
    assert find_barriers(phone) == []


def test_times_in_the_visitors_zone_are_told_in_the_pages_language(phone: Page, language: str) -> None:
    phone.goto(f"/{language}/")
    button = phone.locator("#zone")
    expect(button).to_be_visible()
    for _ in range(2):
        button.click()
        words = phone.locator("#announcer").inner_text()
        assert "⟦" in words
        assert "⟦" in button.inner_text()
        assert outside_brackets(words) == ""
        assert all("⟦" in time for time in phone.locator("time[data-window]").all_inner_texts())
        assert width_needed(phone) <= PHONE["width"]


def test_a_link_stays_in_the_language_and_another_can_be_chosen(phone: Page, language: str) -> None:
    phone.goto(f"/{language}/")
    phone.locator("h3 a, section.day a").first.click()
    expect(phone).to_have_url(re.compile(f"/{language}/incidents/"))
    phone.locator(".brand").click()
    expect(phone).to_have_url(re.compile(f"/{language}/$"))
    phone.locator("nav [hreflang=en]").click()
    expect(phone.locator("html")).to_have_attribute("lang", "en")
    expect(phone.get_by_role("link", name="Get updates")).to_be_visible()


def test_subscribing_from_beginning_to_end(phone: Page, translated: Product, language: str) -> None:
    reader = new_address()
    phone.goto(f"/{language}/")
    phone.locator(".btn.primary").click()
    phone.locator("input[value=chosen]").check()
    phone.locator("#email").fill("nobody@localhost")
    phone.locator("button.primary").click()
    expect(phone.get_by_role("alert")).to_be_visible()
    assert_translated(phone, language)
    phone.locator("input[value=everything]").check()
    phone.locator("#email").fill(reader)
    phone.locator("button.primary").click()
    expect(phone).to_have_url(re.compile(f"/{language}/subscribe/sent"))
    assert_translated(phone, language)

    phone.goto(path_in(translated.wait_for_mail(reader, "⟦"), f"/{language}/subscribe/confirm/"))
    assert_translated(phone, language)
    phone.locator("button.primary").click()
    assert_translated(phone, language)
    phone.locator("main a.btn").first.click()
    assert_translated(phone, language)
    phone.locator("button[value=save]").click()
    expect(phone.get_by_role("status")).to_be_visible()
    assert_translated(phone, language)
    phone.locator("button[value=leave]").click()
    assert_translated(phone, language)
    phone.locator("main form button").click()
    assert_translated(phone, language)
