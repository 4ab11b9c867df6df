"""Settings: the components of a page as a tree. Works without script; script adds dragging (static/js/staff-tree.js)."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from components import tree
from components.adding import add_components, plan_addition
from components.effects import held_by_others, set_base_status
from components.models import Component, Group
from components.status import Status
from pages.models import Page
from pages.rights import require_right
from staff.chosen_page import get_page
from staff.lists import read_search
from staff.saving import doing, saving
from staff.settings.component_forms import ComponentForm, GroupForm, OutlineForm, SetStatusForm
from staff.settings.many_components import DEEDS, bring_back_components, matching_components
from staff.undo import offer_undo, undoes

STEPS = {"-1": -1, "1": 1}
GONE = (Component.DoesNotExist, Group.DoesNotExist)


@require_right("administer")
@require_GET
def show_tree(request: HttpRequest) -> HttpResponse:
    """As a tree, or what its search finds of it."""
    return render(request, "staff/settings/components.html", _context(get_page(request), read_search(request)))


def _context(page: Page, search: str = "") -> dict[str, Any]:
    branches = tree.load_tree(page)
    if search:
        found = set(matching_components(page, search).values_list("pk", flat=True))
        kept = [tree.Branch(each.group, [row for row in each.components if row.pk in found]) for each in branches]
        branches = [branch for branch in kept if branch.components]
    return {
        "title": _("Components"),
        "page": page,
        "search": search,
        "deeds": list(DEEDS.values()),
        "tree": branches,
        "archived": list(page.components.archived().select_related("group")),
    }


@require_right("administer")
@require_POST
def add(request: HttpRequest) -> HttpResponse:
    """One component or one group, by its name; the rest is on its own screen."""
    page = get_page(request)
    is_group = request.POST.get("kind") == "group"
    obj: Any = Group(page=page) if is_group else Component(page=page)
    form = (GroupForm if is_group else ComponentForm).named_only(obj, request.POST)
    if not form.is_valid():
        messages.error(request, str(form.errors["name"][0]))
        return redirect("components")
    with saving(request, form, obj, lambda made: made.page):
        obj.position = (page.groups if is_group else page.components).next_position()
        if not is_group:
            obj.group = page.groups.filter(code=request.POST.get("group", "")).first()
        form.save()
    messages.success(request, _("%(name)s was added.") % {"name": obj.name})
    return redirect("components")


@require_right("administer")
@require_http_methods(["GET", "POST"])
def paste(request: HttpRequest) -> HttpResponse:
    """Many at once: first what would be added, then the adding."""
    page = get_page(request)
    form = OutlineForm(request.POST or None)
    context = {"title": _("Add many components"), "page": page, "form": form}
    if request.method == "POST" and form.is_valid():
        if request.POST.get("action") == "add":
            return _add_many(request, page, form)
        context["plan"] = plan_addition(page, form.cleaned_data["outline"])
    status = 422 if form.is_bound and not form.is_valid() else 200
    return render(request, "staff/settings/components_paste.html", context, status=status)


def _add_many(request: HttpRequest, page: Page, form: OutlineForm) -> HttpResponse:
    with doing(
        request, page, "component.add_many", page.name, is_public=False
    ) as detail:  # adding raises the generation
        added = add_components(page, form.cleaned_data["outline"])
        detail |= {"groups": len(added.groups), "components": len(added.components)}
    count = len(added.components)
    messages.success(request, ngettext("%d component was added.", "%d components were added.", count) % count)
    return redirect("components")


@require_right("administer")
@require_http_methods(["GET", "POST"])
def change(request: HttpRequest, code: str) -> HttpResponse:
    """All that is set of one component."""
    component = get_object_or_404(Component.objects.select_related("page", "group"), code=code)
    form = ComponentForm(request.POST or None, instance=component)
    if _is_saved(request, form):
        return redirect("components")
    held = held_by_others([component]).get(component.pk)
    context = {
        "title": component.name if not form.is_bound else Component.objects.get(pk=component.pk).name,
        "component": component,
        "form": form,
        "status_form": SetStatusForm(initial={"base_status": component.base_status}),
        "shown": Status(component.status),
        "held_by": list(component.page.incidents.filter(code__in=held.causes)) if held else [],
    }
    return render(request, "staff/settings/component.html", context, status=422 if form.errors else 200)


@require_right("administer")
@require_POST
def set_status(request: HttpRequest, code: str) -> HttpResponse:
    """What a component shows while no incident says worse."""
    component = get_object_or_404(Component.objects.select_related("page", "group"), code=code)
    form = SetStatusForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose a status."))
        return redirect("component", code=code)
    status = Status(form.cleaned_data["base_status"])
    set_base_status(component, status, actor=request.user.get_username())
    words = _("%(name)s is set to “%(status)s” by hand.")
    messages.success(request, words % {"name": component.name, "status": status.label})
    return redirect("component", code=code)


@require_right("administer")
@require_http_methods(["GET", "POST"])
def change_group(request: HttpRequest, code: str) -> HttpResponse:
    group = get_object_or_404(Group.objects.select_related("page"), code=code)
    form = GroupForm(request.POST or None, instance=group)
    if _is_saved(request, form):
        return redirect("components")
    context = {"title": group.name, "group": group, "form": form}
    return render(request, "staff/settings/group.html", context, status=422 if form.errors else 200)


def _is_saved(request: HttpRequest, form: GroupForm | ComponentForm) -> bool:
    """Save what was posted, and say so; False where nothing was, or it is not valid."""
    if request.method != "POST" or not form.is_valid():
        return False
    with saving(request, form, form.instance, lambda it: it.page):
        form.save()
    messages.success(request, _("%(name)s was saved.") % {"name": form.instance.name})
    return True


# Moves


@require_right("administer")
@require_POST
def move(request: HttpRequest) -> HttpResponse:
    """Posts `move`: "component CODE -1" or "group CODE 1" for a step, as the buttons do; or `what` and `code` with
    `group` and `before`, as dragging does."""
    what, code, step = [*request.POST.get("move", "").split(), "", "", ""][:3]
    place = {name: request.POST.get(name, "") for name in ("group", "before")}
    what, code = what or request.POST.get("what", ""), code or request.POST.get("code", "")
    found = get_object_or_404((Group if what == "group" else Component).objects.select_related("page"), code=code)
    page = found.page
    try:
        with doing(request, page, f"{'group' if what == 'group' else 'component'}.move", str(found)) as detail:
            detail.update({"step": step} if step else place)
            if step in STEPS:
                (tree.step_group if what == "group" else tree.step_component)(page, code, STEPS[step])
            elif what == "group":
                tree.move_group(page, code, before=place["before"])
            else:
                tree.move_component(page, code, **place)
    except GONE:
        messages.error(request, _("Somebody removed it meanwhile; nothing was moved."))
    if request.headers.get("HX-Request"):
        return render(request, "staff/settings/_tree.html", _context(page) | {"moved": code})
    return redirect(f"{reverse('components')}#{code}")


@require_right("administer")
@require_http_methods(["GET", "POST"])
def rename(request: HttpRequest, what: str, code: str) -> HttpResponse:
    """The name's place in the tree: an input on GET, the new name after POST. Fragments, for htmx."""
    model: Any = Group if what == "group" else Component
    obj = get_object_or_404(model.objects.select_related("page"), code=code)
    form_class: Any = GroupForm if what == "group" else ComponentForm
    form = form_class.named_only(obj, request.POST or None)
    if request.method == "POST" and form.is_valid():
        with saving(request, form, obj, lambda it: it.page):
            form.save()
        form = None
    return render(request, "staff/settings/_name.html", {"each": obj, "what": what, "form": form})


