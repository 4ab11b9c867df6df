"""Settings: takes components and the past over from a status page that exists, by its address; first as a preview."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from intake.page_import import ImportResult, import_into, read_page
from pages.models import Page
from pages.rights import require_right
from staff.chosen_page import get_page

SECONDS_EACH = 10.0
"""For each of the page's documents; there are four."""
LIMIT_BYTES = 5 * 1024 * 1024
"""The command takes larger ones: nobody waits for it in a browser."""
SHOWN_LOSSES = 20


class ImportForm(forms.Form):
    address = forms.URLField(
        label=gettext_lazy("Address of the page"),
        help_text=gettext_lazy(
            "A page of Statuspage, of this product, or of another that speaks the same public API. It is only read."
        ),
        assume_scheme="https",
        max_length=500,
        error_messages={"required": gettext_lazy("Write the address, such as https://status.example.com.")},
    )

    def clean_address(self) -> str:
        address: str = self.cleaned_data["address"]
        if not address.startswith(("http://", "https://")):
            raise ValidationError(_("Write an address that begins with https:// or http://."))
        return "/".join(address.split("/", 3)[:3])


@require_right("administer")
@require_http_methods(["GET", "POST"])
def import_page(request: HttpRequest) -> HttpResponse:
    """First what would be imported, then the import, which reads the page again: it may have changed."""
    page = get_page(request)
    form = ImportForm(request.POST or None)
    context: dict[str, Any] = {"title": _("Import a page"), "page": page, "form": form}
    if request.method == "POST" and form.is_valid():
        is_import = request.POST.get("action") == "import"
        result = _read_into(page, form, actor=request.user.get_username(), preview=not is_import)
        if is_import and result is not None and result.pages:
            messages.success(request, _("Imported from %(address)s.") % {"address": form.cleaned_data["address"]})
            return redirect("components")
        context |= describe(result)
    status = 422 if form.is_bound and not form.is_valid() else 200
    return render(request, "staff/settings/import_page.html", context, status=status)


def _read_into(page: Page, form: ImportForm, *, actor: str, preview: bool) -> ImportResult | None:
    """None, and an error at the field, when nothing could be read there."""
    documents, failures = read_page(form.cleaned_data["address"], timeout=SECONDS_EACH, limit_bytes=LIMIT_BYTES)
    if not documents:
        form.add_error("address", _("There is no page that can be read: %(reason)s") % {"reason": failures[0]})
        return None
    result = import_into(page, documents, actor=actor, preview=preview)
    result.failures = failures + result.failures
    if not result.pages:
        form.add_error("address", result.failures[0])
        return None
    return result


def describe(result: ImportResult | None) -> dict[str, Any]:
    """What the preview shows."""
    if result is None:
        return {}
    return {
        "result": result,
        "found": [
            (result.number(kind), result.number(kind, "new"), label)
            for kind, label in (
                ("group", _("Groups")),
                ("component", _("Components")),
                ("incident", _("Incidents")),
                ("maintenance", _("Maintenance")),
                ("update", _("Updates")),
            )
            if result.number(kind)
        ],
        "losses": sorted(result.losses)[:SHOWN_LOSSES],
        "more_losses": max(0, len(result.losses) - SHOWN_LOSSES),
        "has_changes": any(outcome != "unchanged" for (_kind, outcome) in result.counts),
    }
