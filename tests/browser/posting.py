"""Posting as staff do, by the posting screen."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from playwright.sync_api import Page, expect


def post_incident(
    staff: Page, title: str, message: str, components: Mapping[str, str] | None = None, *, prefix: str = ""
) -> str:
    """Post, wait for the receipt, and give the incident's code. `components`: names to statuses, as on the screen."""
    staff.goto(f"{prefix}/staff/post/")
    staff.get_by_label("Title").fill(title)
    staff.get_by_label("Message").fill(message)
    for name, component_status in (components or {}).items():
        staff.get_by_role("combobox", name=name).select_option(component_status)
    staff.get_by_role("button", name="Post update").click()
    expect(staff.get_by_role("heading", level=1, name=title)).to_be_visible()
    return code_on_receipt(staff)


def code_on_receipt(staff: Page) -> str:
    """The code of the incident whose receipt is shown."""
    link = staff.get_by_role("link", name="See it on the public page").get_attribute("href")
    assert link
    return link.rsplit("/", 1)[1]


def post_next(staff: Page, code: str, message: str, status: str, *, prefix: str = "") -> None:
    staff.goto(f"{prefix}/staff/post/{code}/")
    staff.get_by_role("radio", name=status).check()
    staff.get_by_label("Message").fill(message)
    staff.get_by_role("button", name="Post update").click()
    expect(staff.get_by_role("link", name="See it on the public page")).to_be_visible()


@contextmanager
def posted(staff: Page, title: str, message: str, components: Mapping[str, str] | None = None) -> Iterator[str]:
    """An incident for the length of a with block; its code."""
    code = post_incident(staff, title, message, components)
    try:
        yield code
    finally:
        post_next(staff, code, "It works again.", "Resolved")
