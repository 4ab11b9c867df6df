"""Which page the settings are of, where an installation has several: the one this person chose last."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from pages.models import Page
from pages.rights import require_right

KEY = "staff-page"


def chosen_page(request: HttpRequest) -> Page | None:
    """The chosen page, else the first; None where there is no page yet."""
    pages = Page.objects.all()
    return pages.filter(code=request.session.get(KEY, "")).first() or pages.first()


def get_page(request: HttpRequest) -> Page:
    """The same for screens that need one. Raises Http404 where there is no page yet."""
    page = chosen_page(request)
    if page is None:
        raise Http404("There is no page yet.")
    return page


@require_right("publish")
@require_POST
def choose_page(request: HttpRequest) -> HttpResponse:
    request.session[KEY] = get_object_or_404(Page, code=request.POST.get("page", "")).code
    back = request.headers.get("Referer", "")
    is_ours = url_has_allowed_host_and_scheme(back, {request.get_host()})
    return redirect(back if is_ours else "overview")
