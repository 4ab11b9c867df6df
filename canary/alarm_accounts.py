"""Where alarms go: accounts on the channels of delivery/, as settings name them.

None is stored, and what is told on them takes no way through the ledger: both must work while the database, the broker
or the workers are what is wrong. The channel's class, its options and its checks are those of every other account.
"""

from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

from delivery import registry
from delivery.contract import DeliveryError, Recipient
from delivery.models import Account, Notice
from pages.models import Page

NO_MAIL_SERVER = "there is no mail server: set ALARM_EMAIL_URL or EMAIL_URL"


def configured() -> list[Account]:
    """Those that settings name, the one that wakes people first."""
    accounts = []
    if settings.ALARM_PAGERDUTY_KEY:
        secrets = {"key": settings.ALARM_PAGERDUTY_KEY}
        accounts.append(_account("pagerduty", secrets, url=settings.ALARM_PAGERDUTY_URL))
    if settings.ALARM_SLACK_URL:
        accounts.append(_account("slack", {"url": settings.ALARM_SLACK_URL}))
    if settings.ALARM_WEBHOOK_URL:
        secrets = {"url": settings.ALARM_WEBHOOK_URL, "secret": settings.ALARM_WEBHOOK_SECRET}
        accounts.append(_account("webhook", secrets))
    for address in dict.fromkeys(settings.ALARM_EMAILS):
        account = _account("email", {"server": settings.ALARM_EMAIL_URL}, address=address)
        account.name = f"{account.name} to {address}"
        account.refusal = "" if settings.ALARM_EMAIL_URL else NO_MAIL_SERVER
        accounts.append(account)
    return accounts


def _account(channel: str, secrets: Any, **options: str) -> Account:
    return Account(
        page=whole_site(),
        channel=channel,
        name=registry.label_of(channel),
        credentials=secrets,
        options=options,
        audience=Notice.Audience.STAFF,
    )


def whole_site() -> Page:
    """What an alarm is about: no page, but all of them. Not stored."""
    host = urlsplit(settings.PUBLIC_URL).netloc
    return Page(name=host or "status page", url=settings.PUBLIC_URL.rstrip("/"), host=host)


def mistakes(account: Account) -> list[str]:
    """Why its channel would not take such options; no secret is repeated."""
    form = registry.load(account.channel).Options({**account.options, **account.credentials})
    return [f"{form.fields[name].label}: {words}" for name, errors in form.errors.items() for words in errors]


def tell(account: Account, notice: Notice) -> None:
    """Hand it over, now and in this process. Raises DeliveryError."""
    if not account.is_connected:
        raise DeliveryError(account.refusal or "not connected", skip=True)
    channel = registry.load(account.channel)()
    try:
        (outcome,) = channel.send_many(notice, [Recipient(0, account.address, account=account)])
    finally:
        channel.close()
    if outcome.error:
        raise outcome.error
