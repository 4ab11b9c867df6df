"""Which channels there are. Adding one: docs in CONTRIBUTING.md; here it is one line."""

from functools import cache
from typing import TYPE_CHECKING

from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from delivery.contract import Channel

CHANNELS = {
    "email": ("E-mail", "delivery.channels.email.Email"),
    "x": ("X", "delivery.channels.x.X"),
    "webhook": ("Webhook", "delivery.channels.webhook.Webhook"),
}


def choices() -> list[tuple[str, str]]:
    return [(kind, label) for kind, (label, _) in CHANNELS.items()]


def label_of(kind: str) -> str:
    """What staff read; a kind that is no longer here is shown as it is stored."""
    return CHANNELS[kind][0] if kind in CHANNELS else kind


@cache
def load(kind: str) -> "type[Channel]":
    """The channel's class. Raises KeyError for an unknown kind."""
    loaded: type[Channel] = import_string(CHANNELS[kind][1])
    return loaded


def account_kinds() -> list[str]:
    """Channels that post as a staff-owned account."""
    return [kind for kind in CHANNELS if load(kind).for_accounts]


def subscriber_kinds() -> list[str]:
    """Channels that write to each subscriber."""
    return [kind for kind in CHANNELS if load(kind).for_subscribers]
