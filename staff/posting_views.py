"""The posting screen. Works without JavaScript; with it, htmx asks for the fragments at their own addresses."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from core.markdown import render_markdown
from core.text import BODY_LIMIT
from delivery.models import Notice
from incidents.models import Draft, Incident, Kind, StaleUpdateError, Template, Update
from pages.models import Page, record_audit
from pages.rights import require_right
from staff.posting import PostForm, apply_template, read_number, typed_fields
from staff.undo import offer_undo, undoes

log = logging.getLogger(__name__)
View = Callable[..., HttpResponse]


def keeps_text(view: View) -> View:
    """A database that fails while staff post costs them no word: the page that says so holds all they typed.

    Outermost, for signing in needs the database too. The page needs none, and shows nobody anything
    but what their own browser has just sent.
    """

    @wraps(view)
    def kept(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except DatabaseError:
            if request.method != "POST":
                raise
            log.exception("the database failed while staff posted")
            fields = [(name, value) for name, value in request.POST.items() if name != "csrfmiddlewaretoken"]
            context = {"fields": fields, "body": request.POST.get("body", "")}
            return render(request, "staff/not_posted.html", context, status=503)

    return kept


@keeps_text
@require_right("publish")
@require_http_methods(["GET", "POST"])
def post(request: HttpRequest, code: str | None = None) -> HttpResponse:
    """A new incident at /staff/post/, the next update of one at /staff/post/<code>/."""
    incident = _get_incident(code) if code else None
    page = incident.page if incident else _get_page(request)
    if page is None:
        return _choose_page(request)
    with timezone.override(page.zone):
        if request.method == "POST":
            return _take(request, page, incident)
        draft = _get_draft(request.GET.get("draft"), page, incident)
        kind = draft.fields.get("kind", "") if draft else request.GET.get("kind", "")
        form = PostForm(page, incident, _kind(kind), initial=dict(draft.fields) if draft else {})
        return _show(request, form, draft=draft)


def _take(request: HttpRequest, page: Page, incident: Incident | None) -> HttpResponse:
    """What a press of one of the form's buttons does."""
    action = request.POST.get("action", "post")
    if action == "draft":
        return _keep_draft(request, page, incident)
    if action != "post":  # without JavaScript: another kind, a template, the preview
        return _show(request, _build_form(request, page, incident))
    form = PostForm(page, incident, _kind(request.POST.get("kind", "")), request.POST)
    if not form.is_valid():
        return _show(request, form, status=422)
    draft = _get_draft(request.POST.get("draft"), page, incident)
    try:
        with transaction.atomic():
            update = form.post(actor=request.user.get_username())
            if draft:
                draft.delete()
    except StaleUpdateError as error:
        return _show_stale(request, page, incident, error)
    except ValidationError as error:
        form.absorb(error)
        return _show(request, form, status=422)
    return _after_posting(request, update)


def _after_posting(request: HttpRequest, update: Update) -> HttpResponse:
    if Notice.objects.filter(code=update.code).exists():
        return redirect("receipt", code=update.code)
    messages.success(request, _("Posted. Nobody was notified, as you chose."))
    return redirect("post-update", code=update.incident.code)


def _show_stale(request: HttpRequest, page: Page, incident: Incident | None, error: StaleUpdateError) -> HttpResponse:
    """What was typed, beside what the others posted meanwhile; a second press posts."""
    typed = typed_fields(request.POST) | {"seen": error.newer[-1].code, "token": ""}  # a token of its own, too
    form = PostForm(page, incident, _kind(request.POST.get("kind", "")), initial=typed)
    return _show(request, form, status=409, newer=error.newer)


def _keep_draft(request: HttpRequest, page: Page, incident: Incident | None) -> HttpResponse:
    typed = typed_fields(request.POST) | {"kind": _kind(request.POST.get("kind", ""))}
    for name in ("token", "seen"):  # taken anew when it is opened again
        typed.pop(name, None)
    draft = _get_draft(request.POST.get("draft"), page, incident) or Draft(page=page, incident=incident)
    draft.author, draft.fields = request.user, typed  # type: ignore[assignment]
    draft.save()
    messages.success(request, _("Kept as a draft: %(draft)s. Nobody but staff can see it.") % {"draft": draft})
    return redirect("overview")


