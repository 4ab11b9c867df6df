"""Markdown as staff write it, turned into HTML that is safe in a page, a feed and an e-mail.

Rendered once, when the update is stored. No images: they would load from other hosts and track readers.
"""

import re
from functools import lru_cache
from html import unescape

import nh3
from markdown_it import MarkdownIt

TAGS = {"p", "br", "strong", "em", "del", "code", "pre", "blockquote", "ul", "ol", "li", "a", "h3", "h4", "hr"}
SCHEMES = {"https", "http", "mailto"}
TYPED_BREAK = re.compile(r"<br ?/?>", re.IGNORECASE)
# Nesting costs time in the parser and helps no reader.
_markdown = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": 20}).disable("image")
_markdown.enable("strikethrough")


def render_markdown(source: str) -> str:
    """Safe HTML of `source`; headings are kept below the page's own (h3 and h4).

    A <br> that somebody typed counts as a line end, as it does in Statuspage.
    """
    html = _markdown.render(TYPED_BREAK.sub("\n", source))
    for level, shown in (("1", "3"), ("2", "3"), ("5", "4"), ("6", "4")):
        html = html.replace(f"<h{level}>", f"<h{shown}>").replace(f"</h{level}>", f"</h{shown}>")
    return nh3.clean(
        html, tags=TAGS, attributes={"a": {"href"}}, url_schemes=SCHEMES, link_rel="noopener nofollow"
    ).strip()


@lru_cache(maxsize=1024)
def render_line(source: str) -> str:
    """Safe HTML of `source` for use inside one paragraph: links and emphasis, every line end a <br />.

    Blocks (lists, headings) stay as they were typed.
    """
    html = _markdown.renderInline(TYPED_BREAK.sub("\n", source))
    html = nh3.clean(
        html,
        tags={"br", "strong", "em", "del", "code", "a"},
        attributes={"a": {"href"}},
        url_schemes=SCHEMES,
        link_rel="noopener nofollow",
    )
    return html.replace("<br>\n", "<br />").replace("<br>", "<br />").strip()


def plain_text(source: str) -> str:
    """The words of `source` on one line, without markup; not HTML: write it as text."""
    return " ".join(unescape(nh3.clean(render_line(source).replace("<br />", " "), tags=set())).split())
