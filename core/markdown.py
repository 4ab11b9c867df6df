"""Markdown as staff write it, turned into HTML that is safe in a page, a feed and an e-mail.

Rendered once, when the update is stored. No images: they would load from other hosts and track readers.
"""

import re
from functools import lru_cache

import nh3
from linkify_it import LinkifyIt
from markdown_it import MarkdownIt

LINE_TAGS = {"br", "strong", "em", "del", "code", "a"}
TABLE_TAGS = {"table", "thead", "tbody", "tr", "th", "td"}
TAGS = LINE_TAGS | TABLE_TAGS | {"p", "pre", "blockquote", "ul", "ol", "li", "h3", "h4", "hr"}
ATTRIBUTES = {"a": {"href"}, "ol": {"start"}, "th": {"align"}, "td": {"align"}}
SCHEMES = {"https", "http", "mailto"}
LINK_REL = "noopener nofollow"
ALIGNED = re.compile(r' style="text-align:(left|center|right)"')
TYPED_BREAK = re.compile(r"<br ?/?>", re.IGNORECASE)
# Nesting costs time in the parser and helps no reader.
OPTIONS = {"html": False, "breaks": True, "maxNesting": 20}


def _build_parser(*, links_addresses: bool) -> MarkdownIt:
    parser = MarkdownIt("commonmark", OPTIONS | {"linkify": links_addresses})
    parser.disable("image").enable(["strikethrough", "table", "linkify"])
    # Only what begins with https:// or http:// is taken for an address: "README.md" is none.
    addresses = LinkifyIt(options={"fuzzy_link": False, "fuzzy_email": False})
    parser.linkify = addresses.add("ftp:", None).add("mailto:", None).add("//", None)
    return parser


_markdown = _build_parser(links_addresses=True)
_as_typed = _build_parser(links_addresses=False)


def render_markdown(source: str) -> str:
    """Safe HTML of `source`; headings are kept below the page's own (h3 and h4).

    A <br> that somebody typed counts as a line end, as it does in Statuspage.
    """
    html = _markdown.render(TYPED_BREAK.sub("\n", source))
    for level, shown in (("1", "3"), ("2", "3"), ("5", "4"), ("6", "4")):
        html = html.replace(f"<h{level}>", f"<h{shown}>").replace(f"</h{level}>", f"</h{shown}>")
    # A style attribute is forbidden by the pages' content security policy, and dropped by many readers of mail.
    html = ALIGNED.sub(r' align="\1"', html)
    return nh3.clean(html, tags=TAGS, attributes=ATTRIBUTES, url_schemes=SCHEMES, link_rel=LINK_REL).strip()


@lru_cache(maxsize=1024)
def absolute_links(html: str, base: str) -> str:
    """Makes the links in rendered Markdown absolute, for mails and feeds. `base`: the address of the page."""
    return nh3.clean(
        html,
        tags=TAGS,
        attributes=ATTRIBUTES,
        url_schemes=SCHEMES,
        link_rel=LINK_REL,
        url_relative=("rewrite_with_base", f"{base}/"),
    )


@lru_cache(maxsize=1024)
def render_line(source: str, *, links_addresses: bool = True) -> str:
    """Safe HTML of `source` for use inside one paragraph: links and emphasis, every line end a <br />.

    Blocks (lists, headings) stay as they were typed; without `links_addresses`, bare addresses too, as in Statuspage.
    """
    html = (_markdown if links_addresses else _as_typed).renderInline(TYPED_BREAK.sub("\n", source))
    html = nh3.clean(
        html,
        tags=LINE_TAGS,
        attributes={"a": {"href"}},
        url_schemes=SCHEMES,
        link_rel=LINK_REL,
    )
    return html.replace("<br>\n", "<br />").replace("<br>", "<br />").strip()
