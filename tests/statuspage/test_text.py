import json
import re
import unicodedata

import pytest
from django.core.exceptions import ValidationError
from feedgen.feed import FeedGenerator
from hypothesis import given
from hypothesis import strategies as st

from core.text import MOST_MARKS, BodyField, TitleField, clean_text, new_code


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("nul\x00 bell\x07 escape\x1b", "nul bell escape"),
        ("half a pair \ud800", "half a pair"),
        ("non-characters \ufffe\uffff\ufdd0 \U0001ffff", "non-characters"),
        ("evil\u202egnp.exe", "evilgnp.exe"),
        ("\u2066isolate\u2069 \u200fmark", "isolate mark"),
        ("C1 \x80\x9f controls", "C1  controls"),
        ("Cafe\u0301", "Caf\u00e9"),
        ("one\r\ntwo\rthree\u2028four\x0bfive", "one\ntwo\nthree\nfour\nfive"),
        ("  \n edges \n ", "edges"),
        ("\u200b \u200d\ufeff", ""),
        ("שלום 😀 (ﾉ◕ヮ◕)ﾉ*:･ﾟ✧", "שלום 😀 (ﾉ◕ヮ◕)ﾉ*:･ﾟ✧"),
    ],
)
def test_only_harmless_text_is_kept(typed: str, kept: str) -> None:
    assert clean_text(typed) == kept


def test_a_title_is_one_line() -> None:
    assert clean_text("Chat\r\nBcc: all@example.com\tnow", multiline=False) == "Chat Bcc: all@example.com now"


def test_too_long_text_is_refused_with_both_lengths() -> None:
    with pytest.raises(ValidationError, match=r"Shorten this to 10 characters \(it has 11\)"):
        clean_text("x" * 11, limit=10)


def test_length_is_counted_after_cleaning() -> None:
    assert clean_text("\x00" * 50 + "x" * 10, limit=10) == "x" * 10


MARKS = "\u0301\u0323\u0308\u0344\u0f73"  # of several classes; the last two are taken apart by NFC


@pytest.mark.parametrize("base", ["a", "\u1ee5", "\u01d6", "\uac01"])
def test_a_million_marks_on_one_letter_are_cut(base: str) -> None:
    """Ordering them would take hours."""
    cleaned = clean_text(base + MARKS[:2] * 500_000 + "b", limit=100)
    assert cleaned.endswith("b")
    assert clean_text(cleaned) == cleaned


@given(st.text(st.sampled_from(MARKS + "a\u01d6\uac01\u202e"), max_size=200))
def test_marks_are_cut_once(text: str) -> None:
    once = clean_text(text)
    assert clean_text(once) == once
    if len(text) < MOST_MARKS / 2:
        assert once == unicodedata.normalize("NFC", text.replace("\u202e", ""))


@given(st.text())
def test_cleaning_twice_changes_nothing(text: str) -> None:
    once = clean_text(text, limit=10_000)
    assert clean_text(once, limit=10_000) == once


@given(st.text())
def test_clean_text_survives_every_place_it_goes(text: str) -> None:
    cleaned = clean_text(text, limit=10_000)
    assert unicodedata.is_normalized("NFC", cleaned)
    assert json.loads(json.dumps(cleaned)) == cleaned
    feed = FeedGenerator()
    feed.id("tag:example.com,2005:/history")
    feed.title("Status")
    feed.link(href="https://status.example.com")
    feed.description("History")
    entry = feed.add_entry()
    entry.id("1")
    entry.title(cleaned or "-")
    assert feed.rss_str().startswith(b"<?xml")


def test_the_fields_clean_whatever_reaches_the_database() -> None:
    assert TitleField().get_prep_value("a\x00b\nc") == "ab c"
    assert BodyField().get_prep_value("a\x00b\r\nc") == "ab\nc"
    with pytest.raises(ValidationError):
        TitleField(max_length=3).get_prep_value("four")


def test_codes_are_twelve_lower_case_letters_and_digits_and_do_not_repeat() -> None:
    codes = {new_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert all(re.fullmatch("[a-z0-9]{12}", code) for code in codes)
