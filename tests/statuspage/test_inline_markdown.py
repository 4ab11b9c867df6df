"""Markdown inside one paragraph."""

import pytest

from core.markdown import render_line, render_markdown


def test_every_line_end_becomes_a_break_and_links_stay() -> None:
    assert render_line("Down.\n\nSee [more](https://a.example/x) & **wait**") == (
        'Down.<br /><br />See <a href="https://a.example/x" rel="noopener nofollow">more</a> &amp; <strong>wait</strong>'
    )


def test_a_break_typed_as_html_is_a_line_end() -> None:
    assert render_line("one<br /><br>two") == "one<br /><br />two"
    assert "<br>" in render_markdown("one<br />two")
    assert "&lt;br" not in render_markdown("one<br />two")


def test_blocks_stay_as_they_were_typed() -> None:
    assert render_line("# Title\n- one\n1. two") == "# Title<br />- one<br />1. two"


@pytest.mark.parametrize(
    "source", ["<script>alert(1)</script>", "[x](javascript:alert(1))", "![x](https://t.example/p.png)"]
)
def test_nothing_in_a_line_runs_or_loads(source: str) -> None:
    html = render_line(source)
    assert "<script" not in html
    assert "<img" not in html
    assert "href" not in html or "javascript" not in html
