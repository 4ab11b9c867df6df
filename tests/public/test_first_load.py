import gzip
import re
from datetime import timedelta
from io import BytesIO
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.utils import timezone
from PIL import Image

from components.models import Component, Group
from components.status import Status
from core.pictures import redraw
from pages.look import ICON_BOX, LOGO_BOX
from pages.models import Page
from statuspage.demo import build_demo

if TYPE_CHECKING:
    from tests.public.conftest import Get

LIMIT = 15_000


def first_load(get: "Get", host: str) -> dict[str, int]:
    """Compressed bytes by address of the front page and whatever it loads from us, htmx aside."""
    page = get("/", host=host, accept_encoding="gzip")
    html = gzip.decompress(page.content).decode()
    sizes = {"/": len(page.content)}
    loaded = re.findall(r'(?:<(?:script|img) [^>]*src|<link rel="(?:stylesheet|icon)"[^>]*href)="([^"]+)"', html)
    for address in loaded:
        if not address.startswith(settings.STATIC_URL):
            sizes[address] = len(get(address, host=host, accept_encoding="gzip").content)
            continue
        path = finders.find(address.removeprefix(settings.STATIC_URL))
        assert path, address
        if "htmx" not in address:
            with open(path, "rb") as file:  # noqa: PTH123
                sizes[address] = len(gzip.compress(file.read()))
    return sizes


def test_the_first_load_of_the_demo_fits_in_15_kilobytes(get: "Get", db: None) -> None:
    sizes = first_load(get, build_demo("https://status.demo.localhost").host)
    assert len(sizes) == 4, sizes  # the page, its style, its script, its icon
    assert sum(sizes.values()) <= LIMIT, sizes


def test_a_logo_an_icon_and_links_make_one_request_more(get: "Get", db: None) -> None:
    page = build_demo("https://status.demo.localhost")
    logo = Image.effect_noise((720, 108), 40)
    written = BytesIO()
    logo.save(written, "PNG")
    page.show_picture("logo", redraw(written.getvalue(), box=LOGO_BOX))
    page.show_picture("logo_dark", redraw(written.getvalue(), box=LOGO_BOX))
    page.show_picture("icon", redraw(written.getvalue(), box=ICON_BOX, square=True))
    page.accent_light, page.accent_dark = "#1a7f4b", "#3ecf8e"
    page.header_links = page.footer_links = [
        {"label": f"Link {n}", "url": f"https://example.com/{n}"} for n in range(8)
    ]
    page.save()
    sizes = first_load(get, page.raise_generation().host)
    assert len(sizes) == 5, sizes  # htmx aside; the icon of the tab is no request of the page's own
    assert sum(size for address, size in sizes.items() if not address.startswith("/pictures/")) <= LIMIT, sizes


@pytest.mark.parametrize("troubled", [0, 12])
def test_forty_components_with_trouble_still_load_fast(get: "Get", acme: Page, troubled: int) -> None:
    born = timezone.now() - timedelta(days=120)
    for number in range(40):
        if number % 8 == 0:
            group = Group.objects.create(page=acme, name=f"Group {number // 8}", position=number)
        part = Component.objects.create(page=acme, name=f"Part {number}", group=group, position=number, created_at=born)
        for days in range(troubled, 0, -1):
            at = timezone.now() - timedelta(days=days * 7, minutes=number * 7)
            part.move_to(list(Status)[1 + (days + number) % 4], at)
            part.move_to(Status.OPERATIONAL, at + timedelta(minutes=number + days))
    sizes = first_load(get, acme.host)
    assert sum(sizes.values()) <= LIMIT, sizes
