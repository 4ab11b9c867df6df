import time

import pytest
from bs4 import BeautifulSoup

from core.markdown import MOST_ADDRESSES, absolute_links, render_line, render_markdown


def test_what_staff_write_comes_out_as_they_meant_it() -> None:
    html = render_markdown("We are **on it**.\nMore [here](https://example.com/a).\n\n- one\n- two")
    assert html == (
        "<p>We are <strong>on it</strong>.<br>\n"
        'More <a href="https://example.com/a" rel="noopener nofollow">here</a>.</p>\n'
        "<ul>\n<li>one</li>\n<li>two</li>\n</ul>"
    )


@pytest.mark.parametrize(
    "source",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](data:text/html,<script>1</script>)",
        "[x](vbscript:x)",
        '<a href="https://x" hx-get="/admin/" onclick="x">x</a>',
        "<svg><animate onbegin=alert(1)></svg>",
        "![tracker](https://evil.example/pixel.png)",
        "<style>body{display:none}</style>",
    ],
)
def test_nothing_in_it_runs_or_loads(source: str) -> None:
    html = render_markdown(source)
    for tag in ("<script", "<img", "<svg", "<style", "<iframe"):
        assert tag not in html
    assert 'href="javascript' not in html
    assert 'href="data' not in html
    assert 'href="vbscript' not in html
    for element in BeautifulSoup(html, "html.parser").find_all(True):
        assert set(element.attrs) <= {"href", "rel"}


def test_headings_stay_below_those_of_the_page() -> None:
    assert render_markdown("# One\n\n##### Five") == "<h3>One</h3>\n<h4>Five</h4>"


@pytest.mark.parametrize("literal", ["{{7*7}}", "{% debug %}", "${x}", "{0.__class__}"])
def test_template_syntax_is_only_text(literal: str) -> None:
    assert literal.replace("__class__", "<strong>class</strong>") in render_markdown(literal)


@pytest.mark.parametrize(
    "bomb",
    [
        "[" * 12_000,
        "> " * 12_000,
        "*a" * 12_000,
        "`" * 12_500 + "a",
        "![" * 12_000,
        "[a](" * 6_000,
        "- " * 12_000,
        "_" * 25_000,
        "://a" * 6_250,
        "http://a.b/(" * 2_100,
    ],
    ids=["brackets", "quotes", "stars", "ticks", "images", "links", "lists", "underscores", "schemes", "addresses"],
)
def test_a_body_of_the_largest_size_cannot_stall_the_server(bomb: str) -> None:
    started = time.process_time()
    render_markdown(bomb[:25_000])
    assert time.process_time() - started < 5  # the worst takes a fraction of a second; quadratic ones took minutes


def test_a_table_is_a_table() -> None:
    html = render_markdown("| Region | Errors |\n|:---|---:|\n| EU | 3 % |")
    assert html.count("<table>") == html.count("</table>") == 1
    assert '<th align="left">Region</th>' in html
    assert '<td align="right">3 %</td>' in html
    assert "style=" not in html


@pytest.mark.parametrize(
    ("source", "html"),
    [
        (
            "See https://acme.example/a?b=1&c=2.",
            '<a href="https://acme.example/a?b=1&amp;c=2" rel="noopener nofollow">',
        ),
        (
            "(http://acme.example/x)",
            '(<a href="http://acme.example/x" rel="noopener nofollow">http://acme.example/x</a>)',
        ),
    ],
)
def test_a_bare_address_is_a_link(source: str, html: str) -> None:
    assert html in render_markdown(source)
    assert html in render_line(source)


@pytest.mark.parametrize(
    "source",
    [
        "See README.md",
        "acme.example",
        "version 1.2.3",
        "`https://acme.example`",
        "javascript://x",
        "ftp://x.example",
        "//x.example",
        "a@b.example",
    ],
)
def test_what_is_no_address_is_no_link(source: str) -> None:
    assert "<a" not in render_markdown(source)


@pytest.mark.parametrize(
    ("link", "absolute"),
    [
        ("/history", "https://status.acme.example/history"),
        ("incidents/x", "https://status.acme.example/incidents/x"),
        ("#later", "https://status.acme.example/#later"),
        ("?a=1", "https://status.acme.example/?a=1"),
        ("//other.example/x", "https://other.example/x"),
        ("https://other.example/x", "https://other.example/x"),
        ("mailto:a@b.example", "mailto:a@b.example"),
    ],
)
def test_links_are_absolute_away_from_the_page(link: str, absolute: str) -> None:
    html = absolute_links(render_markdown(f"[x]({link})"), "https://status.acme.example")
    assert f'href="{absolute}"' in html


def test_making_links_absolute_changes_nothing_else() -> None:
    source = (
        "# A\n\n- b\n\n3. c\n\n| d | e |\n|--:|---|\n| f | g |\n\n> h\n\n```\ni\n```\n\n---\n\n~~j~~ https://k.example"
    )
    assert absolute_links(render_markdown(source), "https://status.acme.example") == render_markdown(source)


def test_a_text_of_nothing_but_addresses_keeps_them_as_typed() -> None:
    """Looking for 6,000 of them took seconds, on the page's own lock."""
    few, many = ("https://a.example " * count for count in (MOST_ADDRESSES, MOST_ADDRESSES + 1))
    for render in (render_markdown, render_line):
        assert render(few).count("<a ") == MOST_ADDRESSES
        assert "<a " not in render(many)
    assert "[" not in render_markdown(f"{many}[still a link](https://a.example)")
