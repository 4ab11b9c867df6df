"""Settings: the look of a page. What can be uploaded: tests/statuspage/test_pictures.py."""

from __future__ import annotations

from io import BytesIO

import pytest
from bs4 import BeautifulSoup
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from core.colours import COLOURS
from pages.models import AuditEntry, Page, Picture
from tests.staff.test_components_screen import fields_of
from tests.statuspage.test_pictures import gif_claiming

LOOK, PREVIEW = "/staff/page/look/", "/staff/page/look/preview/"


@pytest.fixture
def staff(grace) -> Client:
    client = Client()
    client.force_login(grace)
    return client


def upload(data: bytes, name: str = "logo.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data, content_type="image/png")


def png(width: int = 300, height: int = 90, colour: tuple[int, int, int] = (10, 120, 200)) -> bytes:
    written = BytesIO()
    Image.new("RGB", (width, height), colour).save(written, "PNG")
    return written.getvalue()


def problems(response) -> list[str]:
    return [each.text for each in BeautifulSoup(response.content, "html.parser").select(".problem")]


def save(staff: Client, **changes):
    return staff.post(LOOK, fields_of(staff, LOOK) | changes)


def test_a_logo_is_on_the_page_at_once_at_an_address_of_its_content(staff, acme, client):
    generation = acme.generation
    assert save(staff, logo=upload(png()), icon=upload(png(40, 20))).status_code == 302
    acme.refresh_from_db()
    assert acme.generation == generation + 1
    front = BeautifulSoup(client.get("/").content, "html.parser")
    logo = front.select_one(".brand img")
    assert (logo["alt"], logo["width"], logo["height"]) == ("Acme", "120", "36")
    icon = front.select_one('link[rel="icon"]')
    for address in (logo["src"], icon["href"]):
        answer = client.get(address)
        assert answer["Content-Type"] == "image/png"
        assert "immutable" in answer["Cache-Control"]
        assert answer["X-Content-Type-Options"] == "nosniff"
        assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
        assert "Set-Cookie" not in answer
        assert Image.open(BytesIO(answer.content)).format == "PNG"
    entry = AuditEntry.objects.get(action="page.change")
    assert entry.detail["fields"]["logo"] == ["", acme.pictures["logo"]["digest"]]


def test_a_picture_that_was_replaced_or_removed_stays_at_its_address_for_mails_that_show_it(staff, acme, client):
    save(staff, logo=upload(png()))
    acme.refresh_from_db()
    address = acme.look.logo.path
    save(staff, remove_logo="on")
    acme.refresh_from_db()
    assert acme.pictures == {}
    assert acme.look.logo is None
    assert client.get(address).status_code == 200


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"<html><script>alert(1)</script></html>", "no picture that can be read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "This is an SVG"),
        (b"", "empty"),
        (gif_claiming(10_000, 5_000), "more than 4 million pixels"),
        (b"\x89PNG" + b"x" * (2 * 1024 * 1024), "larger than 2 MB"),
    ],
)
@pytest.mark.parametrize("field", ["logo", "logo_dark", "icon"])
def test_what_is_no_picture_is_refused_at_its_field_and_nothing_is_stored(staff, acme, field, data, words):
    before = Page.objects.values().get()
    answer = save(staff, **{field: upload(data)}, header_links="Home https://acme.example")
    assert answer.status_code == 422
    assert len(problems(answer)) == 1
    assert words in problems(answer)[0]
    assert "Home https://acme.example" in answer.content.decode()
    assert Page.objects.values().get() == before
    assert not Picture.objects.exists()


def test_an_accent_is_in_the_style_sheet_and_the_dark_one_is_found_by_itself(staff, acme, client):
    assert save(staff, accent_light="#1A7F4B").status_code == 302
    acme.refresh_from_db()
    assert acme.accent_light == "#1a7f4b"
    assert acme.accent_dark
    front = BeautifulSoup(client.get("/").content, "html.parser")
    (sheet,) = front.select('head > link[rel="stylesheet"]')
    css = client.get(sheet["href"]).content.decode()
    assert f"--accent:light-dark(#1a7f4b,{acme.accent_dark})" in css


@pytest.mark.parametrize(
    ("field", "value"),
    [("accent_light", COLOURS["ground"].light), ("accent_light", "#ffff00"), ("accent_dark", COLOURS["ground"].dark)],
)
def test_a_colour_that_cannot_be_read_is_shown_with_the_nearest_that_can(staff, acme, field, value):
    typed = {"accent_light": "#1a7f4b", field: value}
    answer = save(staff, **typed)
    assert answer.status_code == 422
    assert "can hardly be read" in problems(answer)[0]
    button = BeautifulSoup(answer.content, "html.parser").select_one(f'button[name="take_{field}"]')
    assert save(staff, **typed, **{button["name"]: button["value"]}).status_code == 302
    acme.refresh_from_db()
    assert getattr(acme, field) == button["value"]


@pytest.mark.parametrize("value", ["red", "#12345", "#ggg", "url(x)", "#1a7f4b;}"])
def test_what_is_no_colour_is_refused(staff, acme, value):
    answer = save(staff, accent_light=value)
    assert answer.status_code == 422
    assert problems(answer)