@keeps_text
@require_right("publish")
@require_POST
def delete_draft(request: HttpRequest, pk: int) -> HttpResponse:
    draft = get_object_or_404(Draft.objects.select_related("page", "incident", "author"), pk=pk)
    with transaction.atomic():
        actor, author = request.user.get_username(), draft.author.get_username()
        record_audit(draft.page, actor, "draft.delete", str(draft), author=author, fields=draft.fields)
        kept = {"incident_id": draft.incident_id, "author_id": draft.author_id, "fields": draft.fields}
        draft.delete()
    offer_undo(request, _("The draft “%(name)s” was deleted.") % {"name": draft}, "draft", page=draft.page.code, **kept)
    return redirect("overview")


@undoes("draft", "publish")
def bring_back_draft(request: HttpRequest, data: dict[str, Any]) -> str:
    page = Page.objects.filter(code=data.pop("page")).first()
    is_there = data["incident_id"] is None or Incident.objects.filter(pk=data["incident_id"]).exists()
    if page is None or not is_there or not User.objects.filter(pk=data["author_id"]).exists():
        raise LookupError(data)
    with transaction.atomic():
        draft = Draft.objects.create(page=page, **data)
        record_audit(page, request.user.get_username(), "draft.restore", str(draft))
    return "overview"


# Fragments of the form, for htmx


@require_right("publish")
@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    return render(request, "staff/_preview.html", {"preview": _preview(request.POST.get("body", ""))})


@require_right("publish")
@require_POST
def fields(request: HttpRequest) -> HttpResponse:
    return _fragment(request, "staff/_fields.html")


@require_right("publish")
@require_POST
def grid(request: HttpRequest) -> HttpResponse:
    return _fragment(request, "staff/_grid.html")


@require_right("publish")
@require_POST
def audience(request: HttpRequest) -> HttpResponse:
    return _fragment(request, "staff/_audience.html")


def _fragment(request: HttpRequest, template: str) -> HttpResponse:
    code = request.POST.get("incident")
    incident = _get_incident(code) if code else None
    page = incident.page if incident else _get_page(request)
    if page is None:
        raise Http404
    with timezone.override(page.zone):
        return render(request, template, _context(_build_form(request, page, incident)))


def _build_form(request: HttpRequest, page: Page, incident: Incident | None) -> PostForm:
    """The form as typed, with a template's words when one was chosen just now; checks nothing."""
    typed = typed_fields(request.POST)
    kind = _kind(request.POST.get("kind", ""))
    chosen = request.POST.get("template", "")
    if chosen and chosen != typed.get("applied"):
        template = Template.objects.filter(page=page, kind=kind, pk=read_number(chosen)).first()
        typed = apply_template(typed, template) if template else typed
    return PostForm(page, incident, kind, initial=typed)


def _show(request: HttpRequest, form: PostForm, *, status: int = 200, **more: Any) -> HttpResponse:
    context = _context(form) | more
    return render(request, "staff/post.html", context, status=status)


def _context(form: PostForm) -> dict[str, Any]:
    return {
        "form": form,
        "title": form.incident.name if form.incident else _("Post an update"),
        "page": form.page,
        "incident": form.incident,
        "kind": form.kind,
        "preview": _preview(form["body"].value() or ""),
    }


def _preview(body: str) -> str:
    """No more than can be posted: what is longer may take many seconds."""
    return render_markdown(body[:BODY_LIMIT])


def _choose_page(request: HttpRequest) -> HttpResponse:
    context = {"title": _("Which page?"), "pages": Page.objects.all()}
    return render(request, "staff/choose_page.html", context)


def _get_page(request: HttpRequest) -> Page | None:
    """The page that was named, or the only one there is; None when staff must choose."""
    named = request.POST.get("page") or request.GET.get("page")
    if named:
        return get_object_or_404(Page, code=named)
    pages = list(Page.objects.all()[:2])
    return pages[0] if len(pages) == 1 else None


def _get_incident(code: str) -> Incident:
    return get_object_or_404(Incident.objects.select_related("page"), code=code)


def _get_draft(pk: str | None, page: Page, incident: Incident | None) -> Draft | None:
    """None also for a draft that a colleague has posted or deleted meanwhile."""
    return Draft.objects.filter(pk=read_number(pk), page=page, incident=incident).first()


def _kind(name: str) -> str:
    return name if name in Kind.values else Kind.INCIDENT.value
