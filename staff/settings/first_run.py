"""Setting a page up, step by step: what is done is seen from the data; each step can be left for later or left out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.crypto import constant_time_compare
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from core.sub_path import path_of, sub_path
from delivery.ledger.single_recipient import queue_staff_letter
from delivery.registry import warnings
from pages.models import Page, SetupStep
from pages.rights import require_right
from staff.chosen_page import chosen_page, get_page
from staff.letters import MAIL_CHECK, code_of
from staff.saving import doing

Name = SetupStep.Name


@dataclass(frozen=True)
class ListedStep:
    """`is_done` looks at the data; without it, only staff can say so. `view` is the screen where it is done."""

    name: str
    title: Promise
    why: Promise
    view: str
    is_done: Callable[[Page], bool] | None = None


def has_address(page: Page) -> bool:
    return bool(page.url)


def has_colleague(page: Page) -> bool:
    return User.objects.filter(is_staff=True, is_active=True).count() > 1


STEPS = (
    ListedStep("page", gettext_lazy("Name and address"), gettext_lazy("What visitors see first, and where they find it."), "page", has_address),
    ListedStep(
        "components",
        gettext_lazy("Components"),
        gettext_lazy("What your customers use: one a line is enough, or imported from a page that you have."),
        "components",
        lambda page: page.components.public().exists(),
    ),
    ListedStep(Name.COLLEAGUE, gettext_lazy("A colleague"), gettext_lazy("So that somebody can post while you sleep."), "person-invite", has_colleague),
    ListedStep(Name.MAIL, gettext_lazy("Mail that arrives"), gettext_lazy("We send you a number; you type it here."), "check-mail"),
    ListedStep(
        Name.CHANNEL,
        gettext_lazy("A channel"),
        gettext_lazy("Post where your customers and colleagues look already."),
        "channels",
        lambda page: any(account.is_connected for account in page.accounts.for_people()),
    ),
    ListedStep(Name.BANNER, gettext_lazy("The banner in your app"), gettext_lazy("One line of HTML shows an incident where people are."), "share"),
    ListedStep(Name.ADDRESS, gettext_lazy("Your own address, with TLS"), gettext_lazy("What we see of the way your browser came here."), "check-address"),
)  # fmt: skip


SAID_BY_STAFF = {step.name for step in STEPS} & set(Name.values)


@dataclass(frozen=True)
class Progress:
    step: ListedStep
    is_done: bool
    is_skipped: bool


@dataclass(frozen=True)
class Setup:
    """How far a page is; nothing is left to do on the demo page."""

    progress: list[Progress]
    is_demo: bool

    @property
    def left(self) -> list[ListedStep]:
        """The steps that are neither done nor left out."""
        open_steps = [each.step for each in self.progress if not each.is_done and not each.is_skipped]
        return [] if self.is_demo else open_steps

    @property
    def settled(self) -> int:
        return len(self.progress) - len(self.left)


def load_setup(page: Page | None) -> Setup:
    """Without a page, nothing is done yet."""
    told = {row.name: row.is_skipped for row in page.setup_steps.all()} if page else {}
    is_demo = Name.DEMO in told
    # Of the demo nobody needs to know what else is done.
    return Setup([] if is_demo else [_look_at(step, page, told) for step in STEPS], is_demo)


def _look_at(step: ListedStep, page: Page | None, told: dict[str, bool]) -> Progress:
    is_done = told.get(step.name) is False or bool(page and step.is_done and step.is_done(page))
    return Progress(step, is_done=is_done, is_skipped=not is_done and step.name in told)


@require_right("administer")
@require_GET
def show_steps(request: HttpRequest) -> HttpResponse:
    page = chosen_page(request)
    context = {"title": _("Set up"), "page": page, "setup": load_setup(page)}
    return render(request, "staff/settings/first_run.html", context)


@require_right("administer")
@require_POST
def finish_step(request: HttpRequest, name: str) -> HttpResponse:
    """Staff leave a step out ("skip"), or say that the banner is in place: nothing else is taken on their word."""
    page = get_page(request)
    is_skipped = request.POST.get("how") == "skip"
    if name in SAID_BY_STAFF and (is_skipped or name == Name.BANNER):
        _finish(request, page, name, is_skipped=is_skipped)
    return redirect("first-run")


def _finish(request: HttpRequest, page: Page, name: str, *, is_skipped: bool = False) -> None:
    with doing(request, page, "setup.skip" if is_skipped else "setup.finish", name, is_public=False):
        SetupStep.objects.update_or_create(page=page, name=name, defaults={"is_skipped": is_skipped})


@require_right("administer")
@require_http_methods(["GET", "POST"])
def check_mail(request: HttpRequest) -> HttpResponse:
    """A number goes to one's own address by the way that every mail takes; typed here, it proves that mail arrives."""
    page = get_page(request)
    address = request.user.email  # type: ignore[union-attr]  # signed in
    context: dict[str, Any] = {
        "title": _("Mail that arrives"),
        "page": page,
        "address": address,
        "warnings": warnings(["email"]),
    }
    status = 200
    if request.method == "POST" and request.POST.get("action") == "send" and address:
        notice = queue_staff_letter(page, MAIL_CHECK, address)
        context["notice"] = notice
    elif request.method == "POST":
        typed = "".join(filter(str.isdigit, request.POST.get("code", "")))
        if typed and constant_time_compare(typed, code_of(page, address)):
            _finish(request, page, Name.MAIL)
            messages.success(request, _("Mail arrives."))
            return redirect("first-run")
        context |= {"problem": _("That is not the number of the newest mail to this address."), "notice": None}
        status = 422
    return render(request, "staff/settings/check_mail.html", context, status=status)


@require_right("administer")
@require_http_methods(["GET", "POST"])
def check_address(request: HttpRequest) -> HttpResponse:
    """What this very request shows of host and TLS, beside what the page is set to."""
    page = get_page(request)
    came = f"{request.scheme}://{request.get_host()}{sub_path()}"
    wanted = urlsplit(page.url)
    findings = [
        (came == page.url, _("You came here by %(address)s.") % {"address": came}),
        (wanted.scheme == "https", _("The page's address begins with https.")),
        (wanted.hostname not in ("localhost", "127.0.0.1"), _("The page's address is one that others can reach.")),
    ]
    is_good = all(good for good, _words in findings)
    if request.method == "POST" and is_good:
        _finish(request, page, Name.ADDRESS)
        return redirect("first-run")
    here = page.absolute_url(path_of("check-address"))
    context = {"title": _("Your own address"), "page": page, "findings": findings, "is_good": is_good, "here": here}
    return render(request, "staff/settings/check_address.html", context)


@require_right("administer")
@require_http_methods(["GET", "POST"])
def leave_demo(request: HttpRequest) -> HttpResponse:
    """Delete the demo page with all that is on it, and begin with a page of one's own."""
    page = get_page(request)
    if not load_setup(page).is_demo:
        raise Http404("This page is no demo.")
    if request.method == "POST":
        with doing(request, None, "page.delete", page.name):
            page.delete()
        messages.success(request, _("The demo is gone. Make a page of your own."))
        return redirect("page")
    return render(request, "staff/settings/leave_demo.html", {"title": _("Leave the demo"), "page": page})
