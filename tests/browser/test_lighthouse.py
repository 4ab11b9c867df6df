"""Lighthouse finds nothing on the public pages, and they stay within their budgets. Its speed score is measured in bench/."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import BrowserType

from tests.browser.conftest import find_chromium
from tests.browser.product import Product
from tests.lighthouse import runner

pytestmark = [
    pytest.mark.browser,
    pytest.mark.once,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(runner.why_not() is not None, reason=str(runner.why_not())),
]
MARKUP_BYTES, SCRIPT_BYTES, REQUESTS = 15_000, 20_000, 5


@pytest.mark.parametrize("which", ["/", "/incidents/", "/components/", "/history", "/subscribe"])
def test_lighthouse_finds_nothing(which: str, product: Product, browser_type: BrowserType, tmp_path: Path) -> None:
    path = which
    if which in ("/incidents/", "/components/"):
        path = re.findall(rf"{which}[a-z0-9]+", product.get("/"))[0]
    report = runner.run(product.url + path, find_chromium(browser_type), tmp_path, speed=False)
    # Who is asked for an address should not land there from a search engine: that page says noindex.
    wanted = {"accessibility", "best-practices"} | ({"seo"} if which != "/subscribe" else set())
    assert {name: score for name, score in report.scores.items() if name in wanted} == dict.fromkeys(wanted, 100), (
        report.failed
    )
    assert report.layout_shift == 0
    assert report.transferred["document"] + report.transferred["stylesheet"] <= MARKUP_BYTES
    assert report.transferred["script"] <= SCRIPT_BYTES
    assert report.requests <= REQUESTS
