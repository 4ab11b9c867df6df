"""The picture that chats and social networks show beside a link to the page: its logo, its name and its state now."""

from functools import lru_cache
from io import BytesIO
from pathlib import Path

import regex
from django.db import Error as DatabaseError
from django.utils.translation import get_language_bidi
from PIL import Image, ImageDraw, ImageFont, features

from core.colours import COLOURS
from core.languages import local
from public.documents.icon import SHAPES, TONES, find_mark
from public.documents.page import name_affected
from public.shapes import Snapshot
from public.snapshot import load_picture

PATH = "/link-preview.png"
WIDTH, HEIGHT = 1200, 630
MARGIN, BAND = 80, 24
SIGN = 96  # pixels of the shape beside the sentence
MARK = 72
LOGO_ROOM = (640, 108)
MOST_LINES = 3
SMOOTH = 4
FONTS = Path(__file__).parents[1] / "fonts"
NO_CHARACTER = "\U0010ffff"
RIGHT_TO_LEFT = regex.compile(r"[\p{bidi_class=R}\p{bidi_class=AL}]")


def preview_address(snapshot: Snapshot) -> str:
    """Names the generation: who keeps pictures by their address asks anew after a change."""
    return f"{snapshot.page.url}{local(PATH)}?v={snapshot.page.generation}"


def draw_link_preview(snapshot: Snapshot) -> bytes:
    """A PNG of 1200 by 630 pixels, as wide as most networks show it. Letters that the font has not are left out."""
    page, marked = snapshot.page, find_mark(snapshot)
    tone = TONES[marked] if marked else COLOURS["op" if snapshot.status.tone is not None else "soft"]
    sheet = _Sheet()
    sheet.drawing.rectangle(sheet.mirror(0, 0, BAND, HEIGHT), fill=tone.light)
    name = drawable(page.name, "Bold") or page.host
    logo = _load_logo(snapshot)
    if logo is not None:
        sheet.place_logo(logo, MARGIN)
    else:
        sheet.place_mark(name, page.look.paint.light)
    bottom = sheet.write_lines(drawable(snapshot.status.text, "Bold"), MARGIN + SIGN + 36, 250, size=64)
    sheet.place_shape(SHAPES.get(marked) if marked else None, tone.light)
    sheet.write(drawable(name_affected(snapshot)), MARGIN + SIGN + 36, bottom + 16, size=34)
    sheet.write(page.host if logo is None or name == page.host else f"{name} · {page.host}", MARGIN, 530, size=30)
    sheet.drawing.rectangle((0, HEIGHT - 12, WIDTH, HEIGHT), fill=page.look.paint.light)
    return sheet.finish()


def _load_logo(snapshot: Snapshot) -> Image.Image | None:
    shown = snapshot.page.look.logo
    try:
        content = load_picture(snapshot, shown.digest) if shown else None
    except DatabaseError:  # better a picture without the logo than none
        content = None
    return Image.open(BytesIO(content), formats=("PNG",)).convert("RGBA") if content else None


