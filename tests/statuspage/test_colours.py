"""Style sheets, scripts and templates draw with the colours of core/colours.py."""

import re
import subprocess
from pathlib import Path

import pytest

from core import colours
from core.colours import Colour

ROOT = Path(__file__).parents[2]
DRAWN = (".css", ".js", ".svg", ".html")
HEX = re.compile(r"(?<![&\w])#(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{3})\b")
PAIR = re.compile(r"light-dark\((#\w+), (#\w+)\)")
TONES = (colours.GREEN, colours.BLUE, colours.YELLOW, colours.ORANGE, colours.RED)
PALETTE = {name: value for name, value in vars(colours).items() if isinstance(value, Colour)}

# What only one style sheet draws: surfaces and edges of one widget, bars, and buttons that delete.
OF_ONE_FILE = {
    "static/css/admin.css": {"#a8323c", "#97101d"},
    "static/css/staff.css": {"#8b94a1", "#5d6673", "#6b4fb3", "#b39dfa"},
    "static/css/public.css": {
        "#35b37e", "#2ea36f", "#e2b007", "#d4a72c", "#ee8434", "#e07b2f", "#d93843", "#e5534b", "#6f95ef", "#5b82e0", "#dfe3e8",
    },
    "static/js/embed.js": {"#d5dae1", "#343b46"},
    "static/img/favicon.svg": {"#35b37e"},
    "templates/public/badge.svg": {"#3b4048"},
}  # fmt: skip


def long(value: str) -> str:
    """#fff as #ffffff."""
    value = value.lower()
    return value if len(value) == 7 else "#" + "".join(digit * 2 for digit in value[1:])


def files(*endings: str) -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    rooms = ("docs/", "tests/", "bench/")
    return [name for name in listed if name.endswith(endings) and not name.startswith(rooms)]


def found_in(name: str) -> set[str]:
    return {long(value) for value in HEX.findall((ROOT / name).read_text())}


@pytest.mark.parametrize("name", files(*DRAWN))
def test_a_file_draws_with_the_palette_and_with_what_is_its_own(name: str) -> None:
    known = {long(value) for colour in PALETTE.values() for value in colour} | {"#000000"}
    assert found_in(name) - known - OF_ONE_FILE.get(name, set()) == set()


def test_no_module_but_one_has_colours() -> None:
    assert [name for name in files(".py") if found_in(name)] == ["core/colours.py"]


@pytest.mark.parametrize("name", files(".css", ".js"))
def test_the_light_and_the_dark_value_of_a_pair_belong_together(name: str) -> None:
    by_light = {long(light): long(dark) for light, dark in PALETTE.values()}
    for light, dark in PAIR.findall((ROOT / name).read_text()):
        is_own = OF_ONE_FILE.get(name, set()) & {long(light), long(dark)}
        if (
            not is_own and long(light) in by_light and (light, dark) != ("#fff", "#0e1116")
        ):  # a field is deeper than a card
            assert long(dark) == by_light[long(light)], (light, dark)


def luminance(value: str) -> float:
    """As WCAG 2 defines it, from 0.0 to 1.0."""
    channels = [int(value[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("tone", TONES)
def test_a_tone_can_be_read_on_each_ground_and_under_white_text(tone: Colour) -> None:
    for ground in (colours.CARD, colours.GROUND):
        assert contrast(tone.light, ground.light) >= 4.5
        assert contrast(tone.dark, ground.dark) >= 4.5
