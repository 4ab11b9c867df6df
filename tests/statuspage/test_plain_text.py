"""Markdown in mails that are plain text: what people read is words, not markup."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.markdown import render_markdown
from core.plain_text import lead_text, plain_paragraphs


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("We see **errors** and _delays_.", "We see errors and delays."),
        ("One.\n\nTwo.", "One.\n\nTwo."),
        ("One line\nand the next", "One line\nand the next"),
        ("- a\n- **b**\n- c", "- a\n- b\n- c"),
        ("1. first\n2. second", "1. first\n2. second"),
        ("Known:\n\n- a\n  - b\n- c\n\nMore soon.", "Known:\n\n- a\n  - b\n- c\n\nMore soon."),
        ("[the graph](https://acme.example/g)", "the graph (https://acme.example/g)"),
        ("<https://acme.example/g>", "https://acme.example/g"),
        ("## Cause\n\nA fault.", "Cause\n\nA fault."),
        ("```\na = 1\n  b\n```", "a = 1\n  b"),
        ("5 < 6 & 7 > 2", "5 < 6 & 7 > 2"),
        ("<b>bold</b> <script>x</script>", "<b>bold</b> <script>x</script>"),
        ("| Region | State |\n|---|---|\n| EU | down |\n| US | up |", "Region | State\nEU | down\nUS | up"),
        ("See https://acme.example/g.", "See https://acme.example/g."),
        ("", ""),
    ],
)
def test_words_stay_and_markup_goes(source: str, text: str) -> None:
    assert plain_paragraphs(render_markdown(source)) == text


@given(st.text(max_size=200))
def test_it_never_fails_and_leaves_no_run_of_empty_lines(source: str) -> None:
    assert "\n\n\n" not in plain_paragraphs(render_markdown(source))


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("**Bold**\n\n[link](https://a.example) <b>& “typed”</b>", "Bold link <b>& “typed”</b>"),
        ("We see errors.\n\n- playback\n- download\n\n| Region | State |\n|---|---|\n| EU | down |", "We see errors."),
        ("One.\nTwo.\n\nThree.", "One. Two. Three."),
        ("- only\n- a list", "- only - a list"),
        ("1. first\n2. then", "1. first 2. then"),
        ("", ""),
    ],
)
def test_the_lead_is_one_line_up_to_the_first_list_or_table(source: str, text: str) -> None:
    assert lead_text(render_markdown(source)) == text
