"""A notice as JSON, posted to an address of staff's and signed as Standard Webhooks has it (standardwebhooks.com).

For accounts only. The address is an operator's word and may be a private one, so subscribers must never give it.
"""

import json
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone
from standardwebhooks import Webhook as Signer
from standardwebhooks.webhooks import EmptyWebhookSecretError

from delivery.channels.posting import CONFIGURATION_RETRY_SECONDS, post_json, refuse_trouble
from delivery.contract import Channel, DeliveryError, Recipient, Remote, SecretField
from delivery.models import Notice

# A heartbeat's pause is short: it is there to see the end of one.
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
        except (ValueError, EmptyWebhookSecretError) as error:  # its words may hold a part of the secret
            raise DeliveryError(
                "the secret cannot be used", pause=True, retry_after=CONFIGURATION_RETRY_SECONDS
            ) from error
        answer = post_json(account.credentials["url"], body, headers)
        wait = HEARTBEAT_RETRY_SECONDS if notice.is_heartbeat else CONFIGURATION_RETRY_SECONDS
        refuse_trouble(answer, what="the address or the signature", wait=wait)
        return {}


# By audience. Whoever acts on incidents must not take a test for one.
TYPES = {
    Notice.Audience.PAGE: "notice.posted",
    Notice.Audience.CANARY: "notice.heartbeat",
    Notice.Audience.ACCOUNT: "notice.test",
    Notice.Audience.STAFF: "notice.alarm",
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
        "webhook-id": name,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Signer(secret).sign(name, now, body),
    }
