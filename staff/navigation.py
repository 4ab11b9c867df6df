"""The one navigation of the staff side: where its areas are, and which of them a person may enter."""

from typing import NamedTuple

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Area(NamedTuple):
    """`view` names its first screen; whoever has one of `rights` may enter it."""

    view: str
    label: Promise
    rights: tuple[str, ...]


PUBLISH, ADMINISTER = "pages.publish", "pages.administer"
AREAS = (
    Area("overview", _("Overview"), (PUBLISH, ADMINISTER)),
    Area("incidents", _("Incidents"), (PUBLISH, ADMINISTER)),
    Area("maintenance", _("Maintenance"), (PUBLISH, ADMINISTER)),
    Area("components", _("Components"), (ADMINISTER,)),
    Area("channels", _("Channels"), (ADMINISTER,)),
    Area("subscribers", _("Subscribers"), (ADMINISTER,)),
    Area("page", _("Page"), (ADMINISTER,)),
    Area("people", _("People"), (ADMINISTER,)),
    Area("admin:index", _("Records"), (ADMINISTER,)),
)
PAGE_TABS = (("page", _("General")), ("look", _("Look")), ("templates", _("Templates")), ("share", _("Share")))
"""The screens of the area "Page": (view, label)."""


class MenuEntry(NamedTuple):
    label: Promise
    url: str
    current: str
    """The value of aria-current: "page" on the area's first screen, "true" on those below it, "" elsewhere."""


def menu_entries(request: HttpRequest) -> list[MenuEntry]:
    """What this person may enter. The area of a screen is the one whose address its own begins with."""
    allowed = [area for area in AREAS if any(map(request.user.has_perm, area.rights))]
    urls = [reverse(area.view) for area in allowed]
    home = reverse("overview")  # all addresses begin with the overview's
    around = [url for url in urls if url != home and request.path.startswith(url)]
    here = request.path if request.path in urls else max(around, key=len, default="")
    current = {here: "page" if here == request.path else "true"}
    return [MenuEntry(area.label, url, current.get(url, "")) for area, url in zip(allowed, urls, strict=True)]
