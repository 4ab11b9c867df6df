"""The settings of staff in a browser: by mouse, by keyboard alone, on a narrow phone, in the dark."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import NewContext
from tests.browser.product import Product
from tests.browser.watch import Watch, find_barriers, find_barriers_at

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
SCREENS = (
    "/staff/incidents/",
    "/staff/maintenance/",
    "/staff/components/",
    "/staff/components/paste/",
    "/staff/components/import/",
    "/staff/channels/",
    "/staff/channels/connect/x/",
    "/staff/subscribers/",
    "/staff/page/",
    "/staff/page/look/",
    "/staff/page/templates/",
    "/staff/page/templates/add/incident/",
    "/staff/people/",
    "/staff/people/invite/",
    "/staff/set-up/",
    "/staff/set-up/mail/",
    "/staff/page/share/",
    "/staff/set-up/address/",
    "/staff/set-up/leave-demo/",
    "/staff/forgotten-password/",
)


def order(page: Page, group: str) -> list[str]:
    return page.get_by_role("region", name=group, exact=True).locator("li .name").all_inner_texts()


def test_components_are_dragged_stepped_and_renamed_in_place(staff: Page, product: Product) -> None:
    staff.goto("/staff/components/")
    before = order(staff, "Platform")
    row = staff.locator("li[draggable]").filter(has_text="Webhooks")
    target = staff.locator("li[draggable]").filter(has_text="Dashboard")
    row.drag_to(target, target_position={"x": 40, "y": 4})
    expect(staff.get_by_role("region", name="Platform").locator("li .name").first).to_have_text("Webhooks")

    staff.get_by_role("button", name="Move Webhooks down").focus()
    for _ in range(before.index("Webhooks")):
        below = order(staff, "Platform")
        staff.keyboard.press("Alt+ArrowDown")
        at = below.index("Webhooks") + 1
        expect(staff.get_by_role("region", name="Platform").locator("li .name").nth(at)).to_have_text("Webhooks")
        expect(staff.get_by_role("button", name="Move Webhooks down")).to_be_focused()
    assert order(staff, "Platform") == before

    staff.get_by_role("link", name="Webhooks", exact=True).click()
    expect(staff.get_by_label("New name")).to_be_focused()
    staff.keyboard.press("Control+A")
    staff.keyboard.type("Outgoing webhooks")
    staff.keyboard.press("Enter")
    expect(staff.get_by_role("link", name="Outgoing webhooks", exact=True)).to_be_visible()
    staff.get_by_role("link", name="Outgoing webhooks", exact=True).click()
    staff.get_by_label("New name").fill("Webhooks")
    staff.get_by_role("button", name="Save").click()
    expect(staff.get_by_role("link", name="Webhooks", exact=True)).to_be_visible()


def test_what_was_removed_comes_back_without_script(new_context: NewContext, signed_in: object) -> None:
    page = new_context(storage_state=signed_in, java_script_enabled=False).new_page()
    page.goto("/staff/components/")
    page.get_by_role("link", name="Edit Dashboard").click()
    page.get_by_role("button", name="Archive").click()
    expect(page.get_by_text("Dashboard was archived.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("link", name="Dashboard", exact=True)).to_be_visible()


def test_the_settings_are_for_all_and_fit_a_narrow_phone(new_context: NewContext, signed_in: object) -> None:
    context = new_context(storage_state=signed_in, viewport={"width": 320, "height": 700})
    page = context.new_page()
    watch = Watch(context, page.url)
    page.goto("/staff/components/")
    edits = [
        page.get_by_role("link", name=name).first.get_attribute("href") for name in ("Edit Chat API", "Edit the group")
    ]
    faults = [fault for path in (*SCREENS, *edits) for fault in find_barriers_at(page, path or "", most_width=320)]
    assert not faults, "\n".join(faults)
    page.goto("/staff/components/")
    page.get_by_role("button", name="Menu").click()
    assert find_barriers(page) == []
    expect(page.get_by_role("link", name="Records")).to_be_in_viewport()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Records")).to_be_hidden()
    assert watch.problems == []
