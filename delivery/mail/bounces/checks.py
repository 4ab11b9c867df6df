"""System checks of the settings for bounces: providers' webhooks and the mailbox."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004 (Django's word)

from delivery.mail.bounces.known import KNOWN, SIGNING
from delivery.mail.bounces.webhooks import LEAST_SECRET_LENGTH, is_installed, is_secret

LOOPBACK = ("localhost", "127.0.0.1", "::1")


@register
def check_bounce_webhooks(**kwargs: Any) -> list[CheckMessage]:
    secret, keys = settings.BOUNCE_WEBHOOK_SECRET, settings.BOUNCE_WEBHOOK_KEYS
    found = {
        "E001": bool(secret) and not is_secret(secret),
        "E002": bool(secret) and not is_installed(),
        "E003": bool(keys) and not secret,
        "E004": not keys.keys() <= set(SIGNING),
    }
    return [Error(*MESSAGES[number], id=f"delivery.{number}") for number, present in found.items() if present]


@register
def check_bounce_mailbox(**kwargs: Any) -> list[CheckMessage]:
    mailbox = settings.BOUNCE_MAILBOX
    if mailbox is None:
        return []
    found = {
        "W001": not settings.SMTP,
        "W002": settings.PRODUCTION and mailbox.scheme == "imap" and mailbox.host not in LOOPBACK,
    }
    return [Warning(*MESSAGES[name], id=f"delivery.{name}") for name, present in found.items() if present]


MESSAGES = {
    "E001": (
        "BOUNCE_WEBHOOK_SECRET is not a user and a password that nobody guesses.",
        f"Write user:password with {LEAST_SECRET_LENGTH} characters or more, or leave it empty: then there are no webhooks.",
    ),
    "E002": (
        "BOUNCE_WEBHOOK_SECRET is set, but nothing here reads webhooks of mail providers.",
        "Install the extra “anymail” (pip install django-anymail), or unset it.",
    ),
    "E003": (
        "BOUNCE_WEBHOOK_KEYS is set without BOUNCE_WEBHOOK_SECRET.",
        "Set BOUNCE_WEBHOOK_SECRET to user:password as well; providers send it besides their signature.",
    ),
    "E004": (
        "BOUNCE_WEBHOOK_KEYS names a provider that signs nothing here.",
        f"Keep those of {', '.join(SIGNING)}; of all {len(KNOWN)} providers only these need a key.",
    ),
    "W001": (
        "BOUNCE_IMAP_URL is set, but mail goes to files: nothing can come back.",
        "Set EMAIL_URL, or leave BOUNCE_IMAP_URL empty.",
    ),
    "W002": (
        "BOUNCE_IMAP_URL sends its password without encryption.",
        "Write imaps:// or imap+tls:// instead of imap://.",
    ),
}
