"""The front page with a look that is not saved yet, in a frame of the staff's screen “Look”.

It stores nothing, and everything that it shows stands in itself: style sheet and pictures are data: URLs. It runs no
script, and only the staff's own screens may frame it.
"""

import base64
from dataclasses import replace

from csp.constants import NONE, SELF
from csp.decorators import csp_replace
from django.http import HttpRequest, HttpResponse
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_http_methods

from core.pictures import Raster
from core.style_sheet import write_style_sheet
from pages.look import Look, ShownPicture
from pages.models import Page
from pages.rights import require_right
from public.snapshot import build
from public.views import render_preview
from staff.chosen_page import get_page
from staff.settings.look import LookForm

POLICY = {
    "default-src": [NONE],
    "style-src": ["data:"],
    "img-src": ["data:", SELF],
    "base-uri": [NONE],
    "form-action": [NONE],
    "frame-ancestors": [SELF],
    "script-src": [NONE],
    "sandbox": [""],
}
SCHEMES = ("light", "dark")


@csp_replace(POLICY)
@xframe_options_sameorigin
@require_right("administer")
@require_http_methods(["GET", "POST"])
def preview_look(request: HttpRequest) -> HttpResponse:
    page = get_page(request)
    form = LookForm(request.POST or None, request.FILES or None, instance=page)
    form.is_valid()  # what cannot be is not shown; `page` has the rest, and is not saved
    asked = request.POST.get("scheme") or request.GET.get("scheme", "")
    look = _contain(page, form.new_pictures(), asked if asked in SCHEMES else "")
    snapshot = build(page)
    snapshot = replace(snapshot, page=replace(snapshot.page, look=look))
    return HttpResponse(render_preview(snapshot))


def _contain(page: Page, fresh: dict[str, Raster | None], scheme: str) -> Look:
    """The look of `page` with all it consists of inside. `scheme`: only as a light or a dark page shows it."""
    look = page.look
    stored = {name: page.load_picture(name) for name in page.pictures}
    shown = {name: _inside(raster) for name, raster in (stored | fresh).items()}
    light, dark = shown.get("logo"), shown.get("logo_dark")
    if scheme == "dark" and dark:
        light = dark
    sheet = write_style_sheet(look.accent) + (f":root{{color-scheme:{scheme}}}" if scheme else "")
    return replace(
        look,
        logo=light or dark,
        logo_dark=None if scheme or not light else dark,
        icon=shown.get("icon"),
        style=f"data:text/css;base64,{base64.b64encode(sheet.encode()).decode()}",
    )


def _inside(raster: Raster | None) -> ShownPicture | None:
    return ShownPicture(raster.address, raster.width, raster.height) if raster else None
