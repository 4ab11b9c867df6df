"""A notice as JSON, posted to a URL that staff configured and signed by Standard Webhooks (standardwebhooks.com).

For accounts only: the URL may name a private host, so subscribers must never be able to give one.
"""

import json
import logging
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop
from standardwebhooks import Webhook as Signer
from standardwebhooks.webhooks import EmptyWebhookSecretError

from core.answers import Answer
from core.web_requests import Request
from delivery.channels.posting import (
    CONFIGURATION_RETRY_SECONDS,
    SECONDS,
    json_request,
    post_json,
    post_many,
    refuse_trouble,
)
from delivery.contract import Channel, DeliveryError, Recipient, Remote, SecretField, SendResult, internal_error
from delivery.models import Notice

log = logging.getLogger(__name__)
# The pause of the canary's webhook is short, so that heartbeats show soon that it works again.
HEARTBEAT_RETRY_SECONDS = 10.0


class Webhook(Channel):
    label = gettext_noop("Webhook")
    for_accounts = True
    batch_size = 1_000
    concurrency = 500
    seconds_each = SECONDS
    claims_ahead = True
    drops_repeats = True  # by its webhook-id

    class Options(Channel.Options):
        url = SecretField(label=_("Address, such as https://hooks.example.com/status"))
        secret = SecretField(label=_("Secret of at least 24 bytes, in base64 (whsec_…)"))

    def send(self, notice: Notice, recipient: Recipient) -> Remote:
        text = compose_text(notice)
        url, headers = self._address(text, notice, recipient)
        return _judge(post_json(url, text, headers), notice)

    def send_many(self, notice: Notice, recipients: Iterable[Recipient]) -> Iterator[SendResult]:
        """Send many requests at once from one thread."""
        text, refused = compose_text(notice), deque[SendResult]()

        def requests() -> Iterator[tuple[int, Request]]:
            for recipient in recipients:
                try:
                    url, headers = self._address(text, notice, recipient)
                except DeliveryError as error:
                    refused.append(SendResult(recipient.delivery_id, error))
                except Exception as error:
                    log.exception("a bug in this channel: delivery=%d notice=%s", recipient.delivery_id, notice.code)
                    refused.append(SendResult(recipient.delivery_id, internal_error(error)))
                else:
                    yield recipient.delivery_id, json_request(url, text, headers)

        with closing(post_many(requests(), self.concurrency, self.while_waiting)) as answers:
            for delivery_id, answer in answers:
                while refused:
                    yield refused.popleft()
                yield _result(delivery_id, answer, notice)
        yield from refused

    def _address(self, text: str, notice: Notice, recipient: Recipient) -> tuple[str, dict[str, str]]:
        """The URL that `text` goes to, and the headers that sign it. Raises DeliveryError."""
        account = recipient.account
        if account is None or not self.is_connected(account):
            raise DeliveryError("not connected", skip=True)
        try:
            headers = sign(account.credentials["secret"], f"d-{notice.code}-{recipient.delivery_id}", text)
        except (ValueError, EmptyWebhookSecretError) as error:  # its text may contain a part of the secret
            raise DeliveryError(
                "the secret cannot be used", pause=True, retry_after=CONFIGURATION_RETRY_SECONDS
            ) from error
        return account.credentials["url"], headers


def _judge(answer: Answer, notice: Notice) -> Remote:
    """Returns {}, since the other side gives no id. Raises DeliveryError."""
    wait = HEARTBEAT_RETRY_SECONDS if notice.is_heartbeat else CONFIGURATION_RETRY_SECONDS
    refuse_trouble(answer, what="the address or the signature", wait=wait)
    return {}


def _result(delivery_id: int, answer: Answer | DeliveryError, notice: Notice) -> SendResult:
    if isinstance(answer, DeliveryError):
        return SendResult(delivery_id, answer)
    try:
        return SendResult(delivery_id, remote=_judge(answer, notice))
    except DeliveryError as error:
        return SendResult(delivery_id, error)


# By audience, so that a program that acts on incidents does not act on a test message.
TYPES = {
    Notice.Audience.PAGE: "notice.posted",
    Notice.Audience.CANARY: "notice.heartbeat",
    Notice.Audience.ACCOUNT: "notice.test",
    Notice.Audience.STAFF: "notice.alarm",
}


def compose(notice: Notice) -> dict[str, Any]:
    """The posted JSON: type, timestamp and data, as Standard Webhooks advises. Times are ISO 8601 in UTC."""
    posted_at = notice.created_at.astimezone(UTC).isoformat()
    return {
        "type": TYPES[Notice.Audience(notice.audience)],
        "timestamp": posted_at,
        "data": {
            "id": notice.code,
            "thread": notice.thread,
            "stage": notice.stage,
            "page": {"name": notice.page.name, "url": notice.page.url},
            "title": notice.title,
            "status": notice.status,
            "status_label": notice.status_label,
            "impact": notice.severity,
            "body": notice.body,
            "components": notice.components,
            "url": notice.link,
            "posted_at": posted_at,
        },
    }


def compose_text(notice: Notice) -> str:
    return json.dumps(compose(notice), ensure_ascii=False)


def sign(secret: str, name: str, body: str) -> dict[str, str]:
    """The headers that sign `body`. `name` becomes the webhook-id: it is the same at each attempt, so that the other side
    can drop a repeat. Raises ValueError."""
    now = datetime.fromtimestamp(int(timezone.now().timestamp()), UTC)
    return {
        "webhook-id": name,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Signer(secret).sign(name, now, body),
    }
