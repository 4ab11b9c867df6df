"""The list of channels. CONTRIBUTING.md says how to add one; here it is one line."""

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from django.utils.module_loading import import_string
from django.utils.translation import gettext

if TYPE_CHECKING:
    from delivery.contract import Channel


class Registered(NamedTuple):
    """The path of a channel's class and its Celery queue. A slow channel delays the others of its queue."""

    path: str
    queue: str


CHANNELS = {
    "email": Registered("delivery.channels.email.Email", queue="delivery.email"),
    "x": Registered("delivery.channels.x.X", queue="delivery.social"),
    "mastodon": Registered("delivery.channels.mastodon.Mastodon", queue="delivery.social"),
    "slack": Registered("delivery.channels.slack.Slack", queue="delivery.social"),
    "pagerduty": Registered("delivery.channels.pagerduty.PagerDuty", queue="delivery.social"),
    "webhook": Registered("delivery.channels.webhook.Webhook", queue="delivery.webhook"),
}


def choices() -> list[tuple[str, str]]:
    return [(kind, label_of(kind)) for kind in CHANNELS]


def label_of(kind: str) -> str:
    """The translated name of a channel; of an unknown kind, the stored word itself."""
    return gettext(load(kind).label) if kind in CHANNELS else kind


@cache
def load(kind: str) -> "type[Channel]":
    """The channel's class. Raises KeyError for an unknown kind."""
    loaded: type[Channel] = import_string(CHANNELS[kind].path)
    return loaded


def account_kinds() -> list[str]:
    """Channels that post as a staff-owned account."""
    return [kind for kind in CHANNELS if load(kind).for_accounts]


def subscriber_kinds() -> list[str]:
    """Channels that write to each subscriber."""
    return [kind for kind in CHANNELS if load(kind).for_subscribers]


def kinds_shown_as(statuspage_field: str) -> list[str]:
    """Channels whose posts stand in that field of an update in Statuspage's API."""
    return [kind for kind in CHANNELS if load(kind).statuspage_field == statuspage_field]


def warnings(kinds: "list[str] | None" = None) -> list[str]:
    """The warnings of these channels, or of all, for staff."""
    return [words for kind in (CHANNELS if kinds is None else kinds) if (words := load(kind).warning())]
