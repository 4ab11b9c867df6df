"""Settings: prepared words for a kind of trouble."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from incidents.models import Kind, Template
from incidents.phases import PHASES
from pages.models import Page, record_audits
from pages.rights import require_right
from staff.bulk import BulkDeed, do_to_many
from staff.changes import ChangesForm
from staff.chosen_page import get_page
from staff.lists import paginate, read_search
from staff.saving import saving
from staff.undo import offer_undo, undoes

NONE_YET = gettext_lazy(
    "No words are prepared yet. At three in the morning, a template saves writing: "
    "prepare one for each thing that has broken before."
)


class TemplateForm(ChangesForm):
    class Meta:
        model = Template
        fields = ("name", "title", "status", "body", "components")
        widgets = {"components": forms.CheckboxSelectMultiple, "body": forms.Textarea(attrs={"rows": 6})}
        labels = {
            "title": gettext_lazy("Title of the incident"),
            "status": gettext_lazy("Status"),
            "body": gettext_lazy("Message"),
            "components": gettext_lazy("Components it touches"),
        }
        help_texts = {
            "name": gettext_lazy("How you find it while posting."),
            "body": gettext_lazy("Filled in as it stands, to be changed before it is posted. Markdown works."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        phases = [(phase.value, phase.label) for phase in PHASES[Kind(self.instance.kind)]]
        self.fields["status"] = forms.ChoiceField(
            label=gettext_lazy("Status"), choices=[("", _("The likely next one")), *phases], required=False
        )
        chosen: Any = self.fields["components"]
        chosen.queryset = self.instance.page.components.current().labelled().in_page_order()


REMOVE = BulkDeed(
    "remove",
    ticked=gettext_lazy("Remove the ticked"),
    matching=gettext_lazy("Remove all that match"),
    question=lambda count: ngettext("Remove %d template?", "Remove %d templates?", count) % count,
    none=gettext_lazy("Tick the templates to remove. None was."),
)


@require_right("administer")
@require_GET
def show_templates(request: HttpRequest) -> HttpResponse:
    page, search = get_page(request), read_search(request)
    context = {
        "title": _("Templates"),
        "page": page,
        "search": search,
        "rows": paginate(request, _matching(page, search)),
        "deeds": [REMOVE],
        "empty": _("Nothing is like that.") if search else NONE_YET,
    }
    return render(request, "staff/settings/templates.html", context)


def _matching(page: Page, search: str) -> QuerySet[Template]:
    rows = page.templates.order_by("kind", "name", "pk")
    found = Q(name__icontains=search) | Q(title__icontains=search) | Q(body__icontains=search)
    return rows.filter(found) if search else rows


@require_right("administer")
@require_http_methods(["GET", "POST"])
def add_template(request: HttpRequest, kind: str) -> HttpResponse:
    kind = kind if kind in Kind.values else Kind.INCIDENT.value
    return _edit(request, Template(page=get_page(request), kind=kind), _("New template"))


@require_right("administer")
@require_http_methods(["GET", "POST"])
def change_template(request: HttpRequest, pk: int) -> HttpResponse:
    template = get_object_or_404(Template.objects.select_related("page"), pk=pk)
    return _edit(request, template, template.name)


def _edit(request: HttpRequest, template: Template, title: str) -> HttpResponse:
    form = TemplateForm(request.POST or None, instance=template)
    if request.method == "POST" and form.is_valid():
        with saving(request, form, template, lambda it: it.page, is_public=False):
            form.save()
        messages.success(request, _("%(name)s was saved.") % {"name": template.name})
        return redirect("templates")
    context = {"title": title, "template": template, "form": form}
    return render(request, "staff/settings/template.html", context, status=422 if form.errors else 200)


@require_right("administer")
@require_POST
def remove_template(request: HttpRequest, pk: int) -> HttpResponse:
    template = get_object_or_404(Template.objects.select_related("page"), pk=pk)
    _remove(request, template.page, Template.objects.filter(pk=pk))
    return redirect("templates")


@require_right("administer")
@require_POST
def remove_templates(request: HttpRequest) -> HttpResponse:
    page = get_page(request)
    rows = _matching(page, read_search(request))
    return do_to_many(request, REMOVE, rows, "templates", lambda chosen: _remove(request, page, chosen))


def _remove(request: HttpRequest, page: Page, rows: QuerySet[Template]) -> int:
    """Returns how many there were to remove."""
    with transaction.atomic():
        found = list(rows.prefetch_related("components"))
        kept = [_keep(template) for template in found]
        Template.objects.filter(pk__in=[template.pk for template in found]).delete()
        names = [template.name for template in found]
        record_audits(page, request.user.get_username(), "template.delete", names)
    if len(names) == 1:
        offer_undo(
            request,
            _("The template %(name)s was removed.") % {"name": names[0]},
            "templates",
            page=page.code,
            kept=kept,
        )
    elif names:
        words = ngettext("%d template was removed.", "%d templates were removed.", len(names)) % len(names)
        offer_undo(request, words, "templates", page=page.code, kept=kept)
    return len(names)


def _keep(template: Template) -> dict[str, Any]:
    fields = {name: getattr(template, name) for name in ("kind", "name", "title", "status", "body")}
    return {"fields": fields, "components": [component.code for component in template.components.all()]}


@undoes("templates")
def bring_back_templates(request: HttpRequest, data: dict[str, Any]) -> str:
    page = Page.objects.filter(code=data["page"]).first()
    if page is None:
        raise LookupError(data["page"])
    with transaction.atomic():
        for kept in data["kept"]:
            template = Template.objects.create(page=page, **kept["fields"])
            template.components.set(page.components.filter(code__in=kept["components"]))
        names = [kept["fields"]["name"] for kept in data["kept"]]
        record_audits(page, request.user.get_username(), "template.restore", names)
    return "templates"