# Removing


@require_right("administer")
@require_POST
def archive(request: HttpRequest, code: str) -> HttpResponse:
    """Out of sight, with its past kept; it can come back."""
    component = get_object_or_404(Component.objects.current().select_related("page", "group"), code=code)
    try:
        with doing(request, component.page, "component.archive", component.full_name) as detail:
            detail["code"] = code
            component.archive()
    except ValidationError as error:
        messages.error(request, error.messages[0])
        return redirect("component", code=code)
    words = _("%(name)s was archived.") % {"name": component.name}
    offer_undo(request, words, "components", page=component.page.code, codes=[code])
    return redirect("components")


@require_right("administer")
@require_POST
def restore(request: HttpRequest, code: str) -> HttpResponse:
    component = get_object_or_404(Component.objects.archived().select_related("page"), code=code)
    bring_back_components(request, {"page": component.page.code, "codes": [code]})
    messages.success(request, _("%(name)s is back.") % {"name": component.name})
    return redirect("components")


@require_right("administer")
@require_POST
def remove_group(request: HttpRequest, code: str) -> HttpResponse:
    """The group only: its components stay, outside groups."""
    group = get_object_or_404(Group.objects.select_related("page"), code=code)
    kept = {name: getattr(group, name) for name in ("code", "name", "description", "position")}
    with doing(request, group.page, "group.delete", group.name) as detail:
        detail["code"] = code
        members = list(group.components.values_list("code", flat=True))
        group.delete()
    words = _("The group %(name)s was removed; its components are outside groups now.") % {"name": group.name}
    offer_undo(request, words, "group", page=group.page.code, group=kept, members=members)
    return redirect("components")


@undoes("group")
def bring_back_group(request: HttpRequest, data: dict[str, Any]) -> str:
    """With those of its components that are in no other group by now."""
    page = Page.objects.filter(code=data["page"]).first()
    if page is None:
        raise LookupError(data["page"])
    with doing(request, page, "group.restore", data["group"]["name"]):
        group = Group.objects.create(page=page, **data["group"])
        page.components.filter(code__in=data["members"], group=None).update(group=group)
    return "components"
