"""Posts on Mastodon, or another server with its API, as replies to the first post of an incident.

Requests, answers and how texts are counted: docs.joinmastodon.org/methods/statuses. A server keeps an Idempotency-Key for
about an hour and answers a repeat with the existing post.
"""

import json
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import regex
from django import forms
from django.db.models import TextChoices
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from core.answers import Answer
from core.expiring import ExpiringValue
from core.outbound import request
from core.outbound_errors import OutboundError
from core.plain_text import plain_paragraphs
from core.resolver import Trust
from delivery.channels.posting import LIMIT_BYTES, SECONDS, post_json, refuse_trouble
from delivery.channels.weighted import without_mentions
from delivery.contract import Channel, DeliveryError, Recipient, Remote, SecretField
from delivery.models import Account, Notice

ELLIPSIS = "…"
SHORTEST_BODY = 30
LIMITS_SECONDS = 3_600.0
RATE_LIMIT_SECONDS = 300.0
_LINK = regex.compile(r"https?://\S+")


class Visibility(TextChoices):
    PUBLIC = "public", _("Public")
    UNLISTED = "unlisted", _("Unlisted: for everybody, but not in public timelines")
    PRIVATE = "private", _("Followers only")


class PostLimits(NamedTuple):
    """How long a post on one server may be."""

    characters: int = 500
    characters_of_link: int = 23
    """What every link counts, however long it is."""


class Mastodon(Channel):
    label = "Mastodon"
    for_accounts = True
    replies = True
    drops_repeats = True  # by its Idempotency-Key
    concurrency = 4

    class Options(Channel.Options):
        url = forms.URLField(
            label=_("Address of the server"), assume_scheme="https", help_text=_("Such as https://mastodon.social.")
        )
        token = SecretField(
            label=_("Access token"), help_text=_("Of an application with the scopes read:accounts and write:statuses.")
        )
        visibility = forms.ChoiceField(label=_("Visibility"), choices=Visibility.choices, initial=Visibility.PUBLIC)

    @classmethod
    def verify(cls, account: Account) -> str:
        """Ask the server whose token it is."""
        try:
            answer = _get(account.option("url"), "/api/v1/accounts/verify_credentials", account.credentials["token"])
        except OutboundError:
            return ""  # the server cannot be reached now; the first post will show a wrong token
        return f"the server refuses the token ({answer.status})" if answer.status in (401, 403) else ""

    def send(self, notice: Notice, recipient: Recipient) -> Remote:
        account = recipient.account
        if account is None or not self.is_connected(account):
            raise DeliveryError("not connected", skip=True)
        status = {
            "status": compose(notice, limits_of(account.option("url"))),
            "visibility": account.option("visibility"),
        }
        reply = {"in_reply_to_id": first} if (first := recipient.first_post.get("id")) else {}
        key = f"d-{notice.code}-{recipient.delivery_id}"
        answer = _post(account, status | reply, key)
        if answer.status == 404 and reply:  # somebody has deleted the first post
            answer = _post(account, status, key)
        return read_answer(answer)


def read_answer(answer: Answer) -> Remote:
    """The post's id. Raises DeliveryError."""
    if answer.status == 429:
        raise DeliveryError("the server's rate limit is reached", pause=True, retry_after=_seconds_to_reset(answer))
    refuse_trouble(answer, what="the address or the token")
    content = _json(answer)
    if not content.get("id"):
        raise DeliveryError("the server's answer has no post id", ambiguous=True)
    return {"id": str(content["id"])}


def limits_of(url: str) -> PostLimits:
    """The limits that the server publishes, remembered for LIMITS_SECONDS; Mastodon's defaults if it publishes none."""
    try:
        return _remembered_limits(url).get()
    except (OutboundError, ValueError):
        return PostLimits()


@lru_cache(maxsize=100)
def _remembered_limits(url: str) -> ExpiringValue[PostLimits]:
    return ExpiringValue(lambda: _read_limits(url), LIMITS_SECONDS)


def _read_limits(url: str) -> PostLimits:
    configuration = _json(_get(url, "/api/v2/instance")).get("configuration")
    said = configuration.get("statuses") if isinstance(configuration, dict) else None
    if not isinstance(said, dict):
        return PostLimits()
    usual = PostLimits()
    return PostLimits(
        _size(said.get("max_characters"), usual.characters),
        _size(said.get("characters_reserved_per_url"), usual.characters_of_link),
    )


def _size(said: Any, usual: int) -> int:
    is_number = isinstance(said, int) and not isinstance(said, bool) and 0 < said < 1_000_000
    return int(said) if is_number else usual


def compose(notice: Notice, limits: PostLimits) -> str:
    """The post: status, title, as much of the body as fits, link. The same notice always gives the same text."""
    context = {"title": without_mentions(f"{notice.status_label}: {notice.title}"), "link": notice.link}
    body = without_mentions(plain_paragraphs(notice.body_html))
    spare = limits.characters - length(_render(context), limits)
    if spare < 0:
        shorter = length(context["title"], limits) + spare
        return _render(context | {"title": _cut(context["title"], max(1, shorter), limits)})
    room = spare - length(_render(context | {"body": "x"}), limits) + length(_render(context), limits) + 1
    if room < min(SHORTEST_BODY, length(body, limits)):
        return _render(context)
    return _render(context | {"body": _cut(body, room, limits)})


def length(text: str, limits: PostLimits) -> int:
    """The length as the server counts it: each grapheme cluster is one, each link `characters_of_link`."""
    return len(regex.findall(r"\X", _LINK.sub("x" * limits.characters_of_link, text)))


def _cut(text: str, most: int, limits: PostLimits) -> str:
    """Cut `text` to `most` characters, never inside a grapheme cluster or a link, nor inside a word if it has spaces."""
    if length(text, limits) <= most:
        return text
    kept, left = "", most - 1
    for unit in regex.findall(r"https?://\S+|\X", text):
        left -= length(unit, limits)
        if left < 0:
            break
        kept += unit
    words = kept.rpartition(" ")[0]
    return (words if len(words) > len(kept) // 2 else kept).rstrip() + ELLIPSIS


def _render(context: dict[str, str]) -> str:
    return render_to_string("delivery/mastodon/notice.txt", context).strip()


def _post(account: Account, status: dict[str, Any], key: str) -> Answer:
    headers = {"Authorization": f"Bearer {account.credentials['token']}", "Idempotency-Key": key}
    return post_json(_address(account.option("url"), "/api/v1/statuses"), json.dumps(status), headers)


def _get(url: str, path: str, token: str = "") -> Answer:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return request(
        "GET", _address(url, path), headers=headers, trust=Trust.OPERATOR, seconds=SECONDS, limit_bytes=LIMIT_BYTES
    )


def _address(url: str, path: str) -> str:
    return url.rstrip("/") + path


def _json(answer: Answer) -> dict[str, Any]:
    """The answer's JSON object; {} for anything else."""
    try:
        content = json.loads(answer.body)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _seconds_to_reset(answer: Answer) -> float:
    """Seconds until the time in the header (ISO 8601) when the limit is reset; RATE_LIMIT_SECONDS if it is unreadable."""
    try:
        reset = datetime.fromisoformat(answer.headers.get("x-ratelimit-reset", ""))
        return max(1.0, (reset - timezone.now()).total_seconds())
    except (ValueError, TypeError):  # not a time, or one without a time zone
        return RATE_LIMIT_SECONDS
