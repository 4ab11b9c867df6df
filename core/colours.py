"""The colours of the product, each once: what mails, badges, style sheets and scripts may draw with.

A colour has a value on light ground and one on dark ground. Style sheets and scripts cannot import this module, so they
repeat values; tests/statuspage/test_colours.py holds every one of them against it.
"""

from typing import NamedTuple


class Colour(NamedTuple):
    light: str
    dark: str


INK = Colour("#15181d", "#eceef1")
SOFT = Colour("#5a6371", "#a2abb8")
LINE = Colour("#e4e7ec", "#2a2f38")
CARD = Colour("#ffffff", "#171b21")
GROUND = Colour("#f6f7f9", "#0e1116")

# What says a status or an impact, as text and as edge. White text on the light value has a contrast of at least 4.5 to 1.
GREEN = Colour("#1a7f4b", "#3ecf8e")
BLUE = Colour("#2f5fd0", "#7aa2ff")
YELLOW = Colour("#8f6000", "#e3b341")
ORANGE = Colour("#b54900", "#f0883e")
RED = Colour("#c01f2e", "#ff6b6b")
