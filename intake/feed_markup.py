"""The Markdown that an update in a feed came from, worked out from its HTML.

None of the patterns may look at the same text again from each of many beginnings: a feed can be megabytes of one tag.
"""

import re
from html import unescape
from sys import maxsize

from core.markdown import render_line
from core.text import BODY_LIMIT, clean_text
from intake.recordings import Remarks

EMPTY_MARK = re.compile(r"<(strong|b|em|i|code)>(\s*)</\1>")
BLOCKS = (
    (re.compile(r"(?:(?<!\s)\s+)?</(?:p|ul|ol|h3|h4|blockquote|pre|table)>\s*"), "\n\n"),
    (re.compile(r"<p>\s*"), "\n\n"),
    (re.compile(r"<h[34]>\s*"), "\n\n### "),
    (re.compile(r"(?:(?<!\s)\s+)?<li>\s*"), "\n- "),
    (re.compile(r"</?(?:ul|ol|li)>"), ""),
    (re.compile(r"\n{3,}"), "\n\n"),
)
KEPT_MARKUP = (
    (re.compile(r"(?:(?<![ \t])[ \t]+)?\r?\n?<br ?/?>[ \t]*\r?\n?"), "\n"),
    (re.compile(r"<a [^<>]{0,500}?href=['\"]([^'\"<>]*)['\"][^<>]*>((?:(?!</?a[ >]).)*)</a>", re.DOTALL), r"[\2](\1)"),
    # Markdown knows no blank inside its marks: it goes outside.
    (re.compile(r"<(?:strong|b)>(\s*)"), r"\1**"),
    (re.compile(r"(?:(?<!\s)(\s+))?</(?:strong|b)>"), r"**\1"),
    (re.compile(r"<(?:em|i)>(\s*)"), r"\1*"),
    (re.compile(r"(?:(?<!\s)(\s+))?</(?:em|i)>"), r"*\1"),
    (re.compile(r"</?code>"), "`"),
)
TAG = re.compile(r"</?[a-z][^<>]*>")


def to_source(html: str, what: str, remarks: Remarks) -> str:
    """Clean text that can be stored. Tags without a place in Markdown are noted, a text that is too long is cut."""
    html = _replace_marks(html, BLOCKS)
    source = _replace_marks(html, KEPT_MARKUP)
    for tag in TAG.findall(source):
        remarks.note(f"markup left out of updates: {tag[:20]}")
    text = clean_text(unescape(TAG.sub("", source)), limit=maxsize)
    if len(text) > BODY_LIMIT:
        remarks.lose(f"{what}: its text has {len(text)} characters: cut after {BODY_LIMIT}")
        return text[:BODY_LIMIT].rstrip()
    if "**" in render_line(text) and "**" not in html:  # a mark between letters and punctuation counts as typed
        remarks.note(f"{what}: its bold print is left out")
        return clean_text(unescape(TAG.sub("", _replace_marks(html, KEPT_MARKUP[:2]))))
    return text


def _replace_marks(html: str, marks: tuple[tuple[re.Pattern[str], str], ...]) -> str:
    html = EMPTY_MARK.sub(r"\2", html)
    for pattern, replacement in marks:
        html = pattern.sub(replacement, html)
    return html
