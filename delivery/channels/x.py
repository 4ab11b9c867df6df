"""Posts on X, by tweepy, as replies to the first post of an incident.

tweepy sets no timeout and raises its own errors for some answers. So the adapter below sends its requests by
core/outbound.py and keeps the answer, and this module decides what the answer means. Rules, prices and sources:
docs/delivery.md.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC
from html import unescape
from io import BytesIO
from typing import Any

import requests
import tweepy
from django import forms
from django.db.models import TextChoices
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import strip_tags
from django.utils.translation import gettext_lazy as _
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from core.answers import Answer
from core.outbound import request
from core.outbound_errors import NoAnswerError, OutboundError, UntrustedCertificateError
from core.resolver import Trust
from delivery.channels.weighted import LIMIT, cut, weigh, without_mentions
from delivery.contract import Channel, DeliveryError, Recipient, Remote, SecretField
from delivery.models import Account, Delivery, Notice

HOST = "https://api.twitter.com"  # tweepy's host, which the signature covers
SECONDS = 12.0  # for the whole request
LIMIT_BYTES = 256 * 1024
CONFIGURATION_RETRY_SECONDS = 300.0
RATE_LIMIT_SECONDS = 15 * 60.0
SHORTEST_BODY = 30
REASON_LIMIT = 150
# Headers that core/outbound.py sets itself. tweepy's accept-encoding would bring compressed answers, which it refuses.
OUTBOUND_HEADERS = frozenset({"accept-encoding", "connection", "content-length"})


class ApiAdapter(BaseAdapter):
    """Sends a session's requests by core/outbound.py, and keeps the answer even if tweepy raises an error for it."""

    base_url = HOST

    def __init__(self) -> None:
        super().__init__()
        self.answer: requests.Response | None = None

    def send(self, request: requests.PreparedRequest, *_args: Any, **_kwargs: Any) -> requests.Response:
        """Raises OutboundError. `_args` and `_kwargs` are settings for connections of requests, which are not used."""
        self.answer = None
        self.answer = _respond(request, _forward(request, self.base_url))
        return self.answer

    def close(self) -> None:
        """Does nothing: no connection is kept open."""


def _forward(prepared: requests.PreparedRequest, base_url: str) -> Answer:
    assert prepared.method  # noqa: S101 (a prepared request has one)
    assert prepared.url  # noqa: S101 (a prepared request has one)
    body = prepared.body or b""
    return request(
        prepared.method,
        prepared.url.replace(HOST, base_url, 1),
        body=body.encode() if isinstance(body, str) else body,
        headers={
            name: _text(value) for name, value in prepared.headers.items() if name.lower() not in OUTBOUND_HEADERS
        },
        trust=Trust.OPERATOR,
        seconds=SECONDS,
        limit_bytes=LIMIT_BYTES,
        whole_body=False,
    )


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _respond(prepared: requests.PreparedRequest, answer: Answer) -> requests.Response:
    """The answer in the form that tweepy reads."""
    response = requests.Response()
    response.status_code, response.headers = answer.status, CaseInsensitiveDict(answer.headers)
    response.request, response.url, response.raw = prepared, prepared.url or "", BytesIO(answer.body)
    return response


class Links(TextChoices):
    ENDS = "ends", _("On the first and the last post of an incident")
    ALWAYS = "always", _("On every post")
    NEVER = "never", _("Never")


class X(Channel):
    label = "X"
    for_accounts = True
    replies = True
    batch_size = 5
    statuspage_field = "tweet_id"

    class Options(Channel.Options):
        consumer_key = SecretField(label=_("API key"))
        consumer_secret = SecretField(label=_("API key secret"))
        access_token = SecretField(label=_("Access token"))
        access_token_secret = SecretField(label=_("Access token secret"))
        links = forms.ChoiceField(
            choices=Links.choices, initial=Links.ENDS, help_text=_("On X a post with a link costs far more.")
        )
        daily_cap = forms.IntegerField(
            min_value=0, initial=100, help_text=_("Posts a day at most (UTC); each post costs money.")
        )
        cap_spares_critical = forms.BooleanField(
            label=_("Critical beyond the cap"),
            initial=True,
            required=False,
            help_text=_("Post about critical incidents even when the cap is reached."),
        )

    @classmethod
    def verify(cls, account: Account) -> str:
        """Ask X whose keys they are."""
        try:
            answer = _ask(account, lambda client: client.get_me(user_auth=True))
        except DeliveryError:
            return ""  # X cannot be reached now; the first post will show wrong keys
        reason = _reason(answer, _content(answer))
        return f"X refuses the keys ({answer.status_code}){reason}" if answer.status_code in (401, 403) else ""

    def send(self, notice: Notice, recipient: Recipient) -> Remote:
        account = recipient.account
        if account is None or not self.is_connected(account):
            raise DeliveryError("not connected", skip=True)
        refuse_beyond_cap(account, notice)
        answer = _post(account, compose(notice, with_link=shows_link(account, notice)), recipient.first_post.get("id"))
        return read_answer(answer, was_ambiguous=recipient.ambiguous)


def refuse_beyond_cap(account: Account, notice: Notice) -> None:
    """Raises DeliveryError when the account has posted enough today (UTC); each post costs money."""
    if notice.severity == "critical" and account.option("cap_spares_critical"):
        return
    midnight = timezone.now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if Delivery.objects.posted_since(account, midnight) >= account.option("daily_cap"):
        raise DeliveryError(f"daily cap of {account.option('daily_cap')} posts reached", skip=True)


