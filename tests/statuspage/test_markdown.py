import time

import pytest

from core.markdown import render_markdown


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
    assert "<a" not in html or "hx-get=" not in html


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
    ],
    ids=["brackets", "quotes", "stars", "ticks", "images", "links", "lists", "underscores"],
)
def test_a_body_of_the_largest_size_cannot_stall_the_server(bomb: str) -> None:
    started = time.process_time()
    render_markdown(bomb[:25_000])
    assert time.process_time() - started < 5  # the worst takes a fraction of a second; quadratic ones took minutes
