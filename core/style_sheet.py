"""The one style sheet of public pages: the tokens, a page's own accent, and public.css, in one request."""

import hashlib
from functools import lru_cache
from pathlib import Path

from core.colours import COLOURS, TOKENS, Colour
from core.sub_path import sub_path

PUBLIC = TOKENS.with_name("public.css")
STYLE_PATH = "/style.css"


@lru_cache(maxsize=64)
def write_style_sheet(accent: Colour | None) -> str:
    return "".join((_read(TOKENS), _declare(accent) if accent else "", _read(PUBLIC)))


@lru_cache(maxsize=64)
def style_address(accent: Colour | None) -> str:
    """The path with a hash of the content, so that a browser loads it again after a change."""
    return f"{sub_path()}{STYLE_PATH}?v={hashlib.sha256(write_style_sheet(accent).encode()).hexdigest()[:10]}"


def _declare(accent: Colour) -> str:
    """The rules for the accent. Browsers without light-dark() ignore the second rule and use the first."""
    return f":root{{--accent:{accent.light}}}:root{{--accent:light-dark({accent.light},{accent.dark})}}\n"


def accent_or_ink(accent: Colour | None) -> Colour:
    return accent or COLOURS["accent"]


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
