"""Slack's incoming webhooks: each URL posts to one channel in Slack.

Answers: 200 with the body “ok”, or 4xx with a word such as no_service (api.slack.com/messaging/webhooks).
"""

import json
from typing import Any

from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _

from core.plain_text import plain_paragraphs
from delivery.channels.posting import post_json, refuse_trouble
from delivery.contract import Channel, DeliveryError, Recipient, Remote, SecretField
from delivery.models import Notice

# Slack cuts a text at 40,000 characters. Ours is shorter, because the link leads to the whole text.
BODY_LIMIT = 3_000
TITLE_LIMIT = 300
SIGNS = {
    "none": ":information_source:",
    "maintenance": ":wrench:",
    "minor": ":warning:",
    "major": ":rotating_light:",
    "critical": ":rotating_light:",
}
OVER = ":white_check_mark:"


class Slack(Channel):
    label = "Slack"
    for_accounts = True
    concurrency = 4

    class Options(Channel.Options):
        url = SecretField(label=_("Address of an incoming webhook, such as https://hooks.slack.com/services/…"))

    def send(self, notice: Notice, recipient: Recipient) -> Remote:
        account = recipient.account
        if account is None or not self.is_connected(account):
            raise DeliveryError("not connected", skip=True)
        answer = post_json(account.credentials["url"], json.dumps({"text": compose(notice)}))
        refuse_trouble(answer, what="the address")
        if answer.body.strip() != b"ok":
            raise DeliveryError(f"the server answered {answer.status} without Slack's “ok”")
        return {}


def compose(notice: Notice) -> str:
    """Status, title, body and link in Slack's markup."""
    context: dict[str, Any] = {
        "sign": OVER if notice.stage == Notice.Stage.LAST else SIGNS.get(notice.severity, SIGNS["none"]),
        "title": escape(_cut(f"{notice.status_label}: {notice.title}", TITLE_LIMIT)),
        "body": escape(_cut(plain_paragraphs(notice.body_html), BODY_LIMIT)),
        "page": escape(notice.page.name),
        "link": escape(notice.link),
    }
    return render_to_string("delivery/slack/notice.txt", context).strip()


def escape(text: str) -> str:
    """Escape the three characters that Slack's markup uses."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}…"
