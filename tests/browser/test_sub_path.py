"""The page at http://localhost/status, behind nginx that takes /status off and behind one that does not: as visitors,
subscribers and staff use it, and every address that is in it."""

from __future__ import annotations

import re
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit
from xml.etree import ElementTree as ET

import pytest
from bs4 import BeautifulSoup
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.posting import post_incident, post_next
from tests.browser.product import PASSWORD, STAFF, Product, html_of, new_address, text_of
from tests.browser.watch import Watch
from tests.processes import ROOT, Process, answers, free_port, wait_until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.xdist_group("browser under a sub-path"),
    pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed"),
]
PREFIX = "/status"
ALWAYS_OUTSIDE = ("#", "data:", "mailto:", "javascript:")


class Proxied(NamedTuple):
    product: Product
    origin: str

    def get(self, path: str) -> tuple[str, str]:
        """The content type and the text of a document at a path of the host."""
        with urllib.request.urlopen(self.origin + path, timeout=20) as answer:
            return answer.headers["Content-Type"], answer.read().decode()


def write_config(directory: Path, port: int, application: int, *, strips: bool) -> Path:
    """deploy/nginx-sub-path.conf on our ports and without TLS."""
    config = (ROOT / "deploy/nginx-sub-path.conf").read_text()
    changes = {"127.0.0.1:8000": f"127.0.0.1:{application}", "listen 443 ssl;": f"listen {port};"}
    if not strips:
        changes["proxy_pass http://statuspage/;"] = "proxy_pass http://statuspage;"
    for given, ours in changes.items():
        assert given in config
        config = config.replace(given, ours)
    config = "\n".join(line for line in config.splitlines() if "ssl_certificate" not in line)
    path = directory / "nginx.conf"
    temporary = "\n".join(
        f"{kind}_temp_path {directory}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    path.write_text(
        f"daemon off; pid {directory}/pid; error_log {directory}/error.log;\nevents {{}}\n"
        f"http {{ access_log off; {temporary}\n{config}\n}}\n"
    )
    return path


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    started = Product(tmp_path_factory.mktemp("sub-path") / "data", url=f"http://localhost:{free_port()}{PREFIX}")
    try:
        started.wait()
        yield started
    finally:
        started.stop()


@pytest.fixture(scope="module", params=["takes it off", "passes it on"])
def proxied(
    product: Product, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxied]:
    directory, port = tmp_path_factory.mktemp("nginx"), urlsplit(product.url).port
    assert port
    for each in (directory, *directory.parents[:-2]):
        each.chmod(0o755)
    config = write_config(directory, port, product.port, strips=request.param == "takes it off")
    nginx = Process(["nginx", "-c", config, "-p", directory])
    try:
        proxied = Proxied(product, product.url.removesuffix(PREFIX))
        wait_until(lambda: answers(port), what="nginx")
        yield proxied
    finally:
        nginx.stop()


@pytest.fixture
def context(browser: Browser, proxied: Proxied) -> Iterator[BrowserContext]:
    made = browser.new_context(base_url=proxied.origin, locale="en-GB")
    yield made
    made.close()


def addresses_in(kind: str, text: str) -> list[str]:
    """What a document links to, loads or names."""
    if kind.startswith("text/html"):
        soup = BeautifulSoup(text, "html.parser")
        found = [
            str(each[name])
            for name in ("href", "src", "action", "hx-get")
            for each in soup.find_all(attrs={name: True})
        ]
        return found + re.findall(r'"(?:item|url)": ?"([^"]+)"', text)
    if "xml" in kind and "svg" not in kind:
        root = ET.fromstring(text)
        hrefs = [each.attrib["href"] for each in root.iter() if "href" in each.attrib]
        return hrefs + [each.text or "" for each in root.iter() if each.tag.rpartition("}")[2] in ("link", "loc")]
    return re.findall(r'https?://localhost[^\s"\\]*', text)


def test_every_address_of_every_document_stands_below_the_sub_path(proxied: Proxied) -> None:
    starts = ("/", "/history", "/api", "/subscribe", "/sitemap.xml", "/robots.txt", "/history.rss", "/history.atom", "/feed.json",
              "/maintenance.ics", "/api/banner.json", "/api/v2/summary.json", "/embed.json", "/embed/frame")  # fmt: skip
    waiting, seen = [PREFIX + path for path in starts], set[str]()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        kind, text = proxied.get(path)
        for address in addresses_in(kind, text):
            target = urlsplit(urljoin(f"{proxied.origin}{path}", address))
            if address.startswith(ALWAYS_OUTSIDE) or target.netloc != urlsplit(proxied.origin).netloc:
                continue
            assert target.path == PREFIX or target.path.startswith(f"{PREFIX}/"), (path, address)
            assert not target.path.startswith(f"{PREFIX}{PREFIX}"), (path, address)
            if target.path not in seen and not target.path.startswith(f"{PREFIX}/static/"):
                seen.add(target.path)
                waiting.append(target.path)
    assert len([path for path in seen if path.startswith(f"{PREFIX}/incidents/")]) > 5


