"""Colours that can be read, and the nearest that can."""

import colorsys

import pytest

from core.colours import COLOURS
from core.contrast import LEAST_CONTRAST, contrast, least_contrast, nearest_readable

LIGHT = (COLOURS["card"].light, COLOURS["ground"].light)
DARK = (COLOURS["card"].dark, COLOURS["ground"].dark)


def test_contrast_is_what_wcag_says() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#ffffff", "#ffffff") == 1


@pytest.mark.parametrize("grounds", [LIGHT, DARK])
@pytest.mark.parametrize(
    "value", ["#ffff00", "#ff0000", "#0000ff", "#ffffff", "#000000", "#808080", "#35b37e", "#fff0f5"]
)
def test_the_nearest_colour_passes_and_keeps_its_hue(value: str, grounds: tuple[str, str]) -> None:
    found = nearest_readable(value, grounds)
    assert least_contrast(found, grounds) >= LEAST_CONTRAST
    hues = [colorsys.rgb_to_hls(*(int(each[at : at + 2], 16) / 255 for at in (1, 3, 5))) for each in (value, found)]
    if hues[0][2] and hues[1][2]:
        assert hues[0][0] == pytest.approx(hues[1][0], abs=0.02)


@pytest.mark.parametrize("grounds", [LIGHT, DARK])
def test_a_colour_that_is_the_ground_itself_becomes_one_that_can_be_read(grounds: tuple[str, str]) -> None:
    assert least_contrast(nearest_readable(grounds[1], grounds), grounds) >= LEAST_CONTRAST


def test_a_colour_that_passes_stays_as_it_is() -> None:
    assert nearest_readable("#1a7f4b", LIGHT) == "#1a7f4b"
