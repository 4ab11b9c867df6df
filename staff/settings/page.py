"""Settings: what a page is called, where it is, and what it says."""

from __future__ import annotations

from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from pages.models import Page, zone_title
from pages.rights import require_right
from staff.changes import ChangesForm
from staff.chosen_page import choose_for, chosen_page
from staff.saving import saving


def zone_choices() -> list[tuple[str, str]]:
    """Every zone, as people write it."""
    return sorted(((name, zone_title(name)) for name in available_timezones()), key=lambda each: each[1])


class PageForm(ChangesForm):
    time_zone = forms.ChoiceField(
        label=gettext_lazy("Time zone"),
        choices=zone_choices,
        widget=forms.Select(attrs={"translate": "no"}),
        help_text=gettext_lazy("Of the times on the page, in mails and feeds. Its days are the days of uptime."),
    )

    class Meta:
        model = Page
        fields = ("name", "url", "about", "support_url", "time_zone", "maintenance_notice_hours")
        labels = {
            "name": gettext_lazy("Name"),
            "url": gettext_lazy("Address"),
            "about": gettext_lazy("About"),
            "support_url": gettext_lazy("Where visitors get help"),
            "maintenance_notice_hours": gettext_lazy("Announce maintenance on the banner (hours before)"),
        }
        help_texts = {
            "url": gettext_lazy("Where visitors find the page. Links in mails and feeds begin with it."),
            "about": gettext_lazy("One sentence below the name."),
            "support_url": gettext_lazy("An address at the foot of the page; mailto: works too."),
            "maintenance_notice_hours": "",
        }
        error_messages = {"name": {"required": gettext_lazy("Write a name.")}}


@require_right("administer")
@require_http_methods(["GET", "POST"])
def change_page(request: HttpRequest) -> HttpResponse:
    """The chosen page; the first one where there is none yet."""
    page = chosen_page(request)
    if page is None:
        return add_page(request)
    return _edit(request, page, _("Page"))


@require_right("administer")
@require_http_methods(["GET", "POST"])
def add_page(request: HttpRequest) -> HttpResponse:
    is_first = not Page.objects.exists()
    url = settings.PUBLIC_URL or f"http://localhost:{settings.PORT}" if is_first else ""
    return _edit(request, Page(url=url), _("The first page") if is_first else _("Another page"))


def _edit(request: HttpRequest, page: Page, title: str) -> HttpResponse:
    is_new = page.pk is None
    form = PageForm(request.POST or None, instance=page)
    if request.method == "POST" and form.is_valid():
        with saving(request, form, page, lambda it: it):
            form.save()
        choose_for(request, page)
        messages.success(request, _("%(name)s was saved.") % {"name": page.name})
        return redirect("overview" if is_new else "page")
    context = {"title": title, "page": page, "form": form, "is_new": is_new}
    return render(request, "staff/settings/page.html", context, status=422 if form.errors else 200)
