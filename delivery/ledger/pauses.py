"""What staff are told of a channel or an account that can reach nobody now: since when, why, and what follows."""

from collections.abc import Iterable

from django.utils import timezone
from django.utils.translation import gettext as _

from delivery import registry
from delivery.models import Account, Pause
from pages.models import Page


def paused() -> list[str]:
    """A sentence for each channel or account that can reach nobody now: since when, and why."""
    return [describe(pause) for pause in Pause.objects.order_by("since")]


def describe(pause: Pause) -> str:
    """Such as “E-mail is paused since 02:10 UTC: the SMTP server does not answer”."""
    return _("%(name)s is paused since %(time)s: %(reason)s") % {
        "name": _name(pause.key),
        "time": f"{timezone.localtime(pause.since):%H:%M %Z}",
        "reason": pause.reason,
    }


def what_follows(pause: Pause) -> str:
    """That staff need not do anything for those who wait; times are the deployment's."""
    at = timezone.localtime(pause.probe_at)
    if pause.probe_at <= timezone.now():
        return _("Nobody is forgotten: it is tried again by itself, now.")
    return _("Nobody is forgotten: it is tried again by itself, next at %(time)s.") % {"time": f"{at:%H:%M:%S %Z}"}


def explain(pauses: Iterable[Pause]) -> list[str]:
    """For each, that it is paused and what follows."""
    return [f"{describe(pause).rstrip('.')}. {what_follows(pause)}" for pause in pauses]


def on_the_way_of(page: Page) -> list[Pause]:
    """Those that a page's updates meet: of whole channels, and of the page's own accounts."""
    accounts = [account.address for account in page.accounts.for_people()]
    return list(Pause.objects.filter(key__in=[*registry.CHANNELS, *accounts]).order_by("since"))


def _name(key: str) -> str:
    """What staff call the channel or the account that a pause is about."""
    account = Account.objects.filter(pk=key.removeprefix("account:")).first() if key.startswith("account:") else None
    return f"{registry.label_of(account.channel)} ({account.name})" if account else registry.label_of(key)
