"""The staff's screens in languages that nobody speaks: nothing is in English, nothing is wider than a phone, and what is
read from the right begins there."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.product import PASSWORD, STAFF, Product
from tests.browser.test_languages import language, translated  # noqa: F401 (fixtures)
from tests.browser.watch import width_needed
from tests.pseudo_locale import FROM_THE_RIGHT, find_untranslated

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser in other languages")]
PHONE = {"width": 390, "height": 844}
SCREENS = (
    "/staff/",
    "/staff/post/",
    "/staff/post/?kind=maintenance",
    "/staff/incidents/",
    "/staff/maintenance/",
    "/staff/components/",
    "/staff/components/paste/",
    "/staff/components/import/",
    "/staff/channels/",
    "/staff/channels/connect/mastodon/",
    "/staff/subscribers/",
    "/staff/page/",
    "/staff/page/look/",
    "/staff/page/share/",
    "/staff/page/templates/",
    "/staff/people/",
    "/staff/people/invite/",
    "/staff/set-up/",
    "/staff/parts/",
    "/staff/notices/",
)
NAMES = {"Messaging", "Voice and video", "Platform"}
"""Of groups: labels of regions."""


@pytest.fixture
def staff_phone(browser: Browser, translated: Product, language: str) -> Any:  # noqa: F811
    headers = {"Accept-Language": f"{language}, en;q=0.5"}
    context = browser.new_context(base_url=translated.url, viewport=PHONE, extra_http_headers=headers)
    page = context.new_page()
    page.goto("/admin/login/?next=/staff/")
    page.locator("#id_username").fill(STAFF)
    page.locator("#id_password").fill(PASSWORD)
    page.locator("[type=submit]").click()
    page.wait_for_url("**/staff/")
    yield page
    context.close()


def test_the_screens_of_staff_are_translated_and_fit_a_phone(staff_phone: Page, language: str) -> None:  # noqa: F811
    staff_phone.goto("/staff/incidents/")
    incident = staff_phone.locator("main a[href^='/staff/post/']").first.get_attribute("href")
    problems = []
    for path in (*SCREENS, str(incident)):
        staff_phone.goto(path)
        staff_phone.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        found = find_untranslated(staff_phone.content())
        problems += [f"{path}: {words}" for words in found if words not in NAMES]
        if (width := width_needed(staff_phone)) > PHONE["width"]:
            problems.append(f"{path}: {width} px wide")
        assert staff_phone.evaluate("document.documentElement.lang") == language, path
        direction = "rtl" if language == FROM_THE_RIGHT else "ltr"
        assert staff_phone.evaluate("getComputedStyle(document.body).direction") == direction, path
    assert not problems, "\n".join(problems)
