"""Signed links by which a subscriber confirms, manages or ends a subscription.

A token is "<subscriber's code>.<when it was made>.<signature>". It is not stored, so each of a million mails can have its
own. The signature (HMAC-SHA-256, 128 bits, in hex because mail programs cut “-” off the end of a link) covers the purpose,
so that a token is valid for one purpose only. Retired keys in SECRET_KEY_FALLBACKS are accepted. A signed token expires:

    confirm       after 48 hours, or by unsubscribing after it was made
    manage        after 90 days, by asking for new links (`Subscriber.links_since`), or by unsubscribing
    unsubscribe   never: a link in an old mail must always work, and it can only end mails

`read` checks signature and age. `Subscriber.accepts_confirm()` and `.accepts_manage()` check the rest.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from django.conf import settings
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext

from core.keyed_hash import KeyedHash, keyed_for, secret_keys
from core.languages import prefix_of, served_language
from pages.models import Page
from subscribers.models import Subscriber

SIGNATURE_LENGTH = 32
TIME_LENGTH = 13  # hex digits of microseconds since 1970: enough for another century


class BadLinkError(Exception):
    """The link is not signed by us, is for another purpose, or has expired. Its message is for visitors."""


class Purpose(StrEnum):
    CONFIRM = "confirm"
    MANAGE = "manage"
    UNSUBSCRIBE = "unsubscribe"


PATHS = {
    Purpose.CONFIRM: "/subscribe/confirm/",
    Purpose.MANAGE: "/subscriptions/",
    Purpose.UNSUBSCRIBE: "/unsubscribe/",
}
AGES = {Purpose.CONFIRM: timedelta(hours=48), Purpose.MANAGE: timedelta(days=90), Purpose.UNSUBSCRIBE: None}


@dataclass(frozen=True)
class Link:
    code: str
    made_at: datetime


def confirm_url(subscriber: Subscriber) -> str:
    return _url(subscriber, Purpose.CONFIRM)


def manage_url(subscriber: Subscriber) -> str:
    return _url(subscriber, Purpose.MANAGE)


def manage_token(code: str) -> str:
    """The token of the URL `page.absolute_url(PATHS[Purpose.MANAGE] + token)`."""
    return sign(Purpose.MANAGE, code)


def unsubscribe_token(code: str) -> str:
    """The token of the URL `page.absolute_url(PATHS[Purpose.UNSUBSCRIBE] + token)`."""
    return sign(Purpose.UNSUBSCRIBE, code)


def _url(subscriber: Subscriber, purpose: Purpose) -> str:
    return link_prefix(subscriber.page, purpose, subscriber.language) + sign(purpose, subscriber.code)


def link_prefix(page: Page, purpose: Purpose, language: str) -> str:
    """The URL without the token, in the language of the subscriber's mails."""
    return page.absolute_url(prefix_of(served_language(language)) + PATHS[purpose])


def sign(purpose: Purpose, code: str) -> str:
    return signer(purpose)(code)


def signer(purpose: Purpose) -> Callable[[str], str]:
    """A function from a subscriber's code to a token. It prepares the current key once, for mails in bulk."""
    keyed = _keyed(purpose, settings.SECRET_KEY)

    def sign_code(code: str) -> str:
        value = f"{code}.{time.time_ns() // 1000:0{TIME_LENGTH}x}"
        return f"{value}.{keyed.hexdigest(value)[:SIGNATURE_LENGTH]}"

    return sign_code


def read(purpose: Purpose, token: str) -> Link:
    """Check a token; returns the subscriber's code and when it was made. Raises BadLinkError."""
    value, _, signature = token.rpartition(".")
    code, _, made = value.rpartition(".")
    if not any(constant_time_compare(signature, good) for good in _signatures(purpose, value)):
        raise BadLinkError(
            gettext("This link is not complete or was not made here. Copy the whole link from the mail.")
        )
    made_at = datetime.fromtimestamp(int(made, 16) / 1_000_000, UTC)
    age = AGES[purpose]
    if age is not None and timezone.now() - made_at > age:
        raise BadLinkError(gettext("This link is too old."))
    return Link(code, made_at)


def _signatures(purpose: Purpose, value: str) -> Iterator[str]:
    for key in secret_keys():
        yield _keyed(purpose, key).hexdigest(value)[:SIGNATURE_LENGTH]


def _keyed(purpose: Purpose, key: str) -> KeyedHash:
    return keyed_for(f"subscribers.{purpose}", key)
