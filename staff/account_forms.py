"""Accounts as staff set them up: the fields that a channel declares, whether it is connected, a test message."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.db import transaction
from django.db.models import Max
from django.forms.utils import pretty_name
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from delivery import registry
from delivery.contract import SecretField
from delivery.ledger import single_recipient
from delivery.models import Account, Delivery, Notice, Pause
from pages.models import record_audit
from staff.changes import ChangesForm

SECRET, OPTION = "secret_", "option_"  # prefixes of field names


def option_fields(kind: str) -> dict[str, forms.Field]:
    """Form fields of what a channel asks of its accounts. Secrets are written and never read: an empty field keeps
    what is stored, so none is required."""
    fields = registry.load(kind).Options.base_fields if kind in registry.CHANNELS else {}
    asked: dict[str, forms.Field] = {}
    for name, declared in fields.items():
        field: forms.Field = copy.deepcopy(declared)
        field.label = field.label or pretty_name(name)
        if isinstance(field, SecretField):
            field.required = False
            asked[f"{SECRET}{name}"] = field
        else:
            asked[f"{OPTION}{name}"] = field
    return asked


class AccountForm(ChangesForm):
    """With the fields of the account's channel."""

    derived = ("credentials", "options", "refusal")
    disconnect = forms.BooleanField(required=False, help_text=gettext_lazy("Forget the stored credentials."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "name" in self.fields:
            self.fields["name"].label = _("Name")
        if "channel" in self.fields:
            kinds = registry.account_kinds()
            self.fields["channel"].widget = forms.Select(
                choices=[each for each in registry.choices() if each[0] in kinds]
            )
            self.fields["channel"].initial = kinds[0]
        for name, field in self.fields.items():
            if name.startswith(OPTION):
                self.initial[name] = self.instance.option(name.removeprefix(OPTION))
            elif name.startswith(SECRET) and self.instance.credentials.get(name.removeprefix(SECRET)):
                field.help_text = _("Stored. Leave empty to keep it.")

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        page = self.instance.page_id or getattr(self.cleaned_data.get("page"), "pk", None)
        channel = self.instance.channel or self.cleaned_data.get("channel", "")
        others = Account.objects.filter(page=page, channel=channel, name=name).exclude(pk=self.instance.pk)
        if others.exists():
            raise forms.ValidationError(_("There is an account of this name already. Choose another name."))
        return name

    def clean(self) -> dict[str, Any]:
        """Secrets that are stored go to no other server than before unless they are written again: who can change
        an address must not come to read them so."""
        given = super().clean() or self.cleaned_data
        if self.instance.credentials and not given.get("disconnect") and not any(self._given(SECRET).values()):
            for name, field in self.fields.items():
                if isinstance(field, forms.URLField) and _host(self.initial.get(name)) != _host(given.get(name)):
                    self.add_error(name, _("Write the credentials again: they would go to another server."))
        return given

    def save(self, commit: bool = True) -> Account:  # noqa: FBT001, FBT002 (Django's)
        account = self.instance
        if self.cleaned_data.get("disconnect"):
            account.credentials = {}
        written = {name: value.strip() for name, value in self._given(SECRET).items() if value}
        account.credentials = account.credentials | written
        account.options = account.options | self._given(OPTION)
        if written or self.cleaned_data.get("disconnect"):  # the same keys again: perhaps they are taken by now
            account.refusal = ""
            if account.is_connected:
                account.refusal = registry.load(account.channel).verify(account)[:255]
        return super().save(commit)

    def _given(self, prefix: str) -> dict[str, Any]:
        return {
            name.removeprefix(prefix): value for name, value in self.cleaned_data.items() if name.startswith(prefix)
        }


def _host(address: Any) -> tuple[str, str]:
    """Scheme, and host with its port."""
    parts = urlsplit(str(address or ""))
    return parts.scheme, parts.netloc.lower()


def account_form(kind: str) -> type[AccountForm]:
    """The form for an account of this channel, with all that the channel asks."""
    return type("AccountForm", (AccountForm,), dict(option_fields(kind)))


def secret_names() -> frozenset[str]:
    """The fields of all channels' forms whose values must not enter the audit log."""
    return frozenset(
        name for kind in registry.account_kinds() for name in option_fields(kind) if name.startswith(SECRET)
    )


def send_test(request: HttpRequest, account: Account) -> Notice | None:
    """Queue a test message; None for an account that is switched off or not connected."""
    if not account.enabled or not account.is_connected:
        return None
    with transaction.atomic():
        notice = single_recipient.send_test_message(account)
        record_audit(account.page, request.user.get_username(), "account.test", str(account))
    return notice


def end_pause(account: Account, form: AccountForm) -> None:
    """Changed credentials deserve a new try at once, unless the other side has just refused them."""
    is_changed = any(name.startswith(SECRET) or name == "disconnect" for name in form.changed_data)
    if is_changed and not account.refusal:
        Pause.objects.filter(key=account.address).delete()


def describe_connections(accounts: Sequence[Account]) -> list[str]:
    """Of each account in a few words whether messages get through. Two queries."""
    pauses = {pause.key: pause for pause in Pause.objects.filter(key__in=[account.address for account in accounts])}
    posted = Delivery.objects.filter(account__in=accounts, state=Delivery.State.SENT)
    last = dict(posted.order_by().values_list("account").annotate(last=Max("sent_at")))
    return [_describe_connection(each, pauses.get(each.address), last.get(each.pk)) for each in accounts]


def _describe_connection(account: Account, pause: Pause | None, posted: datetime | None) -> str:
    if not account.is_connected:
        return _("not connected: %(reason)s") % {"reason": account.refusal} if account.refusal else _("not connected")
    if pause:
        return _("paused: %(reason)s") % {"reason": pause.reason}
    if posted is None:
        return _("credentials stored, no post has got through yet")
    return _("connected, last post %(time)s") % {"time": f"{timezone.localtime(posted):%Y-%m-%d %H:%M %Z}"}
