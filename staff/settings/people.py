"""Settings: who may do what. People are invited by mail and set their own password."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from delivery.registry import warnings
from pages.models import record_audit, record_audits
from pages.rights import require_right
from staff.bulk import BulkDeed, do_to_many
from staff.changes import ShownValuesMixin
from staff.chosen_page import get_page
from staff.letters import invite
from staff.lists import paginate, read_search
from staff.saving import describe_changes
from staff.undo import offer_undo, undoes

# By group: what it lets a person do, in words.
RIGHTS = {
    "Publishers": gettext_lazy("Post updates and see what became of them"),
    "Administrators": gettext_lazy("Change everything, and post updates"),
}
SWITCH_OFF = BulkDeed(
    "switch_off",
    ticked=gettext_lazy("Switch the ticked off"),
    matching=gettext_lazy("Switch off all that match"),
    question=lambda count: ngettext("Switch %d person off?", "Switch %d people off?", count) % count,
    none=gettext_lazy("Tick who should be switched off. Nobody was."),
)


class PersonForm(ShownValuesMixin, forms.Form):
    """For a new person (`person` is None) and for one who is there, of whom it saves what was changed in it."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=150,
        help_text=gettext_lazy("They sign in with it, and it stands beside what they do."),
    )
    email = forms.EmailField(label=gettext_lazy("E-mail address"), max_length=254)
    rights = forms.ChoiceField(label=gettext_lazy("May"), choices=list(RIGHTS.items()), widget=forms.RadioSelect)

    def __init__(self, person: User | None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.person = person

    def clean_name(self) -> str:
        name: str = User.normalize_username(self.cleaned_data["name"])
        if self._others().filter(username__iexact=name).exists():
            raise forms.ValidationError(_("Somebody has this name already."))
        User.username_validator(name)
        return name

    def clean_email(self) -> str:
        address: str = User.objects.normalize_email(self.cleaned_data["email"])
        if self._others().filter(email__iexact=address).exists():
            raise forms.ValidationError(_("Somebody has this address already."))
        return address

    def _others(self) -> Any:
        return User.objects.exclude(pk=self.person.pk) if self.person else User.objects.all()

    @transaction.atomic
    def save(self, actor: str) -> User:
        """Stores and audits; of rights only that one of the two groups is theirs, other groups stay.

        Raises Http404 for a person who was deleted while the form was open.
        """
        fields, changed = self.cleaned_data, set(self.changed_data)
        if self.person is None:
            person = User(is_staff=True)
            person.set_unusable_password()
        else:
            person = get_object_or_404(User.objects.select_for_update(), pk=self.person.pk)
        if "name" in changed:
            person.username = fields["name"]
        if "email" in changed:
            person.email = fields["email"]
        person.save(update_fields=["username", "email"] if self.person else None)
        if "rights" in changed:
            person.groups.remove(*Group.objects.filter(name__in=RIGHTS).exclude(name=fields["rights"]))
            person.groups.add(Group.objects.get(name=fields["rights"]))
        deed = "user.change" if self.person else "user.add"
        changes = describe_changes(self, change=bool(self.person))
        record_audit(None, actor, deed, person.username, fields=changes)
        return person


@require_right("administer")
@require_GET
def show_people(request: HttpRequest) -> HttpResponse:
    search = read_search(request)
    people = paginate(request, _matching(search).prefetch_related("groups"))
    rows = [(person, describe_rights(person), is_within_reach(request, person)) for person in people]
    context = {"title": _("People"), "rows": rows, "people": people, "search": search, "deeds": [SWITCH_OFF]}
    return render(request, "staff/settings/people.html", context)


def _matching(search: str) -> QuerySet[User]:
    rows = User.objects.filter(is_staff=True).order_by("-is_active", "username")
    return rows.filter(Q(username__icontains=search) | Q(email__icontains=search)) if search else rows


def describe_rights(person: User) -> str:
    if person.is_superuser:
        return _("Everything, and the records of everybody")
    names = {group.name for group in person.groups.all()}
    return str(next((RIGHTS[name] for name in ("Administrators", "Publishers") if name in names), _("Nothing yet")))


def is_within_reach(request: HttpRequest, person: User) -> bool:
    """Only a superuser changes superusers; and nobody takes rights from themselves, lest nobody has them."""
    return person.pk != request.user.pk and (request.user.is_superuser or not person.is_superuser)


@require_right("administer")
@require_http_methods(["GET", "POST"])
def invite_person(request: HttpRequest) -> HttpResponse:
    page = get_page(request)
    form = PersonForm(None, request.POST or None)
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            person = form.save(request.user.get_username())
            invite(page, person)
        words = _("%(name)s was invited: a letter with a link is on its way to %(address)s.")
        messages.success(request, words % {"name": person.username, "address": person.email})
        return redirect("people")
    context = {"title": _("Invite somebody"), "form": form, "warnings": warnings(["email"])}
    return render(request, "staff/settings/person.html", context, status=422 if form.errors else 200)


@require_right("administer")
@require_http_methods(["GET", "POST"])
def change_person(request: HttpRequest, pk: int) -> HttpResponse:
    person = _get_person(request, pk)
    groups = set(person.groups.values_list("name", flat=True))
    rights = next((name for name in ("Administrators", "Publishers") if name in groups), "")
    initial = {"name": person.username, "email": person.email, "rights": rights}
    form = PersonForm(person, request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        form.save(request.user.get_username())
        messages.success(request, _("%(name)s was saved.") % {"name": form.cleaned_data["name"]})
        return redirect("people")
    context = {"title": initial["name"], "person": person, "form": form}
    return render(request, "staff/settings/person.html", context, status=422 if form.errors else 200)


@require_right("administer")
@require_POST
def invite_again(request: HttpRequest, pk: int) -> HttpResponse:
    person = _get_person(request, pk)
    if not person.email or not person.is_active:
        messages.error(request, _("%(name)s has no address to write to.") % {"name": person.username})
        return redirect("people")
    with transaction.atomic():
        invite(get_page(request), person)
        record_audit(None, request.user.get_username(), "user.invite", person.username)
    words = _("A new letter is on its way to %(address)s. The links of older ones still work until a password is set.")
    messages.success(request, words % {"address": person.email})
    return redirect("people")


@require_right("administer")
@require_POST
def switch_person(request: HttpRequest, pk: int) -> HttpResponse:
    """Let nobody in with this account, or let them in again. What they did stays under their name."""
    person = _get_person(request, pk)
    if request.POST.get("to") == "on":
        _switch(request, [person.pk], is_on=True)
        messages.success(request, _("%(name)s may sign in again.") % {"name": person.username})
    elif _switch(request, [person.pk], is_on=False):
        offer_undo(request, _("%(name)s may not sign in any more.") % {"name": person.username}, "people", people=[pk])
    return redirect("people")


@require_right("administer")
@require_POST
def switch_people_off(request: HttpRequest) -> HttpResponse:
    """Those whom this person may change; others that were ticked stay."""

    def do(rows: QuerySet[Any]) -> int:
        switched = _switch(request, list(rows.values_list("pk", flat=True)), is_on=False)
        count = len(switched)
        words = ngettext("%d person may not sign in any more.", "%d people may not sign in any more.", count) % count
        if switched:
            offer_undo(request, words, "people", people=switched)
        return count

    rows = _within_reach(request, _matching(read_search(request))).filter(is_active=True)
    return do_to_many(request, SWITCH_OFF, rows, "people", do)


@undoes("people")
def let_people_in_again(request: HttpRequest, data: dict[str, Any]) -> str:
    if not _switch(request, data["people"], is_on=True):
        raise LookupError(data["people"])
    return "people"


def _switch(request: HttpRequest, pks: list[int], *, is_on: bool) -> list[int]:
    """Returns those that were not so yet, and still may be changed by this person."""
    with transaction.atomic():
        rows = _within_reach(request, User.objects.filter(is_staff=True, pk__in=pks)).exclude(is_active=is_on)
        changed = list(rows.select_for_update().order_by("pk"))
        rows.update(is_active=is_on)
        names = [person.username for person in changed]
        record_audits(None, request.user.get_username(), "user.switch_on" if is_on else "user.switch_off", names)
    return [person.pk for person in changed]


def _within_reach(request: HttpRequest, people: QuerySet[User]) -> QuerySet[User]:
    """`is_within_reach` for many."""
    others = people.exclude(pk=request.user.pk or 0)
    return others if request.user.is_superuser else others.exclude(is_superuser=True)


def _get_person(request: HttpRequest, pk: int) -> User:
    """404 also for those whom this person may not change."""
    person = get_object_or_404(User, is_staff=True, pk=pk)
    if not is_within_reach(request, person):
        raise Http404
    return person
