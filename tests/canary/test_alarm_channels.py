"""Each alarm channel against a local server that checks what the real one checks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from pytest_django import Settings

from canary.alarm_channels import KINDS, AlarmChannel, AlarmError, AlarmMessage
from tests.canary.conftest import KEY
from tests.delivery.smtp_servers import HANG_UP, bad_server
from tests.http_servers import Reply, Sent, listening

HOSTILE = "<!channel> & <https://evil.example|click>"
SINCE = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)
SECRET = "hunter2hunter2"
STAFF = "https://status.acme.example/admin/"
ALARM = AlarmMessage(
    "status.acme.example", "arrival.email", f"5 of 12 did not arrive {HOSTILE}\nLook at the relay.", SINCE, link=STAFF
)
CLEAR = AlarmMessage("status.acme.example", "arrival.email", ALARM.text, SINCE, is_clear=True)


@dataclass
class Rig:
    texts: Callable[[], list[str]]


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


@pytest.fixture
def rigs(settings: Settings) -> dict[str, Callable[[Reply | None], object]]:
    """`answer` is given instead of a check."""

    def over_http(check: Callable[[Sent], Reply], setting: str) -> Callable[[Reply | None], object]:
        @contextmanager
        def rig(answer: Reply | None) -> Iterator[Rig]:
            with listening((lambda sent: answer) if answer else check) as server:
                setattr(settings, setting, f"{server.url}/{SECRET}")
                yield Rig(lambda: [each.body.decode() for each in server.requests])

        return rig

    @contextmanager
    def mail(answer: Reply | None) -> Iterator[Rig]:
        with bad_server({"dot": [HANG_UP if answer.seconds else "554 no"]} if answer else {}) as server:
            settings.ALARM_EMAILS = ["oncall@acme.example"]
            settings.ALARM_SMTP = {
                "EMAIL_HOST": server.host, "EMAIL_PORT": server.port, "EMAIL_HOST_USER": "a",
                "EMAIL_HOST_PASSWORD": SECRET, "EMAIL_USE_TLS": False, "EMAIL_USE_SSL": False,
            }  # fmt: skip
            yield Rig(lambda: [f"{each['Subject']} {each.get_content()}" for each in server.messages])

    settings.ALARM_PAGERDUTY_KEY = KEY
    return {
        "Slack": over_http(as_slack, "ALARM_SLACK_URL"),
        "PagerDuty": over_http(as_pagerduty, "ALARM_PAGERDUTY_URL"),
        "Mail": mail,
    }


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def channel(request: pytest.FixtureRequest) -> AlarmChannel:
    return request.param()


def test_an_alarm_and_its_end_are_taken(channel: AlarmChannel, rigs):
    with rigs[channel.name](None) as rig:
        assert channel.is_configured()
        channel.tell(ALARM)
        channel.tell(CLEAR)

    assert len(rig.texts()) == 2
    assert "5 of 12 did not arrive" in rig.texts()[0]
    assert "Look at the relay." in rig.texts()[0]
    assert STAFF in rig.texts()[0]
    assert rig.texts()[0] != rig.texts()[1]


@pytest.mark.parametrize("answer", [Reply(400, b"no_service"), Reply(302, b"", {"Location": "/x"}), Reply(500)])
def test_a_refusal_is_an_error(answer: Reply, channel: AlarmChannel, rigs):
    with rigs[channel.name](answer), pytest.raises(AlarmError) as caught:
        channel.tell(ALARM)

    assert str(caught.value)
    assert SECRET not in str(caught.value)
    assert KEY not in str(caught.value)


def test_silence_is_an_error_after_a_while(channel: AlarmChannel, rigs, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("canary.alarm_channels.base.SECONDS", 0.2)

    with rigs[channel.name](Reply(seconds=1)), pytest.raises(AlarmError):
        channel.tell(ALARM)


def test_pagerduty_resolves_what_it_triggered(rigs):
    pagerduty = next(kind for kind in KINDS if kind.name == "PagerDuty")()
    with rigs["PagerDuty"](None) as rig:
        pagerduty.tell(ALARM)
        pagerduty.tell(CLEAR)

    trigger, resolve = map(json.loads, rig.texts())
    assert (trigger["event_action"], resolve["event_action"]) == ("trigger", "resolve")
    assert trigger["dedup_key"] == resolve["dedup_key"] == "statuspage/status.acme.example/arrival.email"


@pytest.mark.parametrize(
    "answer", [Reply(202, b"x" * 100_000), Reply(202, b"\x1f\x8b", {"Content-Encoding": "gzip"})], ids=["long", "gzip"]
)
def test_pagerduty_has_the_alarm_whatever_the_body_of_its_answer_is(answer: Reply, rigs):
    with rigs["PagerDuty"](answer) as rig:
        next(kind for kind in KINDS if kind.name == "PagerDuty")().tell(ALARM)
    assert len(rig.texts()) == 1


def test_slack_takes_200_without_ok_for_a_failure(rigs):
    slack = next(kind for kind in KINDS if kind.name == "Slack")()
    with rigs["Slack"](Reply(200, b"<html>a proxy's page</html>")), pytest.raises(AlarmError):
        slack.tell(ALARM)


def test_mail_has_no_server_to_go_through(settings: Settings):
    settings.ALARM_EMAILS, settings.ALARM_SMTP, settings.SMTP = ["oncall@acme.example"], {}, {}
    mail = next(kind for kind in KINDS if kind.name == "Mail")()

    with pytest.raises(AlarmError, match="ALARM_EMAIL_URL"):
        mail.tell(ALARM)
