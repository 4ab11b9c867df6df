"""A notice as JSON, posted to an address of staff's and signed as Standard Webhooks has it (standardwebhooks.com).

For accounts only. The address is an operator's word and may be a private one, so subscribers must never give it.
"""

import json
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from standardwebhooks import Webhook as Signer
from standardwebhooks.webhooks import EmptyWebhookSecretError

from core.outbound import Answer, NoAnswerError, OutboundError, Trust, request
from delivery.contract import Channel, DeliveryError, Recipient, Remote, SecretField
from delivery.models import Notice

SECONDS = 10.0
LIMIT_BYTES = 64 * 1024
CONFIGURATION_RETRY_SECONDS = 300.0
HEARTBEAT_RETRY_SECONDS = 10.0


class Webhook(Channel):
    label = "Webhook"
    for_accounts = True
    concurrency = 8

    class Options(Channel.Options):
        url = SecretField(label="Address, such as https://hooks.example.com/status")
        secret = SecretField(label="Secret of at least 24 bytes, in base64 (whsec_…)")

    def send(self, notice: Notice, recipient: Recipient) -> Remote:
        account = recipient.account
        if account is None or not self.is_connected(account):
            raise DeliveryError("not connected", skip=True)
        body = json.dumps(compose(notice), ensure_ascii=False)
        name = f"d-{notice.code}-{recipient.delivery_id}"
        try:
            headers = sign(account.credentials["secret"], name, body)
            answer = request(
                "POST",
                account.credentials["url"],
                body=body.encode(),
                headers=headers,
                trust=Trust.OPERATOR,
                seconds=SECONDS,
                limit_bytes=LIMIT_BYTES,
                whole_body=False,
            )
        except (ValueError, EmptyWebhookSecretError) as error:  # its words may hold a part of the address or the secret
            raise DeliveryError(
                "the address or the secret cannot be used", pause=True, retry_after=CONFIGURATION_RETRY_SECONDS
            ) from error
        except OutboundError as error:
            raise DeliveryError(str(error), ambiguous=isinstance(error, NoAnswerError)) from error
        return read_answer(answer, heartbeat=notice.is_heartbeat)


# By audience. Whoever acts on incidents must not take a test for one.
TYPES = {
    Notice.Audience.PAGE: "notice.posted",
    Notice.Audience.CANARY: "notice.heartbeat",
    Notice.Audience.ACCOUNT: "notice.test",
}


def compose(notice: Notice) -> dict[str, Any]:
    """What is posted: type, timestamp and data, as Standard Webhooks advises. Times are ISO 8601 in UTC."""
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


def sign(secret: str, name: str, body: str) -> dict[str, str]:
    """`name` is the same at each attempt, so that the other side can drop the second copy. Raises ValueError."""
    now = datetime.fromtimestamp(int(timezone.now().timestamp()), UTC)
    return {
        "Content-Type": "application/json",
        "webhook-id": name,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Signer(secret).sign(name, now, body),
    }


def read_answer(answer: Answer, *, heartbeat: bool = False) -> Remote:
    """Nothing: the other side gives no id. Raises DeliveryError. A heartbeat's pause is short: it is there to see the end of one."""
    status, words = answer.status, f": {answer.words}" if answer.words else ""
    wait = HEARTBEAT_RETRY_SECONDS if heartbeat else CONFIGURATION_RETRY_SECONDS
    if answer.is_good:
        return {}
    if 300 <= status < 400:
        raise DeliveryError(f"it redirects ({status}), which is not followed", pause=True, retry_after=wait)
    if status in (401, 403, 404, 410):
        raise DeliveryError(f"the address or the signature is refused ({status})", pause=True, retry_after=wait)
    if status == 429:
        after = answer.headers.get("retry-after", "")
        raise DeliveryError("it asks for a wait (429)", retry_after=float(after) if after.isdecimal() else None)
    if status >= 500 or status in (408, 425):
        raise DeliveryError(f"it has trouble ({status})")
    raise DeliveryError(f"it refuses this ({status}){words}", permanent=True)
