"""The colours of static/css/tokens.css, for output without that style sheet: mails, badges and the banner's script."""

import re
from pathlib import Path
from typing import NamedTuple

TOKENS = Path(__file__).parents[1] / "static" / "css" / "tokens.css"
PAIR = re.compile(r"--([a-z-]+): light-dark\((#\w+), (#\w+)\);")


class Colour(NamedTuple):
    """The colour on a light and on a dark background, each as “#” and six digits."""

    light: str
    dark: str


def read_colours(css: str) -> dict[str, Colour]:
    """By the name of the token, without its dashes."""
    return {name: Colour(_six_digits(light), _six_digits(dark)) for name, light, dark in PAIR.findall(css)}


def _six_digits(value: str) -> str:
    """With six digits instead of three, because some mail programs do not know the short form."""
    return value if len(value) == 7 else "#" + "".join(digit * 2 for digit in value[1:])


COLOURS = read_colours(TOKENS.read_text(encoding="utf-8"))
