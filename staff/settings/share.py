"""Settings: the lines that show the page's status elsewhere: banner, badges, feeds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from csp.constants import SELF
from csp.decorators import csp_replace
from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_GET

from components.models import Component
from core import banner_script
from incidents.models import Kind
from pages.models import Page, SetupStep
from pages.rights import require_right
from staff.chosen_page import get_page
from staff.settings.first_run import load_setup

POSITIONS = [
    ("corner", gettext_lazy("In the corner")),
    ("top", gettext_lazy("At the top, over the whole width")),
    ("bottom", gettext_lazy("At the bottom, over the whole width")),
    ("inline", gettext_lazy("Where the line stands")),
]
SAMPLES = [
    (Kind.INCIDENT, gettext_lazy("An incident")),
    (Kind.MAINTENANCE, gettext_lazy("Maintenance, with a countdown")),
]
FEEDS = (
    ("/history.rss", "RSS"),
    ("/history.atom", "Atom"),
    ("/feed.json", "JSON Feed"),
    ("/maintenance.ics", gettext_lazy("Maintenance as a calendar")),
)


class ComponentsField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: Component) -> str:
        """In an element of its own, so that a name's direction is its own too."""
        return format_html("<bdi>{}</bdi>", obj.label)


class BannerOptions(forms.Form):
    """Of the line, and of the preview. A value that is none of the choices counts as the first."""

    position = forms.ChoiceField(label=gettext_lazy("Position"), choices=POSITIONS, required=False)
    components = ComponentsField(
        Component.objects.none(),
        label=gettext_lazy("Only about these components"),
        help_text=gettext_lazy("None chosen: about all of them."),
        to_field_name="code",
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    is_fixed = forms.BooleanField(label=gettext_lazy("This version for ever, with its SRI value"), required=False)
    sample = forms.ChoiceField(label=gettext_lazy("The preview shows"), choices=SAMPLES, required=False)

    def __init__(self, *args: Any, page: Page, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        components: Any = self.fields["components"]
        components.queryset = page.components.public().labelled().in_page_order()

    def chosen(self) -> dict[str, Any]:
        self.is_valid()
        found = self.cleaned_data
        return {
            "position": found.get("position") or "corner",
            "codes": ",".join(component.code for component in found.get("components") or ()),
            "is_fixed": bool(found.get("is_fixed")),
            "sample": found.get("sample") or Kind.INCIDENT.value,
        }


@dataclass(frozen=True)
class CopiedLine:
    """Something to copy. `key` is the id of its field on the screen."""

    key: str
    label: str
    text: str


def write_line(page: Page, chosen: dict[str, Any]) -> SafeString:
    """The banner's line of HTML with the options that are not what it does by itself."""
    body = banner_script.script()
    path = f"/embed.{banner_script.version_of(body)}.js" if chosen["is_fixed"] else "/embed.js"
    options = []
    if chosen["is_fixed"]:
        options += [("integrity", banner_script.integrity_of(body)), ("crossorigin", "anonymous")]
    if chosen["position"] != "corner":
        options.append(("data-position", chosen["position"]))
    if chosen["codes"]:
        options.append(("data-components", chosen["codes"]))
    written = format_html_join("", ' {}="{}"', options)
    return format_html('<script async src="{}"{}></script>', page.absolute_url(path), written)


def list_badges(page: Page) -> list[CopiedLine]:
    image, words = page.absolute_url("/badge.svg"), _("Status of %(name)s") % {"name": page.name}
    markup = format_html('<a href="{}"><img src="{}" alt="{}"></a>', page.url, image, words)
    in_markdown = words.replace("[", r"\[").replace("]", r"\]")
    return [
        CopiedLine("badge-markdown", _("Badge for Markdown"), f"[![{in_markdown}]({image})]({page.url})"),
        CopiedLine("badge-html", _("Badge for HTML"), markup),
    ]


def list_feeds(page: Page) -> list[CopiedLine]:
    return [
        CopiedLine(f"feed-{number}", str(label), page.absolute_url(path)) for number, (path, label) in enumerate(FEEDS)
    ]


def find_origin(request: HttpRequest, page: Page) -> str:
    """Where this browser reads the documents of `page`: "" for at the screen's own host, else the page's public address,
    because another page answers here."""
    return "" if Page.objects.for_host(request.get_host()) == page else page.url


@require_right("administer")
@require_GET
def show_lines(request: HttpRequest) -> HttpResponse:
    page = get_page(request)
    origin = find_origin(request, page)
    options = BannerOptions(request.GET, page=page, initial={"position": "corner"})
    line = write_line(page, options.chosen())
    context = {
        "title": _("Share"),
        "page": page,
        "form": options,
        "banner": CopiedLine("banner-line", _("The banner's line"), line),
        "preview": request.GET.urlencode(),
        "origin": origin,
        "badges": list_badges(page),
        "feeds": list_feeds(page),
        "is_asked": any(step.name == SetupStep.Name.BANNER for step in load_setup(page).left),
    }
    answer = render(request, "staff/settings/share.html", context)
    return _with_policy(answer, {"frame-src": [SELF], "img-src": [SELF, "data:", *_name_host(origin)]})


@xframe_options_sameorigin
@csp_replace({"frame-ancestors": [SELF]})
@require_right("administer")
@require_GET
def show_preview(request: HttpRequest) -> HttpResponse:
    """An empty page of somebody else's, with the banner in it, for the frame on the screen above."""
    page = get_page(request)
    origin = find_origin(request, page)
    context = BannerOptions(request.GET, page=page).chosen() | {"origin": origin}
    answer = render(request, "staff/settings/share_preview.html", context)
    return _with_policy(answer, {"connect-src": [SELF, *_name_host(origin)]})


def _with_policy(answer: HttpResponse, policy: dict[str, list[str]]) -> HttpResponse:
    """What csp_update does, for a policy that depends on the page."""
    answer._csp_update = policy  # type: ignore[attr-defined]
    return answer


def _name_host(url: str) -> list[str]:
    parts = urlsplit(url)
    return [f"{parts.scheme}://{parts.netloc}"] if url else []
