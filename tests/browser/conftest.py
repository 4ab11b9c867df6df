"""A real Chromium against the product as `manage.py up` starts it.

pytest-playwright's own session fixtures are narrowed to this folder: while its event loop is there, Django
takes every database call of the same process for one from asynchronous code.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, BrowserType, Page, Playwright, expect, sync_playwright

from tests.browser.product import PASSWORD, STAFF, Product
from tests.browser.watch import Watch

expect.set_options(timeout=10_000)
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
NewContext = Callable[..., BrowserContext]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--screenshots", metavar="DIR", help="keep the pictures that the screenshot tests take")
    parser.addoption("--gallery", metavar="DIR", help="keep a picture of every screen at every size")


@pytest.fixture(scope="session")
def _pw_artifacts_folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """pytest-playwright's own is left behind, with a warning, by workers of pytest-xdist."""
    return SimpleNamespace(name=str(tmp_path_factory.mktemp("artifacts")))


@pytest.fixture(scope="package")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


@pytest.fixture(scope="package")
def browser_type(playwright: Playwright) -> BrowserType:
    return playwright.chromium


@pytest.fixture(scope="package")
def browser(browser_type: BrowserType, browser_type_launch_args: dict[str, Any]) -> Iterator[Browser]:
    ours = {"executable_path": find_chromium(browser_type), "args": FLAGS}
    launched = browser_type.launch(**browser_type_launch_args | ours)
    yield launched
    launched.close()


def find_chromium(browser_type: BrowserType) -> str:
    """The system's Chromium, else Playwright's own. There is no skipping: what cannot be seen is not tested."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    if Path(browser_type.executable_path).exists():
        return browser_type.executable_path
    pytest.fail("No Chromium on the path, and Playwright has none: run “make chromium”.", pytrace=False)


@pytest.fixture(scope="package")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    started = Product(tmp_path_factory.mktemp("browser") / "data")
    try:
        started.wait()
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="package")
def browser_context_args(product: Product) -> dict[str, Any]:
    return {"base_url": product.url, "locale": "en-GB"}


@pytest.fixture
def watch(context: BrowserContext, product: Product) -> Watch:
    """On the context of `page`."""
    return Watch(context, product.url)


@pytest.fixture(scope="package")
def signed_in(browser: Browser, browser_context_args: dict[str, Any]) -> Any:
    """The cookies of a staff member who has signed in."""
    context = browser.new_context(**browser_context_args)
    page = context.new_page()
    page.goto("/admin/login/")
    page.get_by_label("User name").fill(STAFF)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Open", exact=True)).to_be_visible()
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def staff(new_context: NewContext, signed_in: Any) -> Page:
    """A staff member's page, signed in."""
    return new_context(storage_state=signed_in).new_page()


@pytest.fixture(scope="package")
def shop(product: Product) -> Iterator[str]:
    """The address of a page that embeds the banner with one line of HTML."""
    page = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Shop</title></head><body>
    <main><h1>Shop</h1><p>Things to buy.</p></main><script async src="{product.url}/embed.js"></script></body></html>"""
    policy = (
        f"default-src 'none'; script-src {product.url}; connect-src {product.url}; style-src 'none'; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )

    class Shop(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Security-Policy", policy)
            self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Shop)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join(10)
    server.server_close()
