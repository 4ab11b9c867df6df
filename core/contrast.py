"""The contrast of two colours by WCAG 2, and the nearest colour with enough of it."""

import colorsys
import re

HEX_COLOUR = re.compile(r"#[0-9a-f]{6}")
LEAST_CONTRAST = 4.5  # WCAG 2.2, 1.4.3: text of any size
STEPS = 400


def luminance(value: str) -> float:
    """The relative luminance of a colour (# and six digits), from 0.0 to 1.0:
    https://www.w3.org/TR/WCAG22/#dfn-relative-luminance"""
    linear = [each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in _channels(value)]
    return sum(part * weight for part, weight in zip(linear, (0.2126, 0.7152, 0.0722), strict=True))


def contrast(one: str, other: str) -> float:
    """The contrast ratio, from 1.0 to 21.0."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def least_contrast(value: str, grounds: tuple[str, ...]) -> float:
    return min(contrast(value, ground) for ground in grounds)


def nearest_readable(value: str, grounds: tuple[str, ...], least: float = LEAST_CONTRAST) -> str:
    """`value` made lighter or darker as little as possible, so that it is readable on all `grounds`; its hue stays.

    `grounds` are all light or all dark, so that black or white can be read on all of them.
    """
    hue, lightness, saturation = colorsys.rgb_to_hls(*_channels(value))
    by_distance = sorted((step / STEPS for step in range(STEPS + 1)), key=lambda other: abs(other - lightness))
    candidates = (_write(colorsys.hls_to_rgb(hue, other, saturation)) for other in by_distance)
    return next(each for each in (value, *candidates) if least_contrast(each, grounds) >= least)


def _channels(value: str) -> tuple[float, float, float]:
    return int(value[1:3], 16) / 255, int(value[3:5], 16) / 255, int(value[5:7], 16) / 255


def _write(channels: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(each * 255):02x}" for each in channels)
