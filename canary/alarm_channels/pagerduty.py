"""PagerDuty's Events API v2: an alarm triggers, its all-clear resolves the same dedup_key. 202 means taken.

Limits: routing key of 32 characters, dedup_key 255, summary 1,024 (developer.pagerduty.com, Events API v2).
"""

from datetime import UTC
from typing import Any

from django.conf import settings

from canary.alarm_channels.base import AlarmChannel, AlarmError, AlarmMessage, post_json

SUMMARY_LIMIT = 1024


class PagerDuty(AlarmChannel):
    name = "PagerDuty"

    @classmethod
    def is_configured(cls) -> bool:
        return bool(settings.ALARM_PAGERDUTY_KEY)

    def tell(self, message: AlarmMessage) -> None:
        answer = post_json(settings.ALARM_PAGERDUTY_URL, compose(message))
        if answer.status != 202:
            raise AlarmError(f"it answered {answer.status}")


def compose(message: AlarmMessage) -> dict[str, Any]:
    event: dict[str, Any] = {
        "routing_key": settings.ALARM_PAGERDUTY_KEY,
        "event_action": "resolve" if message.is_clear else "trigger",
        "dedup_key": message.dedup_key,
    }
    if message.is_clear:
        return event
    return event | {
        "client": "status page",
        **({"client_url": message.link} if message.link else {}),
        "payload": {
            "summary": f"{message.site}: {message.text.splitlines()[0]}"[:SUMMARY_LIMIT],
            "source": message.site,
            "severity": "critical",
            "timestamp": message.since.astimezone(UTC).isoformat(),
            "class": message.key,
            "custom_details": {"what": message.text},
        },
    }
