"""How a page looks: its pictures, its accent colour and its links, as staff chose them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from core.colours import COLOURS, Colour
from core.contrast import HEX_COLOUR
from core.links import validate_link
from core.style_sheet import accent_or_ink, style_address
from core.sub_path import sub_path

if TYPE_CHECKING:
    from pages.models import Page

MOST_LINKS = 8
LONGEST_LABEL = 40  # characters
LIGHT_GROUNDS = (COLOURS["card"].light, COLOURS["ground"].light)
DARK_GROUNDS = (COLOURS["card"].dark, COLOURS["ground"].dark)
LOGO_HEIGHT = 36  # pixels on the page
# Twice as many pixels as it is drawn with, and a little more for what makes it bigger.
LOGO_BOX = (720, 108)
ICON_BOX = (96, 96)
DIGEST = re.compile(r"[0-9a-f]{20}")


class PageLink(NamedTuple):
    label: str
    url: str


class ShownPicture(NamedTuple):
    """`path` is its address below the page's own, or the picture itself in a data: URL."""

    path: str
    width: int
    height: int

    @property
    def digest(self) -> str:
        """Of one that has an address."""
        return self.path.rpartition("/")[2].removesuffix(".png")

    @property
    def src(self) -> str:
        """What a page's own markup calls it."""
        return f"{sub_path()}{self.path}" if self.path.startswith("/") else self.path

    @property
    def shown_width(self) -> int:
        """Pixels that it takes as a logo."""
        return max(1, round(self.width * self.shown_height / self.height))

    @property
    def shown_height(self) -> int:
        return min(LOGO_HEIGHT, self.height)


@dataclass(frozen=True, slots=True)
class Look:
    accent: Colour | None
    """None: the page has none, and the ink is used."""
    logo: ShownPicture | None
    logo_dark: ShownPicture | None
    """For dark pages, where that is another one."""
    icon: ShownPicture | None
    header_links: tuple[PageLink, ...]
    footer_links: tuple[PageLink, ...]
    style: str
    """The address of the page's style sheet."""

    @property
    def paint(self) -> Colour:
        """What is drawn in the accent colour, with or without one."""
        return accent_or_ink(self.accent)

    @property
    def picture_paths(self) -> list[str]:
        return [each.path for each in (self.logo, self.logo_dark, self.icon) if each is not None]


def build_look(page: Page) -> Look:
    accent = Colour(page.accent_light, page.accent_dark) if page.accent_light and page.accent_dark else None
    light, dark = (_shown(page.pictures.get(name)) for name in ("logo", "logo_dark"))
    return Look(
        accent=accent,
        logo=light or dark,
        logo_dark=dark if light else None,
        icon=_shown(page.pictures.get("icon")),
        header_links=tuple(PageLink(**each) for each in page.header_links),
        footer_links=tuple(PageLink(**each) for each in page.footer_links),
        style=style_address(accent),
    )


def _shown(described: dict[str, Any] | None) -> ShownPicture | None:
    if not described:
        return None
    return ShownPicture(picture_path(described["digest"]), described["width"], described["height"])


def picture_path(digest: str) -> str:
    return f"/pictures/{digest}.png"


def validate_colour(value: str) -> None:
    if not HEX_COLOUR.fullmatch(value):
        raise ValidationError(
            _("Write a colour as # and six digits, such as %(example)s.") % {"example": COLOURS["op"].light},
            code="colour",
        )


def validate_links(links: Any) -> None:
    """A list of {label, url}."""
    if not isinstance(links, list) or len(links) > MOST_LINKS:
        raise ValidationError(_("At most %(most)d links.") % {"most": MOST_LINKS}, code="many")
    for link in links:
        if not isinstance(link, dict) or set(link) != {"label", "url"} or not str(link["label"]).strip():
            raise ValidationError(_("Each link needs a text and an address."), code="shape")
        if len(link["label"]) > LONGEST_LABEL:
            raise ValidationError(
                _("Shorten the text to %(most)d characters.") % {"most": LONGEST_LABEL}, code="too_long"
            )
        validate_link(link["url"])
