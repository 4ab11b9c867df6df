"""The views of django-anymail that read what each provider posts, changed so that unreadable posts do no harm.

Imported only when django-anymail is installed. Unchanged, its views answer 400 to a wrong secret and 500 to a post of an
unexpected shape, and Amazon's view confirms every subscription that it is asked to.
"""

import json
import logging
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit

from anymail.exceptions import AnymailWebhookValidationFailure as ForgedError
from anymail.signals import tracking
from anymail.utils import get_request_basic_auth as credentials
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.utils.module_loading import import_string

from delivery.mail.bounces.events import note_unreadable
from delivery.mail.bounces.known import KNOWN
from delivery.mail.bounces.tracked import take

__all__ = ["ForgedError", "MalformedError", "credentials", "find_view"]
View = Callable[[HttpRequest], HttpResponseBase]

log = logging.getLogger(__name__)
tracking.connect(take, dispatch_uid="delivery.mail.bounces")


class MalformedError(Exception):
    """A post does not have this provider's form. The message is for staff and contains nothing of the post."""


def find_view(name: str) -> View | None:
    """The view of a provider; None if the provider is unknown, or its key or library is missing."""
    known = KNOWN.get(name)
    key = settings.BOUNCE_WEBHOOK_KEYS.get(name, "")
    if known is None or bool(known.key) != bool(key) or (known.needs and not find_spec(known.needs)):
        return None
    return _make_view(name, settings.BOUNCE_WEBHOOK_SECRET, key)


@cache
def _make_view(name: str, secret: str, key: str) -> View:
    theirs = import_string(f"anymail.webhooks.{KNOWN[name].view}")
    ours: Any = type(f"Tolerant{theirs.__name__}", (_TolerantView, theirs), {"provider": name})
    options = {"webhook_secret": secret} | ({KNOWN[name].key: key} if key else {})
    view: View = ours.as_view(**options)
    return view


def _split_batch(provider: str, body: bytes) -> list[bytes]:
    """A post for each event of a batch; a post that is not a batch stays as it is."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):  # a form
        return [body]
    match provider, content:
        case _, [_, _, *_]:  # Mailjet, SendGrid, SparkPost
            posts: list[object] = [[event] for event in content]
        case "mailtrap", {"events": [_, _, *_] as events}:
            posts = [{"events": [event]} for event in events]
        case _:
            return [body]
    return [json.dumps(post).encode() for post in posts]


class _TolerantView:
    """Mixed in before a view of django-anymail."""

    provider: str
    webhook_secret: str | None = None  # has to be here for as_view() to take it

    def run_validators(self, request: HttpRequest) -> None:
        try:
            if request.content_type not in ("application/x-www-form-urlencoded", "multipart/form-data"):
                json.loads(request.body)
            super().run_validators(request)  # type: ignore[misc]
        except ForgedError:
            raise
        except Exception as error:  # django-anymail may raise anything for unexpected data
            raise MalformedError(type(error).__name__) from error

    def parse_events(self, request: HttpRequest) -> list[Any]:
        """The events of the batch that can be read. The batch is accepted without the others and staff are told, because
        a repeat of the post would be no more readable."""
        body, events, errors = request.body, list[Any](), list[MalformedError]()
        pieces = _split_batch(self.provider, body)
        for piece in pieces:
            try:
                events += self._parse(request, piece)
            except MalformedError as error:
                errors.append(error)
        if len(errors) == len(pieces):
            raise errors[0]
        if errors:
            why = f"{len(errors)} of {len(pieces)} events: {errors[0]}"
            log.warning("some events of a bounce webhook of %s cannot be read: %s", self.provider, why)
            note_unreadable(self.provider, body, why)
        return events

    def _parse(self, request: HttpRequest, body: bytes) -> list[Any]:
        request._body = body
        try:
            return list(super().parse_events(request))  # type: ignore[misc]
        except Exception as error:  # as above
            raise MalformedError(type(error).__name__) from error

    def auto_confirm_sns_subscription(self, message: dict[str, Any]) -> None:
        """Log Amazon's question whether a topic may post here, so that a person can answer it. django-anymail would
        confirm any topic, with this machine's credentials."""
        topic, address = str(message.get("TopicArn"))[:256], str(message.get("SubscribeURL"))[:1024]
        host = urlsplit(address).hostname or ""
        if not address.startswith("https://sns.") or not host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
            address = "(not an address of Amazon)"
        log.warning(
            "Amazon asks whether its topic %r may report bounces. If the topic is yours, open %r", topic, address
        )