def test_links_are_shown_escaped_at_the_top_and_the_foot(staff, acme, client):
    save(
        staff,
        header_links='<b>Home</b> "x" https://acme.example/?a=1&b=2',
        footer_links="Write to us mailto:a@acme.example",
    )
    front = BeautifulSoup(client.get("/").content, "html.parser")
    (link,) = front.select(".own-links a")
    assert (link.text, link["href"]) == ('<b>Home</b> "x"', "https://acme.example/?a=1&b=2")
    assert front.select_one('footer a[href="mailto:a@acme.example"]').text == "Write to us"
    assert fields_of(staff, LOOK)["footer_links"].strip() == "Write to us mailto:a@acme.example"


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("Home javascript:alert(1)", "begins with https://"),
        ("Home data:text/html,x", "begins with https://"),
        ("Home https://", "begins with https://"),
        ("https://acme.example", "write the text and then the address"),
        (f"{'x' * 41} https://acme.example", "Shorten"),
        ("\n".join(f"L{n} https://acme.example/{n}" for n in range(9)), "At most 8 links"),
    ],
)
def test_a_link_that_cannot_be_is_refused_with_all_that_was_typed(staff, acme, typed, words):
    answer = save(staff, header_links=typed)
    assert answer.status_code == 422
    assert words in problems(answer)[0]
    assert BeautifulSoup(answer.content, "html.parser").select_one("#id_header_links").text.strip() == typed
    acme.refresh_from_db()
    assert acme.header_links == []


def test_the_preview_shows_what_is_not_saved_and_stores_nothing(staff, acme):
    before = Page.objects.values().get()
    form = fields_of(staff, LOOK) | {
        "logo": upload(png()),
        "accent_light": "#1a7f4b",
        "header_links": "Home https://x.example",
    }
    answer = staff.post(PREVIEW, form | {"scheme": "dark"})
    page = BeautifulSoup(answer.content, "html.parser")
    assert page.select_one(".brand img")["src"].startswith("data:image/png;base64,")
    assert page.select_one(".own-links a")["href"] == "https://x.example"
    assert not page.select("script")
    assert page.select_one('link[rel="stylesheet"]')["href"].startswith("data:text/css")
    assert answer["X-Frame-Options"] == "SAMEORIGIN"
    policy = answer["Content-Security-Policy"]
    assert "frame-ancestors 'self'" in policy
    assert "script-src 'none'" in policy
    assert "sandbox" in policy
    assert Page.objects.values().get() == before
    assert not Picture.objects.exists()


def test_other_pages_are_framed_as_little_as_before(staff, acme, client):
    for address in ("/", "/history"):
        answer = client.get(address)
        assert answer["X-Frame-Options"] == "DENY"
        assert "frame-ancestors 'none'" in answer["Content-Security-Policy"]
    answer = staff.get(LOOK)
    assert answer["X-Frame-Options"] == "DENY"
    assert "frame-src 'self'" in answer["Content-Security-Policy"]
    assert "frame-src" not in staff.get("/staff/page/")["Content-Security-Policy"]


def test_two_people_changing_different_things_keep_both(staff, acme):
    form = fields_of(staff, LOOK)
    Page.objects.filter(pk=acme.pk).update(header_links=[{"label": "Home", "url": "https://acme.example"}])
    assert staff.post(LOOK, form | {"accent_light": "#1a7f4b"}).status_code == 302
    acme.refresh_from_db()
    assert acme.header_links == [{"label": "Home", "url": "https://acme.example"}]
    assert acme.accent_light == "#1a7f4b"


def test_the_pictures_that_are_stored_are_shown_with_a_way_to_remove_each(staff, acme):
    screen = BeautifulSoup(staff.get(LOOK).content, "html.parser")
    assert not screen.select(".stored-picture")
    assert not screen.select("[name^=remove_]")
    save(staff, logo=upload(png()), icon=upload(png(40, 20)))
    screen = BeautifulSoup(staff.get(LOOK).content, "html.parser")
    for name in ("logo", "icon"):
        shown = screen.select_one(f".stored-picture.{name}")
        acme.refresh_from_db()
        assert shown["src"] == acme.load_picture(name).address
        assert shown["alt"]
        assert screen.select_one(f"[name=remove_{name}]")
    assert len(screen.select(".stored-picture")) == 2
    save(staff, remove_icon="on")
    assert not BeautifulSoup(staff.get(LOOK).content, "html.parser").select(".stored-picture.icon")


def test_a_file_that_was_fine_is_asked_for_again_when_something_else_was_not(staff, acme):
    answer = save(staff, logo=upload(png()), icon=upload(b""), accent_light="#ffffff")
    assert answer.status_code == 422
    said = {
        each["id"].removeprefix("id_").removesuffix("_error"): each.text
        for each in BeautifulSoup(answer.content, "html.parser").select(".problem")
    }
    assert set(said) == {"logo", "icon", "accent_light"}
    assert said["logo"].strip() == "Choose this file once more: it is fine, but was not saved with the rest."
    assert "empty" in said["icon"]
    assert not Picture.objects.exists()
    answer = save(staff, accent_light="#ffffff")
    assert len(problems(answer)) == 1
