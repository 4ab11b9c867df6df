"""Text as X counts and links it: 280 weighted characters, by the rules of twitter-text version 3.

Characters of most alphabets weigh 1, others (CJK among them) 2, an emoji 2 however it is composed, a link 23
however long it is. Domains are links too, also without a scheme.
"""

import unicodedata
from collections.abc import Iterator

import regex

LIMIT = 280
LINK_WEIGHT = 23
ELLIPSIS = "…"
LIGHT = ((0x0000, 0x10FF), (0x2000, 0x200D), (0x2010, 0x201F), (0x2032, 0x2037))

_SCHEME_LINK = r"https?://[^\s<>\"]+[^\s<>\".,;:!?)\]}'…]"
# Wider than X's list of top-level domains. What only looks like a domain counts as a link or as text, whichever is more.
_BARE_DOMAIN = r"(?<![\p{L}\p{N}@._-])(?:[\p{L}\p{N}](?:[\p{L}\p{N}_-]*[\p{L}\p{N}])?\.)+\p{L}{2,}(?:/[^\s<>\"]*)?"
_UNITS = regex.compile(rf"(?P<link>{_SCHEME_LINK})|(?P<domain>{_BARE_DOMAIN})|(?P<other>\X)", regex.IGNORECASE)
_ONE_EMOJI = (
    r"(?:\p{Emoji_Presentation}\uFE0F?|\p{Extended_Pictographic}\uFE0F)\p{Emoji_Modifier}?[\U000E0020-\U000E007F]*"
)
_JOINED = r"\u200D\p{Extended_Pictographic}\uFE0F?\p{Emoji_Modifier}?"
_EMOJI = regex.compile(
    rf"\p{{Regional_Indicator}}{{2}}|[#*0-9]\uFE0F?\u20E3|\p{{Emoji_Modifier_Base}}\p{{Emoji_Modifier}}(?:{_JOINED})*"
    rf"|{_ONE_EMOJI}(?:{_JOINED})*"
)
# Not the @ of a mail address, which mentions nobody; “RT@name” does mention somebody.
_AT_SIGN = regex.compile(r"(?:(?<![A-Za-z0-9_])|(?<=\brt))[@＠](?=[A-Za-z0-9_])", regex.IGNORECASE)
_ZERO_WIDTH_SPACE = "\u200b"


def weigh(text: str) -> int:
    """The length of `text` as X counts it."""
    return sum(weight for _, weight in _units(text))


def cut(text: str, limit: int) -> str:
    """Cut `text` to a weight of at most `limit`, “…” included.

    Never cuts inside a character, an emoji or a link, nor inside a word if the text has spaces.
    """
    if weigh(text) <= limit:
        return text
    kept, left = "", limit - weigh(ELLIPSIS)
    for unit, weight in _units(text):
        if weight > left:
            break
        kept, left = kept + unit, left - weight
    # Cut at the last space, unless that would lose more than half: some languages write without spaces.
    word_end = kept.rfind(" ")
    if word_end > len(kept) // 2 and not text[len(kept)].isspace():
        kept = kept[:word_end]
    return kept.rstrip() + ELLIPSIS if kept.strip() else ""


def without_mentions(text: str) -> str:
    """`text` changed so that no @name notifies anybody. Links stay unchanged."""
    return "".join(
        unit if unit.lower().startswith(("http://", "https://")) else _AT_SIGN.sub(rf"\g<0>{_ZERO_WIDTH_SPACE}", unit)
        for unit in _pieces(text)
    )


def _pieces(text: str) -> Iterator[str]:
    """Links, and the text between them."""
    end = 0
    for link in regex.finditer(_SCHEME_LINK, text, regex.IGNORECASE):
        yield text[end : link.start()]
        yield link[0]
        end = link.end()
    yield text[end:]


def _units(text: str) -> Iterator[tuple[str, int]]:
    """The parts that must not be cut, each with its weight. X normalises a text to NFC before it counts."""
    for unit in _UNITS.finditer(unicodedata.normalize("NFC", text)):
        if unit["link"]:
            yield unit[0], LINK_WEIGHT
        elif unit["domain"]:
            yield unit[0], max(LINK_WEIGHT, _weigh_characters(unit[0]))
        else:
            yield unit[0], _weigh_characters(unit[0])


def _weigh_characters(text: str) -> int:
    rest, emojis = _EMOJI.subn("", text)
    return 2 * emojis + sum(1 if any(a <= ord(each) <= b for a, b in LIGHT) else 2 for each in rest)
