"""The catalogue of the parts that staff screens are made of, for who develops them."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from pages.models import SetupStep
from pages.rights import require_right
from staff.part_examples import load_parts


@require_right("administer")
@require_GET
def show_parts(request: HttpRequest) -> HttpResponse:
    """With DEBUG, and while there is the demo page."""
    if not settings.DEBUG and not SetupStep.objects.filter(name=SetupStep.Name.DEMO).exists():
        raise Http404("The catalogue of parts is for development.")
    return render(request, "staff/parts.html", {"title": _("Parts"), "parts": load_parts()})
