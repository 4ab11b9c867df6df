"""Checks pictures that staff upload before they are decoded, and encodes them again.

Only our own PNG is stored, so that no metadata such as names and places remains, nor data hidden behind the picture.
"""

import base64
import hashlib
import struct
import zlib
from dataclasses import dataclass
from io import BytesIO

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from PIL import Image, ImageOps

LARGEST_BYTES = 2 * 1024 * 1024
LARGEST_PIXELS = 4_000_000
LONGEST_SIDE = 16_384  # pixels; longer than any logo, and it limits the decoder's row buffers
FORMATS = ("PNG", "JPEG", "GIF", "WEBP")
COLOURS_KEPT = 256
# A larger PNG, such as a photo, is reduced to COLOURS_KEPT colours.
PLAIN_BYTES = 24_000
# The errors that Pillow raises for damaged files of these formats.
DAMAGED = (OSError, SyntaxError, ValueError, TypeError, EOFError, IndexError, OverflowError, MemoryError, struct.error,
           zlib.error)  # fmt: skip


@dataclass(frozen=True)
class Raster:
    """A PNG that this module has encoded."""

    content: bytes
    width: int
    height: int

    def __str__(self) -> str:
        return self.digest

    @property
    def address(self) -> str:
        """The picture as a data: URL."""
        return f"data:image/png;base64,{base64.b64encode(self.content).decode()}"

    @property
    def digest(self) -> str:
        """The first 20 hex digits of the hash of the content."""
        return hashlib.sha256(self.content).hexdigest()[:20]


def redraw(data: bytes, *, box: tuple[int, int], square: bool = False) -> Raster:
    """The uploaded picture, reduced to fit into `box` (width and height in pixels); of an animation, the first frame.

    `square`: add transparent edges to make it square. Raises ValidationError with the reason.
    """
    _refuse_others(data)
    image = _decode(data)
    image.thumbnail(box, Image.Resampling.LANCZOS)
    side = max(image.size)
    size = (side, side) if square else image.size
    # Copy the pixels into a new image, because `image` still has the metadata of the file.
    fresh = Image.new("RGBA", size)
    fresh.paste(image, ((size[0] - image.width) // 2, (size[1] - image.height) // 2))
    return write_png(fresh)


def write_png(image: Image.Image) -> Raster:
    content = _pack(image)
    if len(content) > PLAIN_BYTES:
        method = Image.Quantize.FASTOCTREE if image.mode == "RGBA" else Image.Quantize.MEDIANCUT
        content = min(content, _pack(image.quantize(COLOURS_KEPT, method)), key=len)
    return Raster(content, *image.size)


def _pack(image: Image.Image) -> bytes:
    written = BytesIO()
    image.save(written, "PNG", optimize=True)
    return written.getvalue()


def _refuse_others(data: bytes) -> None:
    if not data:
        raise ValidationError(_("This file is empty."), code="empty")
    if len(data) > LARGEST_BYTES:
        raise ValidationError(_("This file is larger than 2 MB. Save it smaller."), code="too_large")
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<?xml", b"<!doctype svg", b"<svg", b"<!--")) and b"<svg" in data[:4096].lower():
        raise ValidationError(
            _("This is an SVG. It can carry scripts and load things from elsewhere, so none is taken. Save it as PNG."),
            code="svg",
        )
    if data[:4] == b"RIFF":
        _refuse_many_pixels(*_webp_size(data))  # Pillow reserves the whole canvas when it opens one


def _decode(data: bytes) -> Image.Image:
    try:
        image = Image.open(BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels() from None
    except DAMAGED:
        raise ValidationError(
            _("This is no picture that can be read here. Upload a PNG, JPEG, WebP or GIF."), code="unknown"
        ) from None
    _refuse_many_pixels(*image.size)
    try:
        image.load()
        turned = ImageOps.exif_transpose(image)
        return turned.convert("RGBA")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _too_many_pixels() from None
    except DAMAGED:
        raise ValidationError(_("This picture is damaged: it cannot be read to its end."), code="damaged") from None


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height in the file's header; (1, 1) if it has none, since decoding will fail then.
    https://developers.google.com/speed/webp/docs/riff_container"""
    kind, head = data[12:16], data[20:30].ljust(10, b"\0")
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[4:7], "little"), 1 + int.from_bytes(head[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        return int.from_bytes(head[6:8], "little") & 0x3FFF, int.from_bytes(head[8:10], "little") & 0x3FFF
    return 1, 1


def _refuse_many_pixels(width: int, height: int) -> None:
    if width * height > LARGEST_PIXELS or max(width, height) > LONGEST_SIDE:
        raise _too_many_pixels()


def _too_many_pixels() -> ValidationError:
    return ValidationError(
        _("This picture has more than 4 million pixels. Save it smaller: it is shown 36 pixels high."), code="pixels"
    )
