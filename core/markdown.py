"""Renders Markdown to HTML that is safe in a page, a feed and an e-mail.

It is rendered once, when the update is stored. Images are not allowed: they would load from other hosts and track readers.
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
# In a text with more, bare addresses stay as typed.
MOST_ADDRESSES = 200
# Deep nesting costs the parser time and is never needed.
OPTIONS = {"html": False, "breaks": True, "maxNesting": 20}


def _build_parser(*, links_addresses: bool) -> MarkdownIt:
    parser = MarkdownIt("commonmark", OPTIONS | {"linkify": links_addresses})
    parser.disable("image").enable(["strikethrough", "table", "linkify"])
    # Only text that begins with https:// or http:// becomes a link, so that "README.md" does not.
    addresses = LinkifyIt(options={"fuzzy_link": False, "fuzzy_email": False})
    parser.linkify = addresses.add("ftp:", None).add("mailto:", None).add("//", None)
    return parser


_markdown = _build_parser(links_addresses=True)
_as_typed = _build_parser(links_addresses=False)


def _parser_for(source: str) -> MarkdownIt:
    """Looking for addresses takes time that grows with the square of their number."""
    return _markdown if source.count("://") <= MOST_ADDRESSES else _as_typed


def render_markdown(source: str) -> str:
    """Safe HTML of `source`. Headings become h3 and h4, below those of the page.

    A typed <br> counts as a line end, as in Statuspage.
    """
    html = _parser_for(source).render(TYPED_BREAK.sub("\n", source))
    for level, shown in (("1", "3"), ("2", "3"), ("5", "4"), ("6", "4")):
        html = html.replace(f"<h{level}>", f"<h{shown}>").replace(f"</h{level}>", f"</h{shown}>")
    # The pages' content security policy forbids a style attribute, and many mail programs drop it.
    html = ALIGNED.sub(r' align="\1"', html)
    return nh3.clean(html, tags=TAGS, attributes=ATTRIBUTES, url_schemes=SCHEMES, link_rel=LINK_REL).strip()


@lru_cache(maxsize=1024)
def absolute_links(html: str, base: str) -> str:
    """Rendered Markdown with absolute links, for mails and feeds. `base`: the page's URL."""
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
    """Safe HTML of `source` for use inside one paragraph: with links and emphasis, and a <br /> for every line end.

    Blocks (lists, headings) stay as typed. Without `links_addresses`, bare addresses do not become links, as in
    Statuspage.
    """
    html = (_parser_for(source) if links_addresses else _as_typed).renderInline(TYPED_BREAK.sub("\n", source))
    html = nh3.clean(
        html,
        tags=LINE_TAGS,
        attributes={"a": {"href"}},
        url_schemes=SCHEMES,
        link_rel=LINK_REL,
    )
    return html.replace("<br>\n", "<br />").replace("<br>", "<br />").strip()
