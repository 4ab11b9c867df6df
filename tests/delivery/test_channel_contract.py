"""What every channel must keep to. A new channel needs one entry in RIGS, and passes."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from pytest_django import Settings
from standardwebhooks import Webhook as Signer
from standardwebhooks import WebhookVerificationError

from delivery import registry
from delivery.channels import posting
from delivery.channels import x as x_module
from delivery.contract import DeliveryError
from delivery.ledger import outbox, sender
from delivery.models import Account, Delivery, Notice, Pause
from tests.delivery import toy_channel as toy_module
from tests.delivery.fake_mastodon import fake_mastodon
from tests.delivery.fake_x import Answer, fake_x
from tests.delivery.ledger import assert_ledger_balances
from tests.delivery.smtp_servers import SILENT, bad_server
from tests.http_servers import Reply, Sent, listening

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers

State = Delivery.State
SECRET = "hunter2-hunter2"
HOSTILE = '<script>alert(1)</script> {{ 7*7 }} & "quotes" @everyone'
OK, REFUSED, TROUBLE, SILENCE, NO_ACCESS = "ok", "refused", "trouble", "silence", "no access"


@dataclass
class Rig:
    """The other side of a channel, told how to answer; `texts` is what arrived there, decoded."""

    texts: Callable[[], list[str]]
    hostile: list[str]
    """What must stand in a text when the notice's title is HOSTILE, escaped as the format has it."""
    secrets: list[str] = field(default_factory=list)


@pytest.fixture
def rigs(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    add_subscribers: AddSubscribers,
) -> dict[str, Callable[[str], object]]:
    @contextmanager
    def email(answer: str) -> Iterator[Rig]:
        script = {
            OK: {},
            REFUSED: {"RCPT": ["550 5.7.1 no"]},
            TROUBLE: {"dot": ["451 try later"]},
            SILENCE: {"dot": [SILENT]},
            NO_ACCESS: {"AUTH": ["535 wrong", "535 wrong"]},
        }[answer]
        with bad_server(script) as server:
            settings.MAIL_DIR, settings.EMAIL_TIMEOUT = None, 0.5
            settings.EMAIL_HOST, settings.EMAIL_PORT = server.host, server.port
            settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "acme", SECRET
            add_subscribers(1)
            yield Rig(
                lambda: [each.get_body(("html",)).get_content() for each in server.messages],  # type: ignore[union-attr]
                hostile=["&lt;script&gt;alert(1)&lt;/script&gt;", "{{ 7*7 }}", "&amp; &quot;quotes&quot;"],
                secrets=[SECRET],
            )

    @contextmanager
    def x(answer: str) -> Iterator[Rig]:
        account = request.getfixturevalue("x_account")
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
            monkeypatch.setattr(x_module, "SECONDS", 0.2)
            monkeypatch.setattr(x_module.ApiAdapter, "base_url", server.url)
            yield Rig(
                lambda: [each["text"] for each in server.posts],
                # Plain text; the zero-width character keeps a title from calling somebody's account.
                hostile=[HOSTILE.replace("@", "@\u200b")],
                secrets=list(account.credentials.values())[3:],
            )

    @contextmanager
    def webhook(answer: str) -> Iterator[Rig]:
        account = request.getfixturevalue("webhook_account")
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
            monkeypatch.setattr(posting, "SECONDS", 0.2)
            account.credentials = account.credentials | {"url": f"{server.url}/hooks/{SECRET}"}
            account.save()
            yield Rig(
                lambda: [each.json["data"]["title"] for each in server.requests if reply.status == 200],
                hostile=[HOSTILE],
                secrets=[SECRET, account.credentials["secret"]],
            )

    @contextmanager
    def slack(answer: str) -> Iterator[Rig]:
        account = request.getfixturevalue("slack_account")
        reply = {
            OK: Reply(),
            REFUSED: Reply(400, b"no_text"),
            TROUBLE: Reply(500),
            SILENCE: Reply(seconds=0.5),
            NO_ACCESS: Reply(403, b"invalid_token"),
        }[answer]
        with listening(lambda sent: reply) as server:
            monkeypatch.setattr(posting, "SECONDS", 0.2)
            account.credentials = {"url": f"{server.url}/services/{SECRET}"}
            account.save()
            yield Rig(
                lambda: [each.json["text"] for each in server.requests if reply.status == 200],
                hostile=["&lt;script&gt;alert(1)&lt;/script&gt;", "{{ 7*7 }}", '&amp; "quotes"'],
                secrets=[SECRET],
            )

    @contextmanager
    def mastodon(answer: str) -> Iterator[Rig]:
        with fake_mastodon(SECRET) as server:
            monkeypatch.setattr(posting, "SECONDS", 0.2)
            page = request.getfixturevalue("page")
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

    @contextmanager
    def pagerduty(answer: str) -> Iterator[Rig]:
        account = request.getfixturevalue("pagerduty_account")
        reply = {
            OK: Reply(202, b'{"status": "success"}'),
            REFUSED: Reply(400, b"no event"),
            TROUBLE: Reply(500),
            SILENCE: Reply(seconds=0.5),
            NO_ACCESS: Reply(403),
        }[answer]
        with listening(lambda sent: reply) as server:
            monkeypatch.setattr(posting, "SECONDS", 0.2)
            account.credentials, account.options = {"key": (SECRET * 3)[:32]}, {"url": server.url}
            account.save()
            yield Rig(
                lambda: [each.json["payload"]["summary"] for each in server.requests if reply.status == 202],
                hostile=[HOSTILE],
                secrets=[SECRET],
            )

    @contextmanager
    def toy(answer: str) -> Iterator[Rig]:
        account = request.getfixturevalue("toy_account")
        reply = {
            OK: Reply(200, b'{"uri": "at://acme/1", "cid": "bafy1"}'),
            REFUSED: Reply(400, b"no"),
            TROUBLE: Reply(500),
            SILENCE: Reply(seconds=0.5),
            NO_ACCESS: Reply(401),
        }[answer]
        with listening(lambda sent: reply) as server:
            monkeypatch.setattr(toy_module, "SECONDS", 0.2)
            account.options["address"] = server.url
            account.credentials = {"token": SECRET}
            account.save()
            yield Rig(
                lambda: [each.json["text"] for each in server.requests if reply.status == 200],
                hostile=[HOSTILE],
                secrets=[SECRET],
            )

    accounts = {"x": x, "mastodon": mastodon, "slack": slack, "pagerduty": pagerduty, "webhook": webhook, "toy": toy}
    return {"email": email, **accounts}


