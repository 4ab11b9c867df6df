import gzip
import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.utils import timezone

from components.models import Component, Group
from components.status import Status
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
    loaded = re.findall(r'(?:<script [^>]*src|<link rel="(?:stylesheet|icon)"[^>]*href)="([^"]+)"', html)
    for address in loaded:
        path = finders.find(address.removeprefix(settings.STATIC_URL))
        assert path, address
        if "htmx" not in address:
            with open(path, "rb") as file:  # noqa: PTH123
                sizes[address] = len(gzip.compress(file.read()))
    return sizes


def test_the_first_load_of_the_demo_fits_in_15_kilobytes(get: "Get", db: None) -> None:
    sizes = first_load(get, build_demo("https://status.demo.localhost").host)
    assert len(sizes) == 5, sizes  # the page, the tokens, its style, its script, its icon
    assert sum(sizes.values()) <= LIMIT, sizes


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
