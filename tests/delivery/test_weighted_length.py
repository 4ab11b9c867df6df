import unicodedata

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from delivery.channels.weighted import cut, weigh, without_mentions


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("", 0),
        ("Normal text", 11),
        ("a" * 280, 280),
        ("字" * 140, 280),
        ("日本語", 6),
        ("\u00e9", 1),
        ("e\u0301", 1),  # counted in NFC
        ("\u10ff\u1100", 3),  # the last light letter and the first heavy one
        ("\u2000\u200d\u200e", 4),
        ("“q”", 3),
        ("…", 2),
        ("\u2032\u2037\u2038", 4),
        ("👍", 2),
        ("👍🏽", 2),
        ("👨‍👩‍👧‍👦", 2),
        ("👩‍⚕️", 2),
        ("❤️‍🔥", 2),
        ("🇩🇪", 2),
        ("🇩🇪🇫🇷", 4),
        ("🏴󠁧󠁢󠁥󠁮󠁧󠁿", 2),
        ("1️⃣", 2),
        ("☺️", 2),
        ("©", 1),
        ("#1", 2),
        ("𝗼𝘁", 4),
        ("مرحبا", 5),
        ("https://example.com/a/very/long/path/that/goes/on/and/on?and=on", 23),
        ("http://a.b", 23),
        ("Read https://example.com/a.", 29),
        ("(https://example.com/a)", 25),
        ("https://a.example https://b.example https://c.example https://d.example https://e.example", 119),
        ("see example.com now", 31),
        ("user@example.com", 16),
        ("version 2.0.1", 13),
    ],
)
def test_text_weighs_what_x_counts(text: str, weight: int):
    assert weigh(text) == weight


def test_what_only_may_be_a_domain_is_weighed_as_the_heavier_of_both():
    assert weigh("a-very-long-name-of-a-file-which-is-no-link.conf") == 48
    assert weigh("nginx.conf") == 23


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        ("short", 5, "short"),
        ("hello wonderful world", 18, "hello wonderful…"),
        ("hello wonderful world", 17, "hello wonderful…"),
        ("字字字字", 6, "字字…"),
        ("ab👨‍👩‍👧‍👦cd", 5, "ab…"),
        ("read https://example.com/a/long/path/to/it please", 29, "read…"),
        ("x", 0, ""),
    ],
)
def test_a_cut_keeps_words_characters_and_links_whole(text: str, limit: int, expected: str):
    assert cut(text, limit) == expected


@given(st.text(max_size=80), st.integers(0, 60))
def test_a_cut_text_is_never_longer_than_allowed(text: str, limit: int):
    shown = cut(text, limit)

    assert weigh(shown) <= limit or shown == text
    if shown.endswith("…") and shown != text:
        graphemes = regex.findall(r"\X", regex.sub(r"…$", "", shown))
        assert regex.findall(r"\X", unicodedata.normalize("NFC", text))[: len(graphemes)] == graphemes


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("@acme", "@\u200bacme"),
        ("ask @acme, or ＠acme", "ask @\u200bacme, or ＠\u200bacme"),
        ("RT@acme", "RT@\u200bacme"),
        (".@acme", ".@\u200bacme"),
        ("mail a.b@example.com", "mail a.b@example.com"),
        ("https://m.example/@acme", "https://m.example/@acme"),
        ("5 @ 3", "5 @ 3"),
    ],
)
def test_nobody_is_mentioned_by_accident(text: str, shown: str):
    assert without_mentions(text) == shown
