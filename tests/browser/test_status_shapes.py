"""Each status has a shape of its own beside its word: colour alone never says it."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.product import Product

STATIC = Path(__file__).parents[2] / "static" / "css"
STATUSES = ("operational", "under_maintenance", "degraded_performance", "partial_outage", "major_outage")
SHAPE = "node => getComputedStyle(node, '::before').content"


def show(page: Page, body: str) -> None:
    css = "".join((STATIC / name).read_text() for name in ("tokens.css", "public.css"))
    page.set_content(f"<style>{css}</style><div style='padding:20px'>{body}</div>")


def test_each_status_has_a_shape_that_is_not_read_aloud(page: Page) -> None:
    show(page, "".join(f'<p><span class="state {each}">{each}</span></p>' for each in STATUSES))
    shapes = [page.locator(f".{each}").evaluate(SHAPE) for each in STATUSES]
    assert len(set(shapes)) == len(STATUSES)
    assert all(each.endswith('/ ""') for each in shapes)


def test_the_answer_is_tinted_by_the_worst_status(page: Page) -> None:
    show(page, "".join(f'<section class="hero {each}"><h1>{each}</h1></section>' for each in STATUSES))
    tint = "node => getComputedStyle(node).backgroundColor"
    assert len({page.locator(f".{each}").evaluate(tint) for each in STATUSES}) == len(STATUSES)


def test_the_icon_of_a_page_that_stands_open_follows_the_state(page: Page, product: Product) -> None:
    page.goto("/")
    icon = page.locator("link[rel=icon]")
    told = product.get("/fragments/summary")
    now = re.findall(r'data-icon="([^"]+)"', told)[0]
    expect(icon).to_have_attribute("href", now)
    worst = "/static/img/favicon-major_outage.svg"
    worse = told.replace(now, worst)
    page.route("**/fragments/summary", lambda route: route.fulfill(body=worse, content_type="text/html"))
    with page.expect_response("**/fragments/summary"):
        page.evaluate("document.querySelector('[hx-get]').dispatchEvent(new CustomEvent('refresh'))")
    expect(icon).to_have_attribute("href", worst)
