"""The views of django-anymail that read what each provider posts, made safe against what cannot be read.

Imported only when django-anymail is installed. Its views alone answer 400 to a wrong secret, 500 to what has another
shape than expected, and Amazon's confirms by itself whatever subscription it is asked to.
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
    """What was posted is not what this provider posts. The text is a word for staff, with nothing of the post."""


def find_view(name: str) -> View | None:
    """None for a provider that is not known, or lacks its key or its library."""
    known = KNOWN.get(name)
    key = settings.BOUNCE_WEBHOOK_KEYS.get(name, "")
    if known is None or bool(known.key) != bool(key) or (known.needs and not find_spec(known.needs)):
        return None
    return _make_view(name, settings.BOUNCE_WEBHOOK_SECRET, key)


@cache
def _make_view(name: str, secret: str, key: str) -> View:
    theirs = import_string(f"anymail.webhooks.{KNOWN[name].view}")
    ours: Any = type(f"Careful{theirs.__name__}", (_Careful, theirs), {"provider": name})
    options = {"webhook_secret": secret} | ({KNOWN[name].key: key} if key else {})
    view: View = ours.as_view(**options)
    return view


def _pieces(provider: str, body: bytes) -> list[bytes]:
    """Each event of a batch as a post of its own; what is no batch, as it is."""
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


class _Careful:
    """In front of a view of django-anymail."""

    provider: str
    webhook_secret: str | None = None  # has to be here for as_view() to take it

    def run_validators(self, request: HttpRequest) -> None:
        try:
            if request.content_type not in ("application/x-www-form-urlencoded", "multipart/form-data"):
                json.loads(request.body)
            super().run_validators(request)  # type: ignore[misc]
        except ForgedError:
            raise
        except Exception as error:  # strangers' data in code of others: whatever it raises
            raise MalformedError(type(error).__name__) from error

    def parse_events(self, request: HttpRequest) -> list[Any]:
        """Those events of the batch that can be read. The others would be no better the next time that they are
        posted, and the good ones are not to wait for them: such a batch is taken, and staff are told."""
        body, events, errors = request.body, list[Any](), list[MalformedError]()
        pieces = _pieces(self.provider, body)
        for piece in pieces:
            try:
                events += self._parse(request, piece)
            except MalformedError as error:
                errors.append(error)
        if len(errors) == len(pieces):
            raise errors[0]
        if errors:
            why = f"{len(errors)} of {len(pieces)} events: {errors[0]}"
            log.warning("a bounce webhook of %s cannot be read whole: %s", self.provider, why)
            note_unreadable(self.provider, body, why)
        return events

    def _parse(self, request: HttpRequest, body: bytes) -> list[Any]:
        request._body = body
        try:
            return list(super().parse_events(request))  # type: ignore[misc]
        except Exception as error:  # as above
            raise MalformedError(type(error).__name__) from error

    def auto_confirm_sns_subscription(self, message: dict[str, Any]) -> None:
        """Amazon asks whether a topic may post here. django-anymail would call Amazon, in the region that the request
        names and with the credentials of this machine; a person who looks at the topic answers instead."""
        topic, address = str(message.get("TopicArn"))[:256], str(message.get("SubscribeURL"))[:1024]
        host = urlsplit(address).hostname or ""
        if not address.startswith("https://sns.") or not host.endswith((".amazonaws.com", ".amazonaws.com.cn")):
            address = "(not an address of Amazon)"
        log.warning("Amazon asks whether topic %r may report bounces. If it is yours, open %r", topic, address)
