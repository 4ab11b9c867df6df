"""Settings: the accounts that updates are posted on, and how each channel fares."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.forms import modelform_factory
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from delivery import registry
from delivery.models import Account, Notice, Pause
from pages.models import Page
from pages.rights import require_right
from staff.account_forms import account_form, describe_connections, end_pause, secret_names, send_test
from staff.chosen_page import get_page
from staff.saving import doing, saving


@require_right("administer")
@require_GET
def show_channels(request: HttpRequest) -> HttpResponse:
    page = get_page(request)
    accounts = list(page.accounts.filter(audience=Notice.Audience.PAGE).order_by("channel", "name"))
    context = {
        "title": _("Channels"),
        "page": page,
        "accounts": list(zip(accounts, describe_connections(accounts), strict=True)),
        "people": [
            (
                registry.label_of(kind),
                page.subscribers.active().filter(channel=kind).count(),
                registry.load(kind).warning(),
            )
            for kind in registry.subscriber_kinds()
        ],
        "kinds": [(kind, registry.label_of(kind)) for kind in registry.account_kinds()],
        "pauses": list(Pause.objects.filter(key__in=registry.CHANNELS)),
    }
    return render(request, "staff/settings/channels.html", context)


@require_right("administer")
@require_http_methods(["GET", "POST"])
def add_account(request: HttpRequest, kind: str) -> HttpResponse:
    if kind not in registry.account_kinds():
        raise Http404(kind)
    account = Account(page=get_page(request), channel=kind)
    return _edit(request, account, _("Connect %(channel)s") % {"channel": registry.label_of(kind)})


@require_right("administer")
@require_http_methods(["GET", "POST"])
def change_account(request: HttpRequest, pk: int) -> HttpResponse:
    account = _get_account(pk)
    return _edit(request, account, account.name)


def _edit(request: HttpRequest, account: Account, title: str) -> HttpResponse:
    is_new = account.pk is None
    fields = ("name",) if is_new else ("name", "enabled")
    form: Any = modelform_factory(Account, form=account_form(account.channel), fields=fields)(
        request.POST or None, instance=account
    )
    if is_new:
        del form.fields["disconnect"]
    if request.method == "POST" and form.is_valid():
        with saving(request, form, account, _page_of, is_public=False, secrets=secret_names()):
            form.save()
            end_pause(account, form)
        _say_how_it_stands(request, account)
        return redirect("account", pk=account.pk)
    context = {
        "title": title,
        "account": account,
        "form": form,
        "channel": registry.label_of(account.channel),
        "connection": "" if is_new else describe_connections([account])[0],
    }
    return render(request, "staff/settings/account.html", context, status=422 if form.errors else 200)


def _page_of(account: Account) -> Page:
    return account.page


def _say_how_it_stands(request: HttpRequest, account: Account) -> None:
    if account.refusal:
        words = _("%(name)s is not connected: %(reason)s")
        messages.error(request, words % {"name": account.name, "reason": account.refusal})
    elif not account.is_connected:
        words = _("%(name)s was saved. It is not connected before its credentials are filled in.")
        messages.warning(request, words % {"name": account.name})
    else:
        messages.success(
            request, _("%(name)s is connected. Send a test to see that messages arrive.") % {"name": account.name}
        )


@require_right("administer")
@require_POST
def test_account(request: HttpRequest, pk: int) -> HttpResponse:
    """Leads to the receipt, which shows what becomes of it."""
    account = _get_account(pk)
    notice = send_test(request, account)
    if notice is None:
        messages.error(request, _("%(name)s is switched off or not connected.") % {"name": account.name})
        return redirect("account", pk=pk)
    return redirect("receipt", code=notice.code)


@require_right("administer")
@require_POST
def switch_account(request: HttpRequest, pk: int) -> HttpResponse:
    """To "on" or "off". What is posted meanwhile is not told there later."""
    account = _get_account(pk)
    is_on = request.POST.get("to") == "on"
    with doing(request, account.page, "account.change", account.name, is_public=False) as detail:
        changed = Account.objects.filter(pk=pk).exclude(enabled=is_on).update(enabled=is_on)
        detail["fields"] = {"enabled": [str(not is_on), str(is_on)]} if changed else {}
    words = _("%(name)s is switched on.") if is_on else _("%(name)s is switched off: updates are not posted there.")
    messages.success(request, words % {"name": account.name})
    return redirect("channels")


def _get_account(pk: int) -> Account:
    """The canary's own accounts are made by settings, not here."""
    rows = Account.objects.filter(audience=Notice.Audience.PAGE).select_related("page")
    return get_object_or_404(rows, pk=pk)
