"""From the form to the mail and out again, as a reader does it."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewContext
from tests.browser.posting import posted
from tests.browser.product import Product, html_of, new_address, path_in
from tests.browser.watch import WCAG, Watch, find_barriers, width_needed

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def ask(page: Page, address: str, *components: str) -> None:
    page.goto("/")
    page.get_by_role("link", name="Get updates").click()
    page.get_by_label("E-mail address").fill(address)
    for component in components:
        page.get_by_label("Only what I choose").check()
        page.get_by_label(component, exact=True).check()
    page.get_by_role("button", name="Subscribe").click()
    expect(page.get_by_role("heading", name="Check your mail")).to_be_visible()


def assert_for_all(page: Page) -> None:
    assert find_barriers(page) == [], page.title()
    assert width_needed(page) <= page.viewport_size["width"], page.title()  # type: ignore[index]


def test_subscribe_confirm_choose_hear_and_leave_by_one_click(
    page: Page, watch: Watch, staff: Page, product: Product
) -> None:
    page.set_viewport_size({"width": 320, "height": 640})
    reader = new_address()
    ask(page, reader, "Chat API")

    page.goto(path_in(product.wait_for_mail(reader, "Confirm"), "/subscribe/confirm/"))
    expect(page.get_by_role("listitem")).to_have_text("Chat API")
    assert_for_all(page)
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", name="You are subscribed")).to_be_visible()
    assert_for_all(page)

    page.get_by_role("link", name="Change what you hear about").click()
    expect(page.get_by_label("Chat API", exact=True)).to_be_checked()
    page.get_by_label("Webhooks", exact=True).check()
    page.get_by_text("Your link and your data").click()
    assert_for_all(page)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")
    expect(page.get_by_label("Webhooks", exact=True)).to_be_checked()

    with (
        posted(staff, "Sign-in is slow", "It takes a minute.", {"Sign-in": "Degraded performance"}),
        posted(staff, "Webhooks are late", "They arrive after minutes.", {"Webhooks": "Degraded performance"}),
    ):
        mail = product.wait_for_mail(reader, "Webhooks are late")
    assert not any("Sign-in" in str(each["Subject"]) for each in product.mails(reader))

    page.goto(path_in(mail, "/unsubscribe/"))
    assert_for_all(page)
    page.get_by_role("button", name="Unsubscribe").click()
    expect(page.get_by_role("heading", name="You have left")).to_be_visible()
    assert_for_all(page)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", name="You are subscribed again")).to_be_visible()

    one_click = str(mail["List-Unsubscribe"]).strip("<>").removeprefix(product.url)
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert "You have left" in product.post(one_click, ("List-Unsubscribe", "One-Click"))
    watch.assert_clean()


def test_a_mistake_is_explained_where_it_was_made(page: Page, watch: Watch) -> None:
    page.goto("/subscribe")
    page.get_by_label("E-mail address").fill("ann@localhost")
    page.get_by_label("Only what I choose").check()
    page.get_by_role("button", name="Subscribe").click()
    expect(page.get_by_role("alert")).to_contain_text("This is not an e-mail address")
    expect(page.get_by_role("alert")).to_contain_text("Tick at least one component.")
    expect(page.get_by_label("E-mail address")).to_have_value("ann@localhost")
    assert_for_all(page)


def test_all_of_it_works_without_script(new_context: NewContext, product: Product) -> None:
    page = new_context(java_script_enabled=False, viewport={"width": 360, "height": 640}).new_page()
    reader = new_address()
    ask(page, reader, "Dashboard")
    page.goto(path_in(product.wait_for_mail(reader, "Confirm"), "/subscribe/confirm/"))
    page.get_by_role("button", name="Confirm").click()
    page.get_by_role("link", name="Change what you hear about").click()
    page.get_by_text("Your link and your data").click()
    page.get_by_role("button", name="Delete my data").click()
    expect(page.get_by_role("heading", name="Nothing is left")).to_be_visible()


def test_the_mail_is_readable_in_light_and_dark(new_context: NewContext, product: Product) -> None:
    reader = new_address()
    product.post("/subscribe", ("email", reader), ("scope", "everything"))
    html = html_of(product.wait_for_mail(reader, "Confirm"))
    for scheme in ("light", "dark"):
        page = new_context(color_scheme=scheme, viewport={"width": 320, "height": 640}).new_page()
        page.set_content(html)
        assert find_barriers(page, WCAG) == []
        assert width_needed(page) <= 320