@pytest.fixture(params=[*registry.CHANNELS, "toy"])
def kind(request: pytest.FixtureRequest) -> str:
    """The toy channel stands for one that somebody will add."""
    if request.param == "toy":
        request.getfixturevalue("toy")
    return str(request.param)


def deliver(kind: str, notice: Notice) -> Delivery:
    outbox.expand(notice.pk)
    sender.drain(kind, 20)
    assert_ledger_balances(notice)
    return notice.deliveries.get(channel=kind)


def test_what_is_accepted_is_sent(kind: str, rigs, notice: Notice):
    with rigs[kind](OK) as rig:
        row = deliver(kind, notice)

    assert row.state == State.SENT
    assert row.sent_at
    assert len(rig.texts()) == 1
    assert notice.title in rig.texts()[0]


def test_what_is_refused_is_dead_and_says_why(kind: str, rigs, notice: Notice):
    with rigs[kind](REFUSED) as rig:
        row = deliver(kind, notice)

    assert row.state == State.DEAD
    assert "no" in row.error
    assert rig.texts() == []


def test_trouble_on_the_other_side_is_tried_again_later(kind: str, rigs, notice: Notice):
    with rigs[kind](TROUBLE):
        row = deliver(kind, notice)

    assert (row.state, row.attempts) == (State.PENDING, 1)
    assert row.next_attempt_at > row.queued_at


def test_silence_ends_in_a_time_out_and_is_ambiguous(kind: str, rigs, notice: Notice):
    with rigs[kind](SILENCE):
        row = deliver(kind, notice)

    assert (row.state, row.ambiguous) == (State.PENDING, True)


def test_refused_credentials_pause_and_burn_no_attempt(kind: str, rigs, notice: Notice):
    with rigs[kind](NO_ACCESS):
        row = deliver(kind, notice)

    assert (row.state, row.attempts) == (State.PENDING, 0)
    assert Pause.objects.get().reason


def test_hostile_text_arrives_as_text(kind: str, rigs, make_notice):
    notice = make_notice(title=HOSTILE)
    with rigs[kind](OK) as rig:
        deliver(kind, notice)

    (text,) = rig.texts()
    for words in rig.hostile:
        assert words in text
    assert ("<script" in text) == ("<script" in "".join(rig.hostile))


@pytest.mark.parametrize("answer", [OK, REFUSED, SILENCE, NO_ACCESS])
def test_secrets_are_neither_logged_nor_stored(
    answer: str, kind: str, rigs, notice: Notice, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.DEBUG, logger="delivery"), rigs[kind](answer) as rig:
        row = deliver(kind, notice)

    stored = " ".join([row.error, json.dumps(row.remote), *Pause.objects.values_list("reason", flat=True)])
    for secret in rig.secrets:
        assert secret not in caplog.text
        assert secret not in stored


@pytest.mark.parametrize(
    ("asked", "right"), [(None, None), (30.0, 30.0), (-5.0, 0.0), (float("inf"), 86_400.0), (1e300, 86_400.0)]
)
def test_the_other_side_may_ask_for_a_day_at_most(asked: float | None, right: float | None) -> None:
    assert DeliveryError("later", retry_after=asked).retry_after == right
