"""What may be uploaded as a picture, and what becomes of it."""

import resource
import struct
import zlib
from io import BytesIO

import pytest
from django.core.exceptions import ValidationError
from PIL import Image, PngImagePlugin

from core.pictures import redraw

BOX = (600, 120)


def save(image: Image.Image, kind: str, **options: object) -> bytes:
    written = BytesIO()
    image.save(written, kind, **options)
    return written.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_claiming(width: int, height: int) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0" * 1_000_000)) + chunk(b"IEND", b"")


def gif_claiming(width: int, height: int, *, frame: tuple[int, int] | None = None) -> bytes:
    wide, high = frame or (width, height)
    screen = b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0" + b"\0\0\0\xff\xff\xff"
    return screen + b"," + struct.pack("<HHHH", 0, 0, wide, high) + b"\0\x02\x02\x44\x01\0;"


def webp_claiming(width: int, height: int) -> bytes:
    body = b"\0\0\0\0" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + body


LOGO = Image.new("RGB", (300, 90), (10, 120, 200))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_a_picture_is_drawn_again_as_png(kind: str) -> None:
    drawn = redraw(save(LOGO, kind), box=BOX)
    assert (drawn.width, drawn.height) == (300, 90)
    assert Image.open(BytesIO(drawn.content)).format == "PNG"
    assert len(drawn.digest) == 20


def test_a_large_one_is_made_smaller_and_a_small_one_is_left() -> None:
    drawn = redraw(save(Image.new("RGBA", (2000, 1900)), "PNG"), box=BOX)
    assert drawn.height == 120
    assert drawn.width <= 600
    drawn = redraw(save(Image.new("RGBA", (20, 10)), "PNG"), box=(96, 96), square=True)
    assert (drawn.width, drawn.height) == (20, 20)


def test_nothing_that_the_file_says_about_itself_is_kept() -> None:
    said = PngImagePlugin.PngInfo()
    said.add_text("Author", "zanzibar")
    exif = Image.Exif()
    exif[0x010E] = "zanzibar"
    for data in (
        save(LOGO, "PNG", pnginfo=said, icc_profile=b"zanzibar" * 20) + b"<script>zanzibar</script>",
        save(LOGO, "JPEG", exif=exif, comment=b"zanzibar") + b"zanzibar",
    ):
        assert b"zanzibar" in data
        content = redraw(data, box=BOX).content
        assert b"zanzibar" not in content
        assert set(Image.open(BytesIO(content)).info) <= {"transparency"}


def test_a_picture_that_a_camera_held_sideways_stands_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert redraw(save(LOGO, "JPEG", exif=exif), box=(600, 600)).height == 300


def test_of_an_animation_the_first_picture_is_taken() -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    drawn = redraw(save(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100), box=BOX)
    assert Image.open(BytesIO(drawn.content)).convert("RGB").getpixel((5, 5)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty"),
        (b"<html><body><script>alert(1)</script></body></html>", "unknown"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "svg"),
        (b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- drawn -->\n<svg/>", "svg"),
        (b"\x89PNG\r\n\x1a\n" + b"x" * 100, "unknown"),
        (save(LOGO, "PNG")[:-60], "damaged"),
        (b"x" * (2 * 1024 * 1024 + 1), "too_large"),
        (b"BM" + b"\0" * 100, "unknown"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "unknown"),
        (png_claiming(4000, 1001), "pixels"),
        (png_claiming(12_000, 12_000), "pixels"),
        (png_claiming(60_000, 60_000), "pixels"),
        (png_claiming(4_000_000, 1), "pixels"),
        (gif_claiming(10_000, 5_000), "pixels"),
        (gif_claiming(10, 10, frame=(10_000, 5_000)), "pixels"),
        (webp_claiming(16_383, 16_383), "pixels"),
    ],
)
def test_what_cannot_be_taken_is_refused_with_its_reason(data: bytes, code: str) -> None:
    with pytest.raises(ValidationError) as refused:
        redraw(data, box=BOX)
    assert refused.value.code == code


def test_a_decompression_bomb_takes_no_memory() -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for bomb in (gif_claiming(10_000, 5_000), png_claiming(30_000, 30_000), webp_claiming(16_383, 16_383)):
        with pytest.raises(ValidationError):
            redraw(bomb, box=BOX)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB; decoded they are 200,000 and more


def test_damaged_files_of_every_format_are_refused_and_never_raise_anything_else() -> None:
    for kind in ("PNG", "JPEG", "GIF", "WEBP"):
        whole = save(LOGO, kind)
        for place in range(4, len(whole), max(1, len(whole) // 60)):
            for data in (whole[:place], whole[:place] + b"\xff\xff\x00" + whole[place + 3 :]):
                try:
                    redraw(data, box=BOX)
                except ValidationError:
                    continue


def test_a_photo_as_a_logo_stays_small() -> None:
    noise = Image.effect_noise((600, 120), 90).convert("RGB")
    assert len(redraw(save(noise, "PNG"), box=BOX).content) <= 80_000
