"""The accounts that alarms are sent to, built from settings; each is on a channel of delivery/.

They are not stored, and alarms do not use the ledger, because alarms must be sent while the database, the broker or the
workers do not work. Channel class, options and checks are the same as for stored accounts.
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
    """The accounts in the settings, the one that wakes people first."""
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
    """The page of an alarm's notice. An alarm is about all pages, so this one is made up and never stored."""
    host = urlsplit(settings.PUBLIC_URL).netloc
    return Page(name=host or "status page", url=settings.PUBLIC_URL.rstrip("/"), host=host)


def mistakes(account: Account) -> list[str]:
    """Why the channel's form refuses the account's options; secrets are not repeated."""
    form = registry.load(account.channel).Options({**account.options, **account.credentials})
    return [f"{form.fields[name].label}: {words}" for name, errors in form.errors.items() for words in errors]


def send_alarm(account: Account, notice: Notice) -> None:
    """Send a notice on an account, now and in this process. Raises DeliveryError."""
    if not account.is_connected:
        raise DeliveryError(account.refusal or "not connected", skip=True)
    channel = registry.load(account.channel)()
    try:
        (result,) = channel.send_many(notice, [Recipient(0, account.address, account=account)])
    finally:
        channel.close()
    if result.error:
        raise result.error
