"""System checks of the canary's settings."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004 (Django's word)
from django.core.exceptions import ValidationError

from canary.alarm_accounts import configured, mistakes
from canary.heartbeats import destinations
from canary.inbox import Inbox
from subscribers.addresses import normalise_address


@register
def check_canary(**kwargs: Any) -> list[CheckMessage]:
    wrong = [f"{account.name}: {mistake}" for account in configured() for mistake in mistakes(account)]
    found = {
        "E002": bool(settings.CANARY_IMAP_URL) and not _is_mailbox(settings.CANARY_IMAP_URL),
        "W001": bool(destinations()) and not configured() and not settings.ALARM_DEADMAN_URL,
        "W002": bool(settings.CANARY_MAIL_TO) and not (settings.CANARY_MAIL_SECRET or settings.CANARY_IMAP_URL),
        "W003": bool(destinations()) and settings.CANARY_DEADLINE_SECONDS > 4 * settings.CANARY_PERIOD_SECONDS,
        "E001": bool(settings.CANARY_MAIL_TO) and not _is_address(settings.CANARY_MAIL_TO),
        "W004": bool(wrong),
        "W005": bool(settings.ALARM_EMAILS) and not settings.ALARM_EMAIL_URL,
        "W006": bool(settings.CANARY_MAIL_TO) and not settings.SMTP,
    }
    kinds, details = {"E": Error, "W": Warning}, {"W004": wrong}
    return [
        kinds[name[0]](" ".join([MESSAGES[name][0], *details.get(name, [])]), MESSAGES[name][1], id=f"canary.{name}")
        for name, present in found.items()
        if present
    ]


def _is_mailbox(url: str) -> bool:
    try:
        Inbox(url)
    except ValueError:
        return False
    return True


def _is_address(text: str) -> bool:
    try:
        normalise_address(text)
    except ValidationError:
        return False
    return True


MESSAGES = {
    "E002": (
        "CANARY_IMAP_URL is not the address of a mailbox.",
        "Write one such as imaps://user:password@host/INBOX; percent-encode special characters.",
    ),
    "W001": (
        "The canary has nobody to tell.",
        "Set ALARM_SLACK_URL, ALARM_PAGERDUTY_KEY, ALARM_WEBHOOK_URL, ALARM_EMAILS or ALARM_DEADMAN_URL; docs/canary.md.",
    ),
    "W002": (
        "CANARY_MAIL_TO is set, but nothing says when its mail arrives.",
        "Set CANARY_IMAP_URL, or CANARY_MAIL_SECRET and let the mail provider post to /canary/mail/<secret>.",
    ),
    "W003": (
        "CANARY_DEADLINE_SECONDS is more than four times CANARY_PERIOD_SECONDS.",
        "A fault is noticed after the deadline at the earliest: make it shorter, or the period longer.",
    ),
    "E001": ("CANARY_MAIL_TO is not an e-mail address.", "Write one address, such as canary@example.com."),
    "W004": (
        "An account for alarms is not what its channel asks for, so nobody can be told there.",
        (
            "ALARM_PAGERDUTY_KEY has the 32 characters of an “Events API v2” integration, ALARM_EMAILS has addresses, "
            "and ALARM_WEBHOOK_URL needs ALARM_WEBHOOK_SECRET."
        ),
    ),
    "W005": ("ALARM_EMAILS is set, but there is no mail server.", "Set ALARM_EMAIL_URL, better than EMAIL_URL alone."),
    "W006": ("Heartbeats by mail go to files, for there is no mail server.", "Set EMAIL_URL."),
}
