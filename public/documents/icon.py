"""The icon in the browser's tab: the page's own one, or the product's, with the shape and the colour of what is wrong.

While all is well it is the plain icon, so that a page looks like its company's. The shapes are those that stand beside
the words for a state (static/css/public.css).
"""

from io import BytesIO

from django.templatetags.static import static
from PIL import Image, ImageDraw

from components.status import Status
from core.colours import COLOURS, Colour
from core.pictures import write_png
from core.sub_path import sub_path
from pages.look import Look, ShownPicture
from public.shapes import Snapshot

Point = tuple[float, float]
CROSS: tuple[Point, ...] = (
    (0.0, 0.22), (0.22, 0.0), (0.5, 0.28), (0.78, 0.0), (1.0, 0.22), (0.72, 0.5),
    (1.0, 0.78), (0.78, 1.0), (0.5, 0.72), (0.22, 1.0), (0.0, 0.78), (0.28, 0.5),
)  # fmt: skip
SHAPES: dict[Status, tuple[Point, ...]] = {
    Status.UNDER_MAINTENANCE: ((0.1, 0.1), (0.9, 0.1), (0.9, 0.9), (0.1, 0.9)),
    Status.DEGRADED_PERFORMANCE: ((0.5, 0.0), (1.0, 0.5), (0.5, 1.0), (0.0, 0.5)),
    Status.PARTIAL_OUTAGE: ((0.5, 0.05), (1.0, 0.92), (0.0, 0.92)),
    Status.MAJOR_OUTAGE: CROSS,
}
"""Corners, in a square whose sides are 1 long."""
TONES: dict[Status, Colour] = {
    Status.UNDER_MAINTENANCE: COLOURS["maint"],
    Status.DEGRADED_PERFORMANCE: COLOURS["deg"],
    Status.PARTIAL_OUTAGE: COLOURS["part"],
    Status.MAJOR_OUTAGE: COLOURS["maj"],
}
MARKED_SIDE = 96  # pixels of a page's own icon with a mark
DISC, MARK = 0.66, 0.44  # parts of the icon's side
SMOOTH = 4  # so many times larger it is drawn, and then made smaller


def icon_address(snapshot: Snapshot) -> str:
    """Names what is shown, so that a browser loads it anew when the state changed."""
    own, marked = snapshot.page.look.icon, find_mark(snapshot)
    if own is None:
        return static(product_icon(marked))
    return sub_path() + _own_address(own, marked) if marked else own.src


def list_marked_icons(look: Look) -> list[str]:
    """The addresses of a page's own icon with each mark."""
    return [_own_address(look.icon, status) for status in SHAPES] if look.icon else []


def _own_address(own: ShownPicture, status: Status) -> str:
    return f"/pictures/{own.digest}/{status.slug}.png"


def find_mark(snapshot: Snapshot) -> Status | None:
    """The one of `SHAPES` that marks the icon; None while nothing is wrong."""
    tone = snapshot.status.tone
    return tone if tone in SHAPES else None


def product_icon(marked: Status | None) -> str:
    """The name of a static file. Its tile is dark on light tabs and light on dark ones."""
    return f"img/favicon-{marked.slug}.svg" if marked else "img/favicon.svg"


def mark_own_icon(content: bytes, status: Status) -> bytes:
    """A square PNG with one of `SHAPES` in its corner, on a white disc: readable on every icon and every tab."""
    side = MARKED_SIDE * SMOOTH
    image = (
        Image.open(BytesIO(content), formats=("PNG",)).convert("RGBA").resize((side, side), Image.Resampling.LANCZOS)
    )
    drawing = ImageDraw.Draw(image)
    begin, inset = side * (1 - DISC), side * (1 - DISC / 2 - MARK / 2)
    drawing.ellipse((begin, begin, side - 1, side - 1), fill=COLOURS["card"].light)
    corners = [(inset + side * MARK * x, inset + side * MARK * y) for x, y in SHAPES[status]]
    drawing.polygon(corners, fill=TONES[status].light)
    return write_png(image.resize((MARKED_SIDE, MARKED_SIDE), Image.Resampling.LANCZOS)).content
