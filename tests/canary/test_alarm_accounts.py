"""Alarms on each kind of account, against a local server that checks what the real one checks; without a database."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from pytest_django import Settings
from standardwebhooks import Webhook as Signer
from standardwebhooks import WebhookVerificationError

from canary.alarm_accounts import configured, mistakes, send_alarm
from canary.alarm_notices import AlarmStage, build_notice
from canary.findings import Finding
from delivery.contract import DeliveryError
from delivery.models import Account, Notice
from tests.canary.conftest import KEY
from tests.delivery.smtp_servers import HANG_UP, bad_server
from tests.http_servers import Reply, Sent, listening

HOSTILE = "<!channel> & <https://evil.example|click>"
SINCE = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
SECRET = "hunter2hunter2"
STAFF = "https://status.acme.example/staff/"
FINDING = Finding("arrival.email", f"5 of 12 did not arrive {HOSTILE}\nLook at the relay of CANARY_MAIL_TO_ORG.")
WEBHOOK_SECRET = "whsec_" + "c3RhdHVzcGFnZSBzZWNyZXQgZm9yIHRlc3Rz"
KINDS = ["pagerduty", "slack", "webhook", "email"]


@dataclass
class Rig:
    account: Account
    texts: Callable[[], list[str]]


def notice(account: Account, stage: AlarmStage = AlarmStage.RAISED, told_at: str = "") -> Notice:
    return build_notice(account.page, FINDING, SINCE, stage, told_at)


def as_slack(sent: Sent) -> Reply:
    """What Slack refuses: another type than JSON, no text, and control sequences that nobody escaped."""
    if sent.headers.get("content-type") != "application/json":
        return Reply(400, b"invalid_payload")
    text = sent.json.get("text", "")
    if not text or len(text) > 40_000:
        return Reply(400, b"no_text")
    return Reply(500, b"rollup_error") if re.search(r"<[!@#h]", text) else Reply(200, b"ok")


def as_pagerduty(sent: Sent) -> Reply:
    """What the Events API v2 refuses."""
    event, errors = sent.json, []
    if len(event.get("routing_key", "")) != 32:
        errors.append("Length of 'routing_key' is incorrect (should be 32 characters)")
    if event.get("event_action") not in ("trigger", "acknowledge", "resolve"):
        errors.append("'event_action' is invalid")
    if not 0 < len(event.get("dedup_key", "")) <= 255:
        errors.append("'dedup_key' is missing or too long")
    if event.get("event_action") == "trigger":
        payload = event.get("payload", {})
        errors += [
            f"'payload.{name}' is missing" for name in ("summary", "source", "severity") if not payload.get(name)
        ]
        if len(payload.get("summary", "")) > 1024 or payload.get("severity") not in (
            "critical",
            "error",
            "warning",
            "info",
        ):
            errors.append("'payload' is invalid")
    if errors:
        return Reply(400, json.dumps({"status": "invalid event", "errors": errors}).encode())
    return Reply(202, b'{"status": "success", "message": "Event processed"}')


def as_webhook(sent: Sent) -> Reply:
    """What a receiver of Standard Webhooks refuses: what is not signed."""
    try:
        Signer(WEBHOOK_SECRET).verify(sent.body, sent.headers)
    except WebhookVerificationError:
        return Reply(401)
    return Reply(204, b"")


@pytest.fixture
def rigs(settings: Settings) -> dict[str, Callable[[Reply | None], object]]:
    """`answer` is given instead of a check."""

    def over_http(check: Callable[[Sent], Reply], setting: str) -> Callable[[Reply | None], object]:
        @contextmanager
        def rig(answer: Reply | None) -> Iterator[Rig]:
            with listening((lambda sent: answer) if answer else check) as server:
                setattr(settings, setting, f"{server.url}/{SECRET}")
                yield Rig(configured()[0], lambda: [each.body.decode() for each in server.requests])

        return rig

    @contextmanager
    def pagerduty(answer: Reply | None) -> Iterator[Rig]:
        settings.ALARM_PAGERDUTY_KEY = KEY
        with over_http(as_pagerduty, "ALARM_PAGERDUTY_URL")(answer) as rig:  # type: ignore[attr-defined]
            yield rig

    @contextmanager
    def mail(answer: Reply | None) -> Iterator[Rig]:
        with bad_server({"dot": [HANG_UP if answer.seconds else "554 no"]} if answer else {}) as server:
            settings.ALARM_EMAILS = ["oncall@acme.example"]
            settings.ALARM_EMAIL_URL = f"smtp://a:{SECRET}@{server.host}:{server.port}"
            yield Rig(
                configured()[0],
                lambda: [f"{each['Subject']} {each.get_body(('plain',)).get_content()}" for each in server.messages],
            )

    settings.PUBLIC_URL, settings.ALARM_WEBHOOK_SECRET = "https://status.acme.example", WEBHOOK_SECRET
    return {
        "slack": over_http(as_slack, "ALARM_SLACK_URL"),
        "webhook": over_http(as_webhook, "ALARM_WEBHOOK_URL"),
        "pagerduty": pagerduty,
        "email": mail,
    }


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_an_alarm_and_its_end_are_taken(kind: str, rigs):
    with rigs[kind](None) as rig:
        assert rig.account.channel == kind
        assert mistakes(rig.account) == []
        send_alarm(rig.account, notice(rig.account))
        send_alarm(rig.account, notice(rig.account, AlarmStage.CLEAR))

    assert len(rig.texts()) == 2
    assert "5 of 12 did not arrive" in rig.texts()[0]
    assert "Look at the relay of" in rig.texts()[0]
    assert STAFF in rig.texts()[0]
    assert rig.texts()[0] != rig.texts()[1]


@pytest.mark.parametrize("kind", ["slack", "email"])
def test_names_of_settings_arrive_as_they_are(kind: str, rigs):
    with rigs[kind](None) as rig:
        send_alarm(rig.account, notice(rig.account))

    assert "Look at the relay of CANARY_MAIL_TO_ORG." in rig.texts()[0]
    assert "Since 2026-11-21 04:00 UTC." in rig.texts()[0]


@pytest.mark.parametrize("answer", [Reply(400, b"no_service"), Reply(302, b"", {"Location": "/x"}), Reply(500)])
def test_a_refusal_is_an_error(answer: Reply, kind: str, rigs):
    with rigs[kind](answer) as rig, pytest.raises(DeliveryError) as caught:
        send_alarm(rig.account, notice(rig.account))

    assert str(caught.value)
    for secret in (SECRET, KEY, WEBHOOK_SECRET):
        assert secret not in str(caught.value)


def test_silence_is_an_error_after_a_while(kind: str, rigs, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("delivery.channels.posting.SECONDS", 0.2)

    with rigs[kind](Reply(seconds=1)) as rig, pytest.raises(DeliveryError):
        send_alarm(rig.account, notice(rig.account))


def test_pagerduty_resolves_what_it_triggered(rigs):
    with rigs["pagerduty"](None) as rig:
        send_alarm(rig.account, notice(rig.account))
        send_alarm(rig.account, notice(rig.account, AlarmStage.CLEAR))

    trigger, resolve = map(json.loads, rig.texts())
    assert (trigger["event_action"], resolve["event_action"]) == ("trigger", "resolve")
    assert trigger["dedup_key"] == resolve["dedup_key"] == "statuspage/status.acme.example/arrival.email"
    assert trigger["payload"]["severity"] == "critical"


@pytest.mark.parametrize(
    "answer", [Reply(202, b"x" * 100_000), Reply(202, b"\x1f\x8b", {"Content-Encoding": "gzip"})], ids=["long", "gzip"]
)
def test_pagerduty_has_the_alarm_whatever_the_body_of_its_answer_is(answer: Reply, rigs):
    with rigs["pagerduty"](answer) as rig:
        send_alarm(rig.account, notice(rig.account))
    assert len(rig.texts()) == 1


def test_slack_takes_200_without_ok_for_a_failure(rigs):
    with rigs["slack"](Reply(200, b"<html>a proxy's page</html>")) as rig, pytest.raises(DeliveryError):
        send_alarm(rig.account, notice(rig.account))


def test_a_webhook_can_tell_an_alarm_from_an_incident_and_a_repeat_from_a_reminder(rigs):
    """Who acts on incidents must not take an alarm for one."""
    with rigs["webhook"](None) as rig:
        for stage, told_at in ((AlarmStage.RAISED, ""), (AlarmStage.RAISED, ""), (AlarmStage.REMINDER, "04:10")):
            send_alarm(rig.account, notice(rig.account, stage, told_at))

    first, again, reminder = map(json.loads, rig.texts())
    assert first["type"] == "notice.alarm"
    assert first["data"]["id"] == again["data"]["id"] != reminder["data"]["id"]


def test_mail_has_no_server_to_go_through(settings: Settings):
    settings.ALARM_EMAILS, settings.ALARM_EMAIL_URL = ["oncall@acme.example"], ""
    (account,) = configured()

    with pytest.raises(DeliveryError, match="ALARM_EMAIL_URL"):
        send_alarm(account, notice(account))


def test_each_alarm_address_is_an_account_of_its_own(settings: Settings):
    with bad_server({"RCPT": ["550 5.1.1 unknown"]}) as server:
        settings.ALARM_EMAILS = ["gone@acme.example", "oncall@acme.example", "oncall@acme.example"]
        settings.ALARM_EMAIL_URL = f"smtp://{server.host}:{server.port}"
        gone, there = configured()
        with pytest.raises(DeliveryError):
            send_alarm(gone, notice(gone))
        send_alarm(there, notice(there))

    assert [gone.name, there.name] == ["E-mail to gone@acme.example", "E-mail to oncall@acme.example"]
    assert server.recipients == ["oncall@acme.example"]


def test_the_mail_server_for_alarms_is_asked_and_not_that_of_subscribers(settings: Settings):
    with bad_server({}) as ordinary, bad_server({}) as server:
        settings.MAIL_DIR, settings.EMAIL_HOST, settings.EMAIL_PORT = None, ordinary.host, ordinary.port
        settings.ALARM_EMAILS = ["oncall@acme.example"]
        settings.ALARM_EMAIL_URL = f"smtp://{server.host}:{server.port}"
        (account,) = configured()
        send_alarm(account, notice(account))

    assert (len(server.messages), len(ordinary.messages)) == (1, 0)


def test_what_wakes_people_comes_first(settings: Settings):
    settings.ALARM_EMAILS, settings.ALARM_EMAIL_URL = ["oncall@acme.example"], "smtp://mail.acme.example"
    settings.ALARM_WEBHOOK_URL = settings.ALARM_SLACK_URL = "https://hooks.acme.example"
    settings.ALARM_PAGERDUTY_KEY, settings.ALARM_WEBHOOK_SECRET = KEY, WEBHOOK_SECRET

    assert [account.channel for account in configured()] == KINDS
