"""The picture beside a link to the page, and the tags that name it."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from django.db import DatabaseError
from django.utils import translation
from PIL import Image, ImageDraw, features

from components.models import Component
from components.status import Status
from core.colours import COLOURS
from core.pictures import redraw, write_png
from incidents.models import Incident, Post
from pages.look import LOGO_BOX
from public.documents import link_preview
from public.documents.icon import TONES
from public.documents.link_preview import draw_link_preview, drawable, fit_line, fit_lines, load_font
from public.serving.edition import editions
from public.snapshot import build

if TYPE_CHECKING:
    from pages.models import Page
    from tests.public.conftest import Get, Read

LONG_GERMAN = ("Donaudampfschifffahrtselektrizitäten" * 6)[:200]
LONG_ARABIC = ("حالةالخدماتوالأنظمة" * 11)[:200]


def opened(content: bytes) -> Image.Image:
    return Image.open(BytesIO(content), formats=("PNG",)).convert("RGB")


def colour(value: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(value[1:]))


def draw(page: Page) -> Image.Image:
    image = opened(draw_link_preview(build(page)))
    assert image.size == (1200, 630)
    return image


def test_every_page_names_a_picture_a_title_and_a_description(read: Read, chat: Component, outage: Incident) -> None:
    titles = {}
    for path in ("/", "/history", outage.path, f"/components/{chat.code}"):
        page = read(path)
        told = {tag["property"]: tag["content"] for tag in page.select("meta[property]")}
        assert told["og:image"].startswith("https://status.acme.localhost/link-preview.png?v="), path
        assert told["og:description"] == page.select("meta[name=description]")[0]["content"]
        assert page.select("meta[name='twitter:card']")[0]["content"] == "summary_large_image"
        titles[path] = told["og:title"]
    assert titles["/"] == "Acme Status: All systems are partly down"
    assert titles[outage.path] == "Errors on the Chat API · Acme Status"
    assert len(set(titles.values())) == len(titles)


def test_the_address_of_the_picture_changes_with_the_page(read: Read, acme: Page, chat: Component) -> None:
    def address() -> str:
        return str(read("/").select("meta[property='og:image']")[0]["content"])

    before = address()
    Incident.open(acme, "Down", Post("Down.", components={chat: Status.MAJOR_OUTAGE}))
    assert address() != before


def test_it_is_served_as_a_picture_and_nothing_else(get: Get, outage: Incident) -> None:
    answer = get("/link-preview.png?v=3")
    assert opened(answer.content).size == (1200, 630)
    assert answer["Content-Type"] == "image/png"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert "max-age=3600" in answer["Cache-Control"]
    assert answer["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert len(answer.content) < 100_000


@pytest.mark.parametrize("status", list(Status))
def test_it_shows_the_state_by_shape_and_colour(acme: Page, chat: Component, status: Status) -> None:
    if status != Status.OPERATIONAL:
        Incident.open(acme, "Something", Post("Something.", components={chat: status}))
    tone = TONES[status] if status in TONES else COLOURS["op"]
    image = draw(acme)
    assert image.getpixel((5, 300)) == colour(tone.light)
    assert image.getpixel((128, 306)) == colour(tone.light)  # inside of each shape
    assert image.getpixel((600, 625)) == colour(COLOURS["accent"].light)


def test_the_look_of_the_page_is_its_look_too(acme: Page) -> None:
    acme.accent_light, acme.accent_dark = "#5a28c8", "#aa88ff"
    acme.save()
    image = draw(acme)
    assert image.getpixel((600, 625)) == colour("#5a28c8")
    assert image.getpixel((85, 110)) == colour("#5a28c8")  # the tile with the name's first letter
    logo = write_png(Image.new("RGB", (720, 108), (0, 160, 160)))
    acme.show_picture("logo", redraw(logo.content, box=LOGO_BOX))
    acme.save()
    assert draw(acme).getpixel((300, 120)) == pytest.approx((0, 160, 160), abs=2)


@pytest.mark.parametrize(
    "name", [LONG_GERMAN, LONG_ARABIC, LONG_ARABIC[:100] + LONG_GERMAN[:100], "状态", "🔥", "é" * 200]
)
@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_name_of_any_length_and_script_stays_inside(acme: Page, chat: Component, name: str, language: str) -> None:
    acme.name = chat.name = name
    acme.save()
    chat.save()
    Incident.open(acme, "Down", Post("Down.", components={chat: Status.MAJOR_OUTAGE}))
    with translation.override(language):
        image = draw(acme)
    ground = colour(COLOURS["card"].light)
    edge = {image.getpixel((x, y)) for x in range(30, 78) for y in range(618)} | {
        image.getpixel((x, y)) for x in range(1122, 1170) for y in range(618)
    }
    assert edge == {ground}


def test_what_has_no_room_is_cut_between_letters_as_readers_count_them() -> None:
    font = load_font("Regular", 30)
    for text in (LONG_GERMAN, LONG_ARABIC, "e\u0301" * 200):
        line = fit_line(text, font, 500)
        assert font.getlength(line) <= 500
        assert line.endswith("…")
        assert text.startswith(line[:-1])
        assert text[len(line) - 1] != "\u0301"
    assert fit_line("Short", font, 500) == "Short"


def test_a_sentence_takes_three_lines_at_most() -> None:
    font = load_font("Bold", 64)
    lines = fit_lines("All systems are working again; we are watching them " * 4, font, 900, 3)
    assert len(lines) == 3
    assert lines[-1].endswith("…")
    assert all(font.getlength(line) <= 900 for line in lines)
    assert fit_lines("", font, 900, 3) == [""]
    assert len(fit_lines(LONG_GERMAN + " is down", font, 900, 3)) == 2


def test_letters_that_the_font_has_not_are_left_out() -> None:
    assert drawable("Acme 状态 🔥 Störung\n Ω Я") == "Acme Störung Ω Я"
    assert drawable("状态") == ""
    assert drawable("حالة") == "حالة"


def test_where_arabic_cannot_be_written_it_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check", lambda name: False)
    assert drawable("حالة") == ""
    assert drawable("Störung") == "Störung"


def test_it_is_served_while_the_database_is_down(
    get: Get, read: Read, acme: Page, outage: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme.show_picture("logo", write_png(Image.new("RGB", (720, 108))))
    acme.save()
    acme.raise_generation()
    read("/")
    before = get("/link-preview.png").content

    def fail(*args: object) -> None:
        raise DatabaseError

    monkeypatch.setattr(link_preview, "load_picture", fail)
    monkeypatch.setattr("public.serving.render_cache.build", fail)
    monkeypatch.setattr(editions.host_index, "age", lambda: 30)
    assert get("/link-preview.png").content == before
    for key in list(editions.cache.names()):
        if key[1] == "link-preview.png":
            editions.cache.drop(key)
    answer = get("/link-preview.png")  # never asked for before: without the logo
    assert answer.status_code == 200
    assert opened(answer.content).size == (1200, 630)


def test_it_says_nothing_of_hidden_components(acme: Page, chat: Component, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    draw_text = ImageDraw.ImageDraw.text

    def write(drawing: ImageDraw.ImageDraw, place: object, text: str, *args: object, **options: object) -> None:
        written.append(text)
        draw_text(drawing, place, text, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", write)
    vault = Component.objects.create(page=acme, name="Vault", hidden=True)
    moved = {chat: Status.MAJOR_OUTAGE, vault: Status.MAJOR_OUTAGE}
    Incident.open(acme, "Down", Post("Down.", components=moved))
    draw(acme)
    assert written == ["A", "Acme Status", "All systems are down", "Affected: Chat API.", "status.acme.localhost"]


def test_in_a_language_from_the_right_it_is_mirrored(acme: Page, outage: Incident) -> None:
    with translation.override("ar"):
        mirrored = draw(acme)
    tone = colour(TONES[Status.PARTIAL_OUTAGE].light)
    assert mirrored.getpixel((1195, 300)) == tone
    assert draw(acme).getpixel((5, 300)) == tone
