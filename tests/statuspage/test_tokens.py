"""Colours, radii and type sizes stand in static/css/tokens.css and nowhere else."""

import re
import subprocess
from pathlib import Path

import pytest

from core import banner_script
from core.colours import COLOURS, TOKENS, Colour, read_colours
from public.documents.icon import SHAPES, product_icon

ROOT = Path(__file__).parents[2]
SIZED = re.compile(r"(?:font|font-size|border-radius): [^;]*?[\d.]+px")
# How a browser draws the icon in its tab nobody can say with a style sheet.
ICONS = tuple(f"static/{product_icon(status)}" for status in (None, *SHAPES))
HEX = r"(?<![&\w])#(?:[0-9a-fA-F]{8}|[0-9a-fA-F]{6}|[0-9a-fA-F]{3,4})\b"
FUNCTION = r"\b(?:rgba?|hsla?|hwb|lab|lch|oklab|oklch|light-dark)\((?!0 0 0 /|\$\{)"  # a shadow is black; ${…} comes from a document
WORD = r"(?:color|background|fill|stroke|border[a-z-]*|outline|shadow)(?:: |=\")[^;\"]*\b(?:white|black|red|green|blue|gr[ae]y|orange|yellow)\b"
COLOUR = re.compile(f"{HEX}|{FUNCTION}|{WORD}")
TONES = ("op", "maint", "deg", "part", "maj")


def files(*endings: str) -> list[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    rooms = ("docs/", "tests/", "bench/")
    here = (name for name in listed if name.endswith(endings) and not name.startswith(rooms) and (ROOT / name).exists())
    return [name for name in here if name not in (*ICONS, "static/css/tokens.css")]


@pytest.mark.parametrize("name", files(".css", ".js", ".svg", ".html"))
def test_no_other_file_names_a_colour(name: str) -> None:
    assert COLOUR.findall((ROOT / name).read_text()) == []


def test_no_module_names_a_colour() -> None:
    assert [name for name in files(".py") if re.search(HEX, (ROOT / name).read_text())] == []


@pytest.mark.parametrize("name", files(".css"))
def test_radii_and_type_sizes_come_from_the_tokens(name: str) -> None:
    assert SIZED.findall((ROOT / name).read_text()) == []


def test_every_token_that_is_used_exists() -> None:
    sheets = {name: (ROOT / name).read_text() for name in [*files(".css", ".js", ".html"), "static/css/tokens.css"]}
    used = {name for sheet in sheets.values() for name in re.findall(r"var\((--[\w-]+)", sheet)}
    declared = {name for sheet in sheets.values() for name in re.findall(r"(--[\w-]+):", sheet)}
    declared |= {f"--{name}" for name in (*COLOURS, *banner_script.TOKENS)}
    declared |= set(re.findall(r"`(--status-banner-[\w-]+)`", (ROOT / "docs/banner.md").read_text()))
    assert used - declared == set()


def test_a_browser_without_light_dark_gets_every_light_value() -> None:
    css = TOKENS.read_text()
    pairs, _, rest = css.partition("@supports not")
    fallback = rest.partition("\n}")[0]
    simple = dict(re.findall(r"--([a-z-]+): (#\w+);", fallback))
    assert simple == dict(re.findall(r"--([a-z-]+): light-dark\((#\w+)", pairs))


@pytest.mark.parametrize("icon", ICONS)
def test_an_icon_is_drawn_with_tokens(icon: str) -> None:
    known = {value for colour in COLOURS.values() for value in colour}
    assert set(re.findall(HEX, (ROOT / icon).read_text())) <= known


def test_short_values_are_read_as_long_ones() -> None:
    assert read_colours("--card: light-dark(#fff, #171b21);") == {"card": Colour("#ffffff", "#171b21")}


def luminance(value: str) -> float:
    """As WCAG 2 defines it, from 0.0 to 1.0."""
    channels = [int(value[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in channels]
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("tone", TONES)
def test_a_tone_can_be_read_on_each_ground_and_under_white_text(tone: str) -> None:
    for ground in ("card", "ground"):
        assert contrast(COLOURS[tone].light, COLOURS[ground].light) >= 4.5
        assert contrast(COLOURS[tone].dark, COLOURS[ground].dark) >= 4.5