def shows_link(account: Account, notice: Notice) -> bool:
    """Whether the post gets the link. A post with a link costs 13 times as much, so by default only the first and the last
    post of an incident have one."""
    if account.option("links") == Links.ENDS:
        return notice.stage != Notice.Stage.MIDDLE
    return bool(account.option("links") == Links.ALWAYS)


def compose(notice: Notice, *, with_link: bool) -> str:
    """The post: status, title, as much of the body as fits, time. The same notice always gives the same text.

    Status and time make it differ from the incident's other posts, because X refuses a text that it has seen.
    """
    body = without_mentions(" ".join(unescape(strip_tags(notice.body_html)).split()))
    context: dict[str, Any] = {
        "title": without_mentions(f"{notice.status_label}: {notice.title}"),
        "posted_at": notice.created_at.astimezone(UTC),
        "link": notice.link if with_link else "",
    }
    spare = LIMIT - weigh(_render(context))
    if spare < 0:
        return _render(context | {"title": cut(context["title"], weigh(context["title"]) + spare)})
    room = spare - weigh(_render(context | {"body": "x"})) + weigh(_render(context)) + 1
    return _render(context | {"body": cut(body, room)}) if room >= min(SHORTEST_BODY, weigh(body)) else _render(context)


def _render(context: dict[str, Any]) -> str:
    return render_to_string("delivery/x/notice.txt", context).strip()


def _post(account: Account, text: str, reply_to: str | None) -> requests.Response:
    return _ask(account, lambda client: client.create_tweet(text=text, in_reply_to_tweet_id=reply_to))


def _ask(account: Account, call: Callable[[tweepy.Client], Any]) -> requests.Response:
    """X's answer, whatever its status. Raises DeliveryError when no answer comes."""
    client = tweepy.Client(**account.credentials, return_type=requests.Response)
    adapter = ApiAdapter()
    client.session.mount(HOST, adapter)
    client.session.max_redirects = 0
    try:
        call(client)
    except Exception as error:  # errors of core/outbound.py, requests, json and tweepy
        if adapter.answer is None:
            raise _no_answer(error) from error
    finally:
        client.session.close()
    assert adapter.answer is not None  # noqa: S101 (no error means an answer)
    return adapter.answer


def _no_answer(error: Exception) -> DeliveryError:
    name = type(error).__name__.removesuffix("Error")
    if isinstance(error, UntrustedCertificateError):
        return DeliveryError("X's certificate is not trusted", pause=True, retry_after=CONFIGURATION_RETRY_SECONDS)
    if isinstance(error, OutboundError) and not isinstance(error, NoAnswerError):
        return DeliveryError(f"X cannot be reached ({name})")
    return DeliveryError(f"X did not answer ({name})", ambiguous=True)


def read_answer(answer: requests.Response, *, was_ambiguous: bool) -> Remote:
    """The post's id; {} when X accepted the post in an earlier attempt that got no answer. Raises DeliveryError."""
    status, content = answer.status_code, _content(answer)
    reason = _reason(answer, content)
    if 200 <= status < 300:
        data = content.get("data")
        if isinstance(data, dict) and data.get("id"):
            return {"id": str(data["id"])}
        raise DeliveryError(f"X's answer has no post id{reason}", ambiguous=True)
    if status == 403 and "duplicate" in reason.lower():
        if was_ambiguous:
            return {}
        raise DeliveryError(f"X refuses the text{reason}", permanent=True)
    if status in (401, 402, 403):
        what = "X's credits are used up (402)" if status == 402 else f"X refuses the credentials ({status})"
        raise DeliveryError(f"{what}{reason}", pause=True, retry_after=CONFIGURATION_RETRY_SECONDS)
    if status == 429:
        raise DeliveryError("X's rate limit is reached", pause=True, retry_after=_seconds_to_reset(answer.headers))
    if status >= 500:
        raise DeliveryError(f"X has an error ({status})", ambiguous=True)
    raise DeliveryError(f"X refuses the post ({status}){reason}", permanent=400 <= status < 500)


def _content(answer: requests.Response) -> dict[str, Any]:
    """The answer's JSON object; {} for anything else, such as an incomplete body."""
    try:
        content = answer.json()
    except (ValueError, RuntimeError, requests.RequestException):
        return {}
    return content if isinstance(content, dict) else {}


def _reason(answer: requests.Response, content: dict[str, Any]) -> str:
    """X's explanation as ": …", or ""."""
    errors = content.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    words = content.get("detail") or first.get("detail") or first.get("message") or content.get("title") or ""
    text = " ".join(str(words).split())
    return f": {text}"[:REASON_LIMIT] if text else ""


def _seconds_to_reset(headers: Mapping[str, str]) -> float:
    """Seconds until the time when X resets the limit (it sends no Retry-After); RATE_LIMIT_SECONDS if unreadable."""
    for kind in ("x-app-limit-24hour", "x-user-limit-24hour", "x-rate-limit"):
        remaining, reset = headers.get(f"{kind}-remaining", "0"), headers.get(f"{kind}-reset", "")
        if remaining == "0" and reset.isdecimal() and len(reset) < 12:
            return max(1.0, int(reset) - time.time())
    return RATE_LIMIT_SECONDS
