"""What people read: the front page, history, an incident's own page, and the answers to monitors."""

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import resolve

from public.edition import Rendered, published
from public.snapshot import Data


@published
def home(snapshot: Data) -> Rendered:
    return Rendered(render_to_string("public/home.html", {"page": snapshot["page"], "snapshot": snapshot}))


@published
def summary(snapshot: Data) -> Rendered:
    return Rendered(render_to_string("public/_summary.html", {"page": snapshot["page"], "snapshot": snapshot}))


def one_slash(request: HttpRequest, path: str) -> HttpResponse:
    """Answer //api/v2/summary.json as /api/v2/summary.json."""
    request.path_info = f"/{path}"
    match = resolve(request.path_info)
    return match.func(request, *match.args, **match.kwargs)
