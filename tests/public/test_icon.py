"""The icon in the browser's tab: it says by shape and colour what is wrong, and nothing while all is well."""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from django.conf import settings
from django.db import DatabaseError
from PIL import Image

from components.status import Status
from core.colours import COLOURS
from core.contrast import contrast
from core.pictures import redraw
from incidents.models import Incident, Post
from pages.look import ICON_BOX
from public.documents.icon import SHAPES, TONES, mark_own_icon, product_icon
from public.serving.edition import editions

if TYPE_CHECKING:
    from components.models import Component
    from pages.models import Page
    from tests.public.conftest import Get, Read

PLAIN = "/static/img/favicon.svg"


def upload_icon(page: Page, colour: tuple[int, int, int] = (10, 120, 200)) -> str:
    """Returns its address."""
    written = BytesIO()
    Image.new("RGB", (64, 64), colour).save(written, "PNG")
    page.show_picture("icon", redraw(written.getvalue(), box=ICON_BOX, square=True))
    page.save()
    page.raise_generation()
    assert page.look.icon is not None
    return page.look.icon.path


def icon_of(read: Read, path: str = "/") -> str:
    return str(read(path).select("link[rel=icon]")[0]["href"])


def read_product_icon(status: Status) -> str:
    return (settings.BASE_DIR / "static" / product_icon(status)).read_text()


def test_the_icon_names_the_worst_state_and_is_plain_while_all_is_well(read: Read, acme: Page, chat: Component) -> None:
    assert icon_of(read) == PLAIN
    moved = {chat: Status.DEGRADED_PERFORMANCE}
    incident = Incident.open(acme, "Slow", Post("Slow.", components=moved)).incident
    for path in ("/", "/history", incident.path, f"/components/{chat.code}"):
        assert icon_of(read, path) == "/static/img/favicon-degraded_performance.svg"
    incident.post(Post("Down.", components={chat: Status.MAJOR_OUTAGE}))
    assert icon_of(read) == "/static/img/favicon-major_outage.svg"


def test_a_page_that_refreshes_itself_learns_the_new_icon(read: Read, chat: Component, outage: Incident) -> None:
    for path in ("/fragments/summary", f"/fragments{outage.path}", f"/fragments/components/{chat.code}"):
        assert read(path).find(attrs={"data-icon": "/static/img/favicon-partial_outage.svg"}), path


def test_an_uploaded_icon_is_shown_with_the_mark(get: Get, read: Read, acme: Page, outage: Incident) -> None:
    own = upload_icon(acme)
    address = icon_of(read)
    assert address == own.replace(".png", "/partial_outage.png")
    answer = get(address)
    assert answer["Content-Type"] == "image/png"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.content != get(own).content
    assert get("/favicon.ico").content == answer.content


def test_of_other_pictures_and_other_states_there_is_no_marked_icon(get: Get, acme: Page) -> None:
    own = upload_icon(acme)
    digest = own.rpartition("/")[2].removesuffix(".png")
    upload_icon(acme, (200, 0, 0))
    assert get(own).status_code == 200
    assert get(f"/pictures/{digest}/major_outage.png").status_code == 404
    for state in ("operational", "on-fire"):
        assert get(upload_icon(acme).replace(".png", f"/{state}.png")).status_code == 404


def test_browsers_that_ask_by_themselves_get_the_state_too(get: Get, outage: Incident) -> None:
    assert get("/favicon.ico").content == read_product_icon(Status.PARTIAL_OUTAGE).encode()


def test_the_icon_stays_while_the_database_is_down(
    get: Get, acme: Page, outage: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = upload_icon(acme)
    addresses = (own, own.replace(".png", "/partial_outage.png"), "/favicon.ico")
    shown = {address: get(address).content for address in addresses}

    def fail(*args: object) -> None:
        raise DatabaseError

    monkeypatch.setattr("public.serving.render_cache.build", fail)
    monkeypatch.setattr("public.documents.look.load_picture", fail)
    monkeypatch.setattr(editions.host_index, "age", lambda: 30)
    for address in addresses:
        answer = get(address)
        assert (answer.status_code, answer.content) == (200, shown[address]), address


@pytest.mark.parametrize("status", SHAPES)
def test_each_state_has_a_shape_and_a_colour_of_its_own(status: Status) -> None:
    drawn = read_product_icon(status)
    assert ET.fromstring(drawn).tag.endswith("svg")
    points = [f"{6 + 20 * x:g},{6 + 20 * y:g}" for x, y in SHAPES[status]]
    assert " ".join(points) in drawn
    assert set(re.findall(r"#\w{6}", drawn)) == {*COLOURS["ink"], *TONES[status]}
    assert len(set(SHAPES.values())) == len(set(TONES.values())) == len(SHAPES) == len(Status) - 1
    for tile, mark in zip(COLOURS["ink"], reversed(TONES[status]), strict=True):
        assert contrast(tile, mark) >= 3  # WCAG 2.2, 1.4.11
    assert contrast(COLOURS["card"].light, TONES[status].light) >= 3


@pytest.mark.parametrize("status", SHAPES)
def test_the_mark_stands_in_the_corner_of_the_own_icon(status: Status) -> None:
    written = BytesIO()
    Image.new("RGBA", (40, 40), (10, 120, 200, 255)).save(written, "PNG")
    marked = Image.open(BytesIO(mark_own_icon(written.getvalue(), status))).convert("RGB")
    assert marked.size == (96, 96)
    assert marked.getpixel((5, 5)) == pytest.approx((10, 120, 200), abs=3)
    tone = tuple(bytes.fromhex(TONES[status].light[1:]))
    assert marked.getpixel((64, 66)) == pytest.approx(tone, abs=24)


def test_an_icon_is_small(get: Get, acme: Page) -> None:
    noise = BytesIO()
    Image.effect_noise((96, 96), 90).convert("RGB").save(noise, "PNG")
    raster = redraw(noise.getvalue(), box=ICON_BOX, square=True)
    assert len(mark_own_icon(raster.content, Status.MAJOR_OUTAGE)) < 24_000


def test_under_a_sub_path_an_uploaded_icon_stands_below_it(
    read: Read, acme: Page, outage: Incident, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "FORCE_SCRIPT_NAME", "/status")
    own = upload_icon(acme)
    assert icon_of(read) == f"/status{own}".replace(".png", "/partial_outage.png")
