"""Sentences for staff about paused channels and accounts: since when, why, and when they are tried again."""

from collections.abc import Iterable

from django.utils import timezone
from django.utils.translation import gettext as _

from delivery import registry
from delivery.models import Account, Pause
from pages.models import Page


def paused() -> list[str]:
    """A sentence for each paused channel or account: since when, and why."""
    return [describe(pause) for pause in Pause.objects.order_by("since")]


def describe(pause: Pause) -> str:
    """Such as “E-mail is paused since 02:10 UTC: the SMTP server does not answer”."""
    return _("%(name)s is paused since %(time)s: %(reason)s") % {
        "name": _name(pause.key),
        "time": f"{timezone.localtime(pause.since):%H:%M %Z}",
        "reason": pause.reason,
    }


def what_follows(pause: Pause) -> str:
    """When a paused channel or account is tried again, in the server's time zone."""
    at = timezone.localtime(pause.probe_at)
    if pause.probe_at <= timezone.now():
        return _("Nobody is forgotten: it is tried again by itself, now.")
    return _("Nobody is forgotten: it is tried again by itself, next at %(time)s.") % {"time": f"{at:%H:%M:%S %Z}"}


def explain(pauses: Iterable[Pause]) -> list[str]:
    """For each pause, what is paused and when it is tried again."""
    return [f"{describe(pause).rstrip('.')}. {what_follows(pause)}" for pause in pauses]


def pauses_of(page: Page) -> list[Pause]:
    """The pauses that delay a page's updates: those of channels, and those of the page's accounts."""
    accounts = [account.address for account in page.accounts.for_people()]
    return list(Pause.objects.filter(key__in=[*registry.CHANNELS, *accounts]).order_by("since"))


def _name(key: str) -> str:
    """The name of a paused channel or account, as staff know it."""
    account = Account.objects.filter(pk=key.removeprefix("account:")).first() if key.startswith("account:") else None
    return f"{registry.label_of(account.channel)} ({account.name})" if account else registry.label_of(key)
