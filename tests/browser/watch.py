"""What a page does behind its face: errors, other hosts, cookies, bytes; and what axe-core finds in it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, Response

# Colours are all that differs in the dark.
CONTRAST = ("color-contrast",)
# The standard's own rules, without axe-core's good advice for whole pages (landmarks), for mails.
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa")


@dataclass
class Watch:
    """Everything that went over the wire or went wrong in a browser context since it was made."""

    context: BrowserContext
    own: str
    problems: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.context.on("console", self._hear)
        self.context.on("weberror", lambda error: self.problems.append(str(error.error)))
        self.context.on("request", self._see_request)
        self.context.on("response", self._see_response)

    def _hear(self, message: ConsoleMessage) -> None:
        """Violations of the content security policy are console errors too."""
        if message.type in ("error", "warning"):
            self.problems.append(f"{message.text} ({message.page.url if message.page else 'no page'})")

    def _see_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.own}/", "data:", "blob:")):
            self.foreign.append(request.url)

    def _see_response(self, response: Response) -> None:
        self.responses.append(response)

    def assert_clean(self) -> None:
        """No error, nobody else asked, nothing remembered."""
        assert self.problems == []
        assert self.foreign == []
        assert self.context.cookies() == []

    def bytes_by_path(self) -> dict[str, int]:
        """Body bytes as they came over the wire, compressed."""
        return {urlsplit(each.url).path: each.request.sizes()["responseBodySize"] for each in self.responses}


def find_barriers_at(page: Page, path: str, most_width: int) -> list[str]:
    """What axe-core has to say of the page at `path`: all of it in the light, contrast in the dark and where the
    system chooses the colours; and whether the page is wider than `most_width`, in pixels."""
    page.emulate_media(color_scheme="light", forced_colors="none")
    page.goto(path)
    faults = [f"{path}: {barrier}" for barrier in find_barriers(page)]
    if (width := width_needed(page)) > most_width:
        faults.append(f"{path}: {width} px wide")
    page.emulate_media(color_scheme="dark")
    faults += [f"{path} in the dark: {barrier}" for barrier in find_barriers(page, CONTRAST)]
    page.emulate_media(forced_colors="active")
    return faults + [f"{path} in forced colours: {barrier}" for barrier in find_barriers(page, CONTRAST)]


def find_barriers(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """What axe-core has to say against the page as it is now: rule, element, reason.

    `rules` are its rules or tags; all of them when there are none.
    """
    options: dict[str, Any] = {"resultTypes": ["violations"]} | ({"runOnly": list(rules)} if rules else {})
    if not rules:
        options["rules"] = {"target-size": {"enabled": True}}  # of WCAG 2.2; axe-core leaves it out unless asked
    page.evaluate("Promise.all(document.getAnimations().map((each) => each.finished))")  # colours that still change
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)  # half a megabyte: once for each document
    result: dict[str, Any] = page.evaluate("(options) => axe.run(options)", options)
    return [
        f"{violation['id']}: {node['html'][:160]} {node['failureSummary']}"
        for violation in result["violations"]
        for node in violation["nodes"]
    ]


def width_needed(page: Page) -> int:
    """The width that the content takes, in CSS pixels; more than the window's means scrolling sideways."""
    needed: int = page.evaluate("document.documentElement.scrollWidth")
    return needed