class _Sheet:
    """The picture while it is drawn: from the left, or mirrored for languages written from the right."""

    def __init__(self) -> None:
        self.image = Image.new("RGB", (WIDTH, HEIGHT), COLOURS["card"].light)
        self.drawing = ImageDraw.Draw(self.image)
        self.is_mirrored = get_language_bidi()

    def mirror(self, left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
        return (WIDTH - right, top, WIDTH - left, bottom) if self.is_mirrored else (left, top, right, bottom)

    def place_logo(self, logo: Image.Image, top: int) -> None:
        logo.thumbnail(LOGO_ROOM, Image.Resampling.LANCZOS)
        left = self.mirror(MARGIN, 0, MARGIN + logo.width, 0)[0]
        self.image.paste(logo, (round(left), top), logo)

    def place_mark(self, name: str, accent: str) -> None:
        """The first letter of the name on a tile in the accent colour, as on the page, and the name."""
        left, top, right, bottom = self.mirror(MARGIN, MARGIN, MARGIN + MARK, MARGIN + MARK)
        self.drawing.rounded_rectangle((left, top, right, bottom), 20, fill=accent)
        middle = ((left + right) / 2, (top + bottom) / 2)
        letter = regex.match(r"\X", name)
        self.drawing.text(
            middle,
            letter.group().upper() if letter else "",
            COLOURS["ground"].light,
            load_font("Bold", 40),
            anchor="mm",
        )
        self.write(name, MARGIN + MARK + 24, MARGIN + 12, size=40, weight="Bold", colour="ink")

    def place_shape(self, corners: tuple[tuple[float, float], ...] | None, colour: str) -> None:
        """Drawn larger and made smaller: its edges are smooth then. None: a disc."""
        side = SIGN * SMOOTH
        mask = Image.new("L", (side, side))
        if corners is None:
            ImageDraw.Draw(mask).ellipse((0, 0, side - 1, side - 1), fill=255)
        else:
            ImageDraw.Draw(mask).polygon([(x * side, y * side) for x, y in corners], fill=255)
        mask = mask.resize((SIGN, SIGN), Image.Resampling.LANCZOS)
        left, top = self.mirror(MARGIN, 250, MARGIN + SIGN, 0)[:2]
        self.image.paste(colour, (round(left), round(top)), mask)

    def write_lines(self, text: str, start: int, top: int, *, size: int) -> int:
        """Returns where the last line ends."""
        for line in fit_lines(text, load_font("Bold", size), WIDTH - start - MARGIN, MOST_LINES):
            self.write(line, start, top, size=size, weight="Bold", colour="ink")
            top += round(size * 1.25)
        return top

    def write(
        self, text: str, start: int, top: int, *, size: int, weight: str = "Regular", colour: str = "soft"
    ) -> None:
        font = load_font(weight, size)
        line = fit_line(text, font, WIDTH - start - MARGIN)
        place, anchor = (WIDTH - start, "ra") if self.is_mirrored else (start, "la")
        self.drawing.text((place, top), line, COLOURS[colour].light, font, anchor=anchor)

    def finish(self) -> bytes:
        written = BytesIO()
        self.image.save(written, "PNG", compress_level=4)
        return written.getvalue()


@lru_cache(maxsize=16)
def load_font(weight: str, size: int) -> ImageFont.FreeTypeFont:
    """DejaVu Sans: Latin, Greek, Cyrillic, Arabic, Hebrew and more."""
    return ImageFont.truetype(FONTS / ("DejaVuSans-Bold.ttf" if weight == "Bold" else "DejaVuSans.ttf"), size)


def drawable(text: str, weight: str = "Regular") -> str:
    """`text` in one line, without what the font has no letter for, nor what cannot be written from the right here."""
    if RIGHT_TO_LEFT.search(text) and not features.check("fribidi"):
        return ""
    return " ".join("".join(each for each in text if each.isspace() or _has_letter(weight, each)).split())


@lru_cache(maxsize=4096)
def _has_letter(weight: str, character: str) -> bool:
    font = load_font(weight, 30)
    return bytes(font.getmask(character)) != bytes(font.getmask(NO_CHARACTER))


def fit_line(text: str, font: ImageFont.FreeTypeFont, room: float) -> str:
    """`text`, or as much of its beginning as has room with "…". What is one letter to a reader stays whole."""
    if font.getlength(text) <= room:
        return text
    letters = regex.findall(r"\X", text)
    low, high = 0, len(letters)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if font.getlength(_cut(letters, middle)) <= room else (low, middle - 1)
    return _cut(letters, low)


def _cut(letters: list[str], count: int) -> str:
    return "".join(letters[:count]).rstrip() + "…"


def fit_lines(text: str, font: ImageFont.FreeTypeFont, room: float, most: int) -> list[str]:
    """`text` in at most `most` lines; a word that is longer than a line is cut, and so is what has no room."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= room or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > most:
        lines = [*lines[: most - 1], " ".join(lines[most - 1 :])]
    return [fit_line(line, font, room) for line in lines]
