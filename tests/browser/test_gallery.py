"""Every screen at three widths, light and dark. `make screenshots` keeps them all, with a page that shows them side by side
(--gallery DIR); any other run sees to it that some of each kind can be shown."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import NewContext
from tests.browser.posting import posted
from tests.browser.product import Product, html_of, new_address
from tests.browser.test_settings import SCREENS

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser"), pytest.mark.timeout(1_200)]
WIDTHS, SCHEMES = (390, 768, 1280), ("light", "dark")
PUBLIC = (
    "/",
    "/history",
    "/history/search?q=slow",
    "/subscribe",
    "/subscribe/sent",
    "/api",
    "/nothing-here",
    "/unsubscribe/broken",
)
STAFF = ("/staff/", "/staff/post/", "/staff/post/?kind=maintenance", *SCREENS)
MAILS = ("Confirm", "Sign-in is slow")


class Gallery:
    def __init__(self, directory: Path, *, is_kept: bool) -> None:
        self.directory = directory
        self.is_kept = is_kept
        self.sizes = [(width, scheme) for width in WIDTHS for scheme in SCHEMES] if is_kept else [(390, "dark")]
        self.names: list[str] = []

    def add(self, page: Page, name: str, path: str) -> None:
        """Of the page at `path`; without one, of what `page` shows."""
        self.names.append(name)
        for width, scheme in self.sizes:
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            if path:
                page.goto(path, wait_until="networkidle")
            picture = self.directory / f"{name}-{width}-{scheme}.png"
            page.screenshot(path=picture, full_page=True, animations="disabled")
            assert picture.stat().st_size > 2_000, picture.name

    def write_index(self) -> None:
        self.directory.joinpath("index.html").write_text("".join(self._index()))

    def _index(self) -> Iterable[str]:
        yield "<!doctype html><meta charset=utf-8><title>Every screen</title>"
        yield "<style>body{font-family:sans-serif}div{display:flex;gap:1em;align-items:start;overflow-x:auto}img{max-height:40em;border:1px solid gray}</style>"
        for name in self.names:
            yield f"<h2>{html.escape(name)}</h2><div>"
            yield from (
                f"<img src='{name}-{width}-{scheme}.png' alt='{width} {scheme}'>" for width, scheme in self.sizes
            )
            yield "</div>"


@pytest.fixture
def gallery(request: pytest.FixtureRequest, tmp_path: Path) -> Gallery:
    chosen = request.config.getoption("--gallery", None)
    directory = Path(chosen) if chosen else tmp_path
    directory.mkdir(parents=True, exist_ok=True)
    return Gallery(directory, is_kept=bool(chosen))


def test_gallery_of_every_screen(new_context: NewContext, staff: Page, product: Product, gallery: Gallery) -> None:
    page, reader = new_context().new_page(), new_address()
    product.subscribe(reader)
    with posted(staff, "Sign-in is slow", "It takes a minute.", {"Sign-in": "Degraded performance"}) as code:
        mails = [html_of(product.wait_for_mail(reader, subject)) for subject in MAILS]
        receipt = staff.url
        component = re.search(r'href="(/components/[a-z0-9]+)"', product.get("/"))
        assert component
        most = None if gallery.is_kept else 2  # that they answer is tested elsewhere
        for path in (*PUBLIC[:most], component[1], f"/incidents/{code}"):
            gallery.add(page, f"public{_name(path, code)}", path)
        for path in (*STAFF[:most], f"/staff/post/{code}/", receipt):
            gallery.add(staff, f"staff{_name(path.removeprefix(product.url), code)}", path)
    for subject, written in zip(MAILS, mails, strict=True):
        page.goto("about:blank")
        page.set_content(written)
        gallery.add(page, f"mail-{subject.split()[0].lower()}", "")
    gallery.write_index()


def _name(path: str, code: str) -> str:
    """A file's name, the same in each run."""
    words = re.sub(r"[a-z0-9]{12}", "one", path.replace(code, "one").removeprefix("/staff"))
    return "-" + (re.sub(r"[^a-z0-9]+", "-", words).strip("-") or "front")
