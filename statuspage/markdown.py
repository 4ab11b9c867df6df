"""Markdown as staff write it, turned into HTML that is safe in a page, a feed and an e-mail.

Rendered once, when the update is stored. No images: they would load from other hosts and track readers.
"""

import nh3
from markdown_it import MarkdownIt

TAGS = {"p", "br", "strong", "em", "del", "code", "pre", "blockquote", "ul", "ol", "li", "a", "h3", "h4", "hr"}
SCHEMES = {"https", "http", "mailto"}
# Nesting costs time in the parser and helps no reader.
_markdown = MarkdownIt("commonmark", {"html": False, "breaks": True, "maxNesting": 20}).disable("image")
_markdown.enable("strikethrough")


def render_markdown(source: str) -> str:
    """Safe HTML of `source`; headings are kept below the page's own (h3 and h4)."""
    html = _markdown.render(source)
    for level, shown in (("1", "3"), ("2", "3"), ("5", "4"), ("6", "4")):
        html = html.replace(f"<h{level}>", f"<h{shown}>").replace(f"</h{level}>", f"</h{shown}>")
    return nh3.clean(html, tags=TAGS, attributes={"a": {"href"}}, url_schemes=SCHEMES, link_rel="noopener nofollow").strip()
