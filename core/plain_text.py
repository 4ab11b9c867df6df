"""Turns rendered Markdown into plain text for mails: paragraphs, lists and addresses stay, markup is removed."""

import re
from html.parser import HTMLParser
from itertools import takewhile

BLOCKS = frozenset({"p", "h3", "h4", "ul", "ol", "pre", "blockquote", "hr", "table"})
ITEMS = re.compile(r"(- |\d+\. |[^\n]* \| )")


class _Writer(HTMLParser):
    """Parses the HTML that render_markdown writes, which is well formed and has few kinds of tag."""

    def __init__(self, *, with_addresses: bool) -> None:
        super().__init__()
        self._with_addresses = with_addresses
        self.lines = [""]
        self._lists: list[int | None] = []
        """For each open list its next number, or None for a bullet list."""
        self._href = ""
        self._text_of_link = ""
        self._keeps_blanks = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in BLOCKS and not (tag == "p" and self.lines[-1].strip()):  # a paragraph may follow its bullet
            self._begin_block(is_nested=bool(self._lists))
        if tag in ("ul", "ol"):
            self._lists.append(1 if tag == "ol" else None)
        elif tag == "li":
            self._begin_item()
        elif tag == "br":
            self.lines.append("  " * len(self._lists))
        elif tag == "tr" and self.lines[-1].strip():
            self.lines.append("")
        elif tag in ("th", "td") and self.lines[-1].strip():
            self.lines[-1] = self.lines[-1].rstrip() + " | "
        elif tag == "hr":
            self.lines[-1] += "--"
        elif tag == "pre":
            self._keeps_blanks = True
        elif tag == "a":
            self._href, self._text_of_link = dict(attrs).get("href") or "", ""

    def handle_endtag(self, tag: str) -> None:
        if tag in ("ul", "ol"):
            self._lists.pop()
        elif tag == "pre":
            self._keeps_blanks = False
        elif tag == "a":
            if self._with_addresses and self._href and self._href.removeprefix("mailto:") != self._text_of_link.strip():
                self.lines[-1] += f" ({self._href})"
            self._href = ""
        if tag in BLOCKS and not self._lists:
            self.lines += ["", ""]

    def handle_data(self, data: str) -> None:
        if self._keeps_blanks:
            first, *more = data.rstrip("\n").split("\n")
            self.lines[-1] += first
            self.lines += more
            return
        if self._href:
            self._text_of_link += data
        text = data.replace("\n", " ")
        self.lines[-1] += text if self.lines[-1].strip() else text.lstrip()

    def _begin_block(self, *, is_nested: bool) -> None:
        if self.lines[-1].strip():
            self.lines += [""] if is_nested else ["", ""]

    def _begin_item(self) -> None:
        if self.lines[-1].strip():
            self.lines.append("")
        number = self._lists[-1]
        self.lines[-1] = "  " * (len(self._lists) - 1) + ("- " if number is None else f"{number}. ")
        if number is not None:
            self._lists[-1] = number + 1


def plain_paragraphs(html: str, *, with_addresses: bool = True) -> str:
    """The plain text of rendered Markdown, in several lines; it must be escaped in HTML.

    `with_addresses`: write the address of each link behind it.
    """
    writer = _Writer(with_addresses=with_addresses)
    writer.feed(html)
    writer.close()
    kept: list[str] = []
    for line in (line.rstrip() for line in writer.lines):
        if line or (kept and kept[-1]):
            kept.append(line)
    return "\n".join(kept).strip("\n")


def lead_text(html: str) -> str:
    """The plain text before the first list or table, on one line and without addresses."""
    blocks = plain_paragraphs(html, with_addresses=False).split("\n\n")
    lead = list(takewhile(lambda block: not ITEMS.match(block), blocks))
    return " ".join(" ".join(lead or blocks).split())
