"""The examples of docs/banner.md for React and Vue, as they stand there, in a page of another origin.

The frameworks come from npm, by the lock in frameworks/. Without npm these tests are skipped.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.other_site import serve_site
from tests.browser.product import Product
from tests.browser.test_banner_options import CHAT, NOW, SITE, Guest

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(not shutil.which("npm"), reason="npm is not on the path"),
]
HERE = Path(__file__).parent / "frameworks"
DOCS = Path(__file__).parents[2] / "docs" / "banner.md"
REACT = """<script src="/react.dev.js"></script><script src="/react-dom.dev.js"></script>
<script type="importmap">{"imports": {"react": "/react-module.js"}}</script><div id="app"></div><script type="module">
import { StatusBanner } from "/react-banner.js";
const { createElement, StrictMode } = React;
const root = ReactDOM.createRoot(document.getElementById("app"));
const both = [{ position: "top" }, { components: "website" }];
window.show = () => root.render(createElement(StrictMode, null, ...both.map((each) => createElement(StatusBanner, each))));
window.hide = () => root.render(null);
show();
</script>"""
VUE = """<script type="importmap">{"imports": {"vue": "/vue.dev.js"}}</script><div id="app"></div><script type="module">
import { createApp, h, ref } from "vue";
import { StatusBanner } from "/vue-banner.js";
const isShown = ref(true);
const both = [{ position: "top" }, { components: "website" }];
createApp({ render: () => (isShown.value ? both.map((each) => h(StatusBanner, each)) : null) }).mount("#app");
window.show = () => { isShown.value = true; };
window.hide = () => { isShown.value = false; };
</script>"""
MODULE = "export const { createElement, useEffect } = window.React;"


@pytest.fixture(scope="module")
def builds() -> dict[str, str]:
    """What npm installed, for browsers, by the path that the page asks for."""
    if not (HERE / "node_modules" / ".package-lock.json").exists():
        done = subprocess.run(["npm", "ci", "--no-progress"], cwd=HERE, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    found = {
        "/react.dev.js": "react/umd/react.development.js",
        "/react-dom.dev.js": "react-dom/umd/react-dom.development.js",
        "/vue.dev.js": "vue/dist/vue.runtime.esm-browser.js",
    }
    return {path: (HERE / "node_modules" / name).read_text() for path, name in found.items()}


@pytest.fixture
def guest(page: Page, product: Product, builds: dict[str, str]) -> Iterator[Guest]:
    with serve_site() as site:
        for name, code in re.findall(r"```js\n// ([\w-]+\.js)\n(.*?)```", DOCS.read_text(), re.DOTALL):
            site.pages[f"/{name}"] = (code.replace("https://status.example.com", product.url), "")
        site.pages |= {path: (code, "") for path, code in (builds | {"/react-module.js": MODULE}).items()}
        yield Guest(page, site, product.url)


@pytest.mark.parametrize("body", [REACT, VUE], ids=["react", "vue"])
def test_two_banners_come_and_go_with_their_component(guest: Guest, body: str) -> None:
    guest.page.clock.install(time=NOW)
    guest.told = [CHAT, SITE]
    html = f'<!doctype html><html lang="en"><head><title>App</title></head><body>{body}</body></html>'
    guest.site.pages["/"] = (html, "")
    guest.page.goto(f"{guest.site.url}/")
    for _ in range(2):
        expect(guest.banner).to_have_count(2)
        expect(guest.banner.nth(0)).to_contain_text("Trouble 1")
        expect(guest.banner.nth(0)).to_have_attribute("position", "top")
        expect(guest.banner.nth(1)).to_contain_text("Trouble 2")
        guest.page.evaluate("hide()")
        expect(guest.banner).to_have_count(0)
        asked = guest.asked
        guest.page.clock.run_for(10 * 60_000)
        assert guest.asked == asked
        guest.page.evaluate("show()")
    assert guest.page.locator('script[src$="/embed.js"]').count() == 1
    assert guest.errors == []
    assert [each for each in guest.warnings if "status-banner" in each] == []
