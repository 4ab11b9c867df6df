"""The other sides of all channels, for the contract test. A new channel adds one function, decorated with its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from pytest_django import Settings
from standardwebhooks import Webhook as Signer
from standardwebhooks import WebhookVerificationError

from delivery.channels import posting
from delivery.channels import x as x_module
from delivery.models import Account
from tests.delivery import toy_channel as toy_module
from tests.delivery.fake_mastodon import fake_mastodon
from tests.delivery.fake_x import Answer, fake_x
from tests.delivery.smtp_servers import SILENT, bad_server
from tests.http_servers import Reply, Sent, listening

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers

SECRET = "hunter2-hunter2"
HOSTILE = '<script>alert(1)</script> {{ 7*7 }} & "quotes" @everyone'

OK, REFUSED, TROUBLE, SILENCE, NO_ACCESS = "ok", "refused", "trouble", "silence", "no access"


@dataclass
class Rig:
    """The other side of a channel. `texts` returns the decoded texts that arrived there."""

    texts: Callable[[], list[str]]
    hostile: list[str]
    """What a text must contain when the notice's title is HOSTILE, escaped as in the channel's format."""
    secrets: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Fixtures:
    """The fixtures of the test, for rigs that need them."""

    settings: Settings
    monkeypatch: pytest.MonkeyPatch
    request: pytest.FixtureRequest
    add_subscribers: AddSubscribers


OpenRig = Callable[[str, Fixtures], AbstractContextManager[Rig]]
"""Starts the other side, which answers as told (OK, REFUSED, …), and the account or subscriber that is sent to."""
RIGS: dict[str, OpenRig] = {}


def rig(kind: str) -> Callable[[Callable[[str, Fixtures], Iterator[Rig]]], OpenRig]:
    """Register the decorated generator as the rig of a channel."""

    def register(open_rig: Callable[[str, Fixtures], Iterator[Rig]]) -> OpenRig:
        RIGS[kind] = contextmanager(open_rig)
        return RIGS[kind]

    return register


@rig("email")
def email_rig(answer: str, fixtures: Fixtures) -> Iterator[Rig]:
    script = {
        OK: {},
        REFUSED: {"RCPT": ["550 5.7.1 no"]},
        TROUBLE: {"dot": ["451 try later"]},
        SILENCE: {"dot": [SILENT]},
        NO_ACCESS: {"AUTH": ["535 wrong", "535 wrong"]},
    }[answer]
    with bad_server(script) as server:
        fixtures.settings.MAIL_DIR, fixtures.settings.EMAIL_TIMEOUT = None, 0.5
        fixtures.settings.EMAIL_HOST, fixtures.settings.EMAIL_PORT = server.host, server.port
        fixtures.settings.EMAIL_HOST_USER, fixtures.settings.EMAIL_HOST_PASSWORD = "acme", SECRET
        fixtures.add_subscribers(1)
        yield Rig(
            lambda: [each.get_body(("html",)).get_content() for each in server.messages],  # type: ignore[union-attr]
            hostile=["&lt;script&gt;alert(1)&lt;/script&gt;", "{{ 7*7 }}", "&amp; &quot;quotes&quot;"],
            secrets=[SECRET],
        )


@rig("x")
def x_rig(answer: str, fixtures: Fixtures) -> Iterator[Rig]:
    account = fixtures.request.getfixturevalue("x_account")
    account.credentials = account.credentials | {"access_token_secret": SECRET}
    account.save()
    script = {
        OK: [],
        REFUSED: [Answer(400, {"detail": "no"})],
        TROUBLE: [Answer(500)],
        SILENCE: [Answer(seconds=0.5)],
        NO_ACCESS: [Answer(401)],
    }[answer]
    with fake_x(account.credentials) as server:
        server.script = script
        fixtures.monkeypatch.setattr(x_module, "SECONDS", 0.2)
        fixtures.monkeypatch.setattr(x_module.ApiAdapter, "base_url", server.url)
        yield Rig(
            lambda: [each["text"] for each in server.posts],
            # Plain text; the zero-width character keeps a title from calling somebody's account.
            hostile=[HOSTILE.replace("@", "@\u200b")],
            secrets=list(account.credentials.values())[3:],
        )


@rig("webhook")
def webhook_rig(answer: str, fixtures: Fixtures) -> Iterator[Rig]:
    account = fixtures.request.getfixturevalue("webhook_account")
    signer = Signer(account.credentials["secret"])
    reply = {
        OK: Reply(),
        REFUSED: Reply(400, b"no"),
        TROUBLE: Reply(500),
        SILENCE: Reply(seconds=0.5),
        NO_ACCESS: Reply(401),
    }[answer]

    def check(sent: Sent) -> Reply:
        try:
            signer.verify(sent.body, sent.headers)
        except WebhookVerificationError:
            return Reply(401)
        return reply

    with listening(check) as server:
        fixtures.monkeypatch.setattr(posting, "SECONDS", 0.2)
        account.credentials = account.credentials | {"url": f"{server.url}/hooks/{SECRET}"}
        account.save()
        yield Rig(
            lambda: [each.json["data"]["title"] for each in server.requests if reply.status == 200],
            hostile=[HOSTILE],
            secrets=[SECRET, account.credentials["secret"]],
        )


@rig("slack")
def slack_rig(answer: str, fixtures: Fixtures) -> Iterator[Rig]:
    account = fixtures.request.getfixturevalue("slack_account")
    reply = {
        OK: Reply(),
        REFUSED: Reply(400, b"no_text"),
        TROUBLE: Reply(500),
        SILENCE: Reply(seconds=0.5),
        NO_ACCESS: Reply(403, b"invalid_token"),
    }[answer]
    with listening(lambda sent: reply) as server:
        fixtures.monkeypatch.setattr(posting, "SECONDS", 0.2)
        account.credentials = {"url": f"{server.url}/services/{SECRET}"}
        account.save()
        yield Rig(
            lambda: [each.json["text"] for each in server.requests if reply.status == 200],
            hostile=["&lt;script&gt;alert(1)&lt;/script&gt;", "{{ 7*7 }}", '&amp; "quotes"'],
            secrets=[SECRET],
        )


@rig("mastodon")
def mastodon_rig(answer: str, fixtures: Fixtures) -> Iterator[Rig]:
    with fake_mastodon(SECRET) as server:
        fixtures.monkeypatch.setattr(posting, "SECONDS", 0.2)
        page = fixtures.request.getfixturevalue("page")
        token = "another" if answer == NO_ACCESS else SECRET
        options, secrets = {"url": server.url}, {"token": token}
        Account.objects.create(page=page, channel="mastodon", name="us", options=options, credentials=secrets)
        server.script = {
            REFUSED: [Reply(422, b'{"error": "no"}')],
            TROUBLE: [Reply(503)],
            SILENCE: [Reply(seconds=0.5)],
        }.get(answer, [])
        yield Rig(
            lambda: [post["status"] for post in server.posts.values()],
            # Plain text; the zero-width character keeps a title from calling somebody's account.
            hostile=[HOSTILE.replace("@", "@\u200b")],
            secrets=[SECRET],
        )


@rig("pagerduty")
def pagerduty_rig(answer: str, fixtures: Fixtures) -> Iterator[Rig]:
    account = fixtures.request.getfixturevalue("pagerduty_account")
    reply = {
        OK: Reply(202, b'{"status": "success"}'),
        REFUSED: Reply(400, b"no event"),
        TROUBLE: Reply(500),
        SILENCE: Reply(seconds=0.5),
        NO_ACCESS: Reply(403),
    }[answer]
    with listening(lambda sent: reply) as server:
        fixtures.monkeypatch.setattr(posting, "SECONDS", 0.2)
        account.credentials, account.options = {"key": (SECRET * 3)[:32]}, {"url": server.url}
        account.save()
        yield Rig(
            lambda: [each.json["payload"]["summary"] for each in server.requests if reply.status == 202],
            hostile=[HOSTILE],
            secrets=[SECRET],
        )


@rig("toy")
def toy_rig(answer: str, fixtures: Fixtures) -> Iterator[Rig]:
    account = fixtures.request.getfixturevalue("toy_account")
    reply = {
        OK: Reply(200, b'{"uri": "at://acme/1", "cid": "bafy1"}'),
        REFUSED: Reply(400, b"no"),
        TROUBLE: Reply(500),
        SILENCE: Reply(seconds=0.5),
        NO_ACCESS: Reply(401),
    }[answer]
    with listening(lambda sent: reply) as server:
        fixtures.monkeypatch.setattr(toy_module, "SECONDS", 0.2)
        account.options["address"] = server.url
        account.credentials = {"token": SECRET}
        account.save()
        yield Rig(
            lambda: [each.json["text"] for each in server.requests if reply.status == 200],
            hostile=[HOSTILE],
            secrets=[SECRET],
        )
