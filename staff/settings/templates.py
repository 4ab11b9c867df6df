"""Settings: prepared words for a kind of trouble."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from incidents.models import Kind, Template
from incidents.phases import PHASES
from pages.models import Page
from pages.rights import require_right
from staff.changes import ChangesForm
from staff.chosen_page import get_page
from staff.saving import doing, saving
from staff.undo import offer_undo, undoes


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


@require_right("administer")
@require_GET
def show_templates(request: HttpRequest) -> HttpResponse:
    page = get_page(request)
    context = {"title": _("Templates"), "page": page, "rows": list(page.templates.order_by("kind", "name"))}
    return render(request, "staff/settings/templates.html", context)


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
    kept = {name: getattr(template, name) for name in ("kind", "name", "title", "status", "body")}
    components = list(template.components.values_list("code", flat=True))
    with doing(request, template.page, "template.delete", template.name, is_public=False):
        template.delete()
    words = _("The template %(name)s was removed.") % {"name": template.name}
    offer_undo(request, words, "template", page=template.page.code, template=kept, components=components)
    return redirect("templates")


@undoes("template")
def bring_back_template(request: HttpRequest, data: dict[str, Any]) -> str:
    page = Page.objects.filter(code=data["page"]).first()
    if page is None:
        raise LookupError(data["page"])
    with doing(request, page, "template.restore", data["template"]["name"], is_public=False):
        template = Template.objects.create(page=page, **data["template"])
        template.components.set(page.components.filter(code__in=data["components"]))
    return "templates"
