"""Which page the settings are of, where an installation has several: the one this person chose last.

A form says itself which page it is of (`{% page_field %}`): another may have been chosen in another tab meanwhile.
"""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from pages.models import Page
from pages.rights import require_right

CHOSEN_PAGE_KEY = "staff-page"
PAGE_FIELD = "of_page"


def choose_for(request: HttpRequest, page: Page) -> None:
    request.session[CHOSEN_PAGE_KEY] = page.code


def chosen_page(request: HttpRequest) -> Page | None:
    """The page that a posted form is of, else the chosen one, else the first; None where there is no page yet.

    Raises Http404 for a form of a page that somebody deleted.
    """
    pages = Page.objects.all()
    if PAGE_FIELD in request.POST:
        return get_object_or_404(pages, code=request.POST[PAGE_FIELD])
    code = request.session.get(CHOSEN_PAGE_KEY)
    return (pages.filter(code=code).first() if code else None) or pages.first()


def get_page(request: HttpRequest) -> Page:
    """The same for screens that need one. Raises Http404 where there is no page yet."""
    page = chosen_page(request)
    if page is None:
        raise Http404("There is no page yet.")
    return page


@require_right("publish", "administer")
@require_POST
def choose_page(request: HttpRequest) -> HttpResponse:
    choose_for(request, get_object_or_404(Page, code=request.POST.get("page", "")))
    back = request.headers.get("Referer", "")
    is_ours = url_has_allowed_host_and_scheme(back, {request.get_host()})
    return redirect(back if is_ours else "overview")