def test_a_visitor_reads_subscribes_and_staff_post(context: BrowserContext, page: Page, proxied: Proxied) -> None:
    watch = Watch(context, f"{proxied.origin}{PREFIX}")
    page.goto(f"{PREFIX}/", wait_until="networkidle")
    assert page.locator("link[rel=canonical]").get_attribute("href") == f"{proxied.origin}{PREFIX}/"
    page.get_by_role("link", name="Push notifications delayed").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Push notifications delayed")
    page.get_by_role("link", name="History", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(r"[A-Z][a-z]+ \d{4}"))
    page.get_by_role("searchbox").fill("push")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("link", name="Push notifications delayed").first).to_be_visible()
    page.get_by_role("link", name="Get updates").click()
    address = new_address()
    page.get_by_label("E-mail").first.fill(address)
    page.get_by_role("button", name=re.compile("Subscribe|Send")).click()
    expect(page).to_have_url(f"{proxied.origin}{PREFIX}/subscribe/sent")
    watch.assert_clean()

    link = re.search(r"http://\S+/subscribe/confirm/\S+", text_of(proxied.product.wait_for_mail(address, "Confirm")))
    assert link
    assert link[0].startswith(f"{proxied.origin}{PREFIX}/subscribe/confirm/")
    page.goto(link[0])
    page.get_by_role("button").first.click()
    expect(page.get_by_role("link", name="Change what you hear about")).to_be_visible()

    page.goto(f"{PREFIX}/staff/")
    page.get_by_label("User name").fill(STAFF)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{proxied.origin}{PREFIX}/staff/")
    assert {cookie["path"] for cookie in context.cookies()} == {f"{PREFIX}/"}
    assert {cookie["name"] for cookie in context.cookies()} == {"statuspage_session", "statuspage_csrf"}
    code = post_incident(page, "Exports are slow", "They take some minutes.", prefix=PREFIX)
    page.get_by_role("link", name="See it on the public page").click()
    expect(page).to_have_url(f"{proxied.origin}{PREFIX}/incidents/{code}")
    mail = proxied.product.wait_for_mail(address, "Exports are slow", within=30)
    links = re.findall(r'href="([^"]+)"', html_of(mail)) + re.findall(r"http\S+", mail["List-Unsubscribe"])
    assert links
    assert all(each.startswith(f"{proxied.origin}{PREFIX}") for each in links)
    post_next(page, code, "They are fast again.", "Resolved", prefix=PREFIX)
    watch.problems.clear()
    for screen in ("", "page/", "page/look/", "page/share/", "components/", "people/", "channels/", "subscribers/"):
        page.goto(f"{PREFIX}/staff/{screen}", wait_until="networkidle")
        kind = "text/html"
        for each in addresses_in(kind, page.content()):
            target = urlsplit(urljoin(page.url, each))
            inside = target.path == PREFIX or target.path.startswith(f"{PREFIX}/")
            assert inside or target.netloc != urlsplit(proxied.origin).netloc or each.startswith("data:"), (
                screen,
                each,
            )
    assert watch.problems == []
    assert watch.foreign == []


def test_a_banner_on_another_site_reads_below_the_sub_path(
    context: BrowserContext, page: Page, proxied: Proxied
) -> None:
    page.goto(f"{PREFIX}/embed/frame")
    with page.expect_response(f"{proxied.origin}{PREFIX}/api/banner.json") as answer:
        page.evaluate("fetch('../api/banner.json')")
    assert answer.value.ok
    src = f"{proxied.origin}{PREFIX}/se-v2.js"
    page.goto(f"{PREFIX}/")
    page.evaluate(
        "src => new Promise((done) => document.head.append(Object.assign(document.createElement('script'),"
        " {src, onload: done})))",
        src,
    )
    name = page.evaluate(
        "new Promise((done, fail) => new StatusPage.page({page: 'x'}).summary({success: (data) => done(data.page.url), error: fail}))"
    )
    assert name == f"{proxied.origin}{PREFIX}"


@pytest.mark.parametrize("path", ["/staff", "/history/", "/api/", "/staff/people/"])
def test_redirects_stay_below_the_sub_path(context: BrowserContext, proxied: Proxied, path: str) -> None:
    answer = context.request.get(f"{PREFIX}{path}")
    assert answer.ok
    assert urlsplit(answer.url).path.startswith(f"{PREFIX}/")
