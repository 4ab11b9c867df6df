"""PagerDuty's Events API v2: an incident or alarm sends “trigger”, its end “resolve” with the same dedup_key. 202 means
accepted.

Limits: routing key of 32 characters, dedup_key 255, summary 1,024 (developer.pagerduty.com, Events API v2).
"""

import json
from datetime import UTC
from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.utils.translation import gettext_lazy as _

from core.plain_text import plain_paragraphs
from delivery.channels.posting import post_json, refuse_trouble
from delivery.contract import Channel, DeliveryError, Recipient, Remote, SecretField
from delivery.models import Notice

KEY_LENGTH = 32
KEY_LIMIT = 255
SUMMARY_LIMIT = 1024
DETAILS_LIMIT = 10_000
SEVERITIES = {"critical": "critical", "major": "error", "minor": "warning"}


class PagerDuty(Channel):
    label = "PagerDuty"
    for_accounts = True
    concurrency = 4
    drops_repeats = True  # by its dedup_key

    class Options(Channel.Options):
        key = SecretField(
            label=_("Integration key of an Events API v2 integration"), min_length=KEY_LENGTH, max_length=KEY_LENGTH
        )
        url = forms.URLField(
            label=_("Where PagerDuty takes events"),
            initial="https://events.pagerduty.com/v2/enqueue",
            assume_scheme="https",
            help_text=_("In Europe https://events.eu.pagerduty.com/v2/enqueue."),
        )

    def send(self, notice: Notice, recipient: Recipient) -> Remote:
        account = recipient.account
        if account is None or not self.is_connected(account):
            raise DeliveryError("not connected", skip=True)
        event = {"routing_key": account.credentials["key"]} | compose(notice)
        refuse_trouble(post_json(account.option("url"), json.dumps(event)), what="the address or the key")
        return {}


def compose(notice: Notice) -> dict[str, Any]:
    """The event without the routing key. All events of a thread have one dedup_key, so PagerDuty opens one incident."""
    host = urlsplit(notice.page.url).netloc or notice.page.name
    event: dict[str, Any] = {
        "event_action": "resolve" if notice.stage == Notice.Stage.LAST else "trigger",
        "dedup_key": f"statuspage/{host}/{notice.thread}"[:KEY_LIMIT],
    }
    if notice.stage == Notice.Stage.LAST:
        return event
    return event | {
        "client": "status page",
        **({"client_url": notice.link} if notice.link else {}),
        "payload": {
            "summary": f"{notice.page.name}: {notice.title}"[:SUMMARY_LIMIT],
            "source": host,
            "severity": SEVERITIES.get(notice.severity, "info"),
            "timestamp": notice.created_at.astimezone(UTC).isoformat(),
            "class": notice.thread,
            "custom_details": {
                "what": f"{notice.status_label}: {notice.title}",
                "message": plain_paragraphs(notice.body_html)[:DETAILS_LIMIT],
            },
        },
    }
