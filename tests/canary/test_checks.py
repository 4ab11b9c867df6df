"""Settings of the canary that do not fit together are named, each with a hint; nothing set says nothing."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_django import Settings

from canary.checks import MESSAGES, check_canary

RELAY = {"EMAIL_HOST": "mail.example.com"}
WELL: dict[str, Any] = {
    "CANARY_MAIL_TO": "canary@in.example.com",
    "CANARY_MAIL_SECRET": "the-way-in",
    "CANARY_WEBHOOK_URL": "https://status.example.com/canary/hook",
    "ALARM_PAGERDUTY_KEY": "0123456789abcdef0123456789abcdef",
    "SMTP": RELAY,
}
WRONG: dict[str, dict[str, Any]] = {
    "E001": {"CANARY_MAIL_TO": "canary"},
    "E002": {"CANARY_IMAP_URL": "imaps://host/INBOX"},
    "W001": {"ALARM_PAGERDUTY_KEY": ""},
    "W002": {"CANARY_MAIL_SECRET": ""},
    "W003": {"CANARY_DEADLINE_SECONDS": 121},
    "W004": {"ALARM_PAGERDUTY_KEY": "an API key"},
    "W005": {"ALARM_EMAILS": ["oncall@example.com"], "ALARM_EMAIL_URL": "", "CANARY_MAIL_TO": ""},
    "W006": {"SMTP": {}},
}


def found(settings: Settings, values: dict[str, Any]) -> list[str | None]:
    for name, value in values.items():
        setattr(settings, name, value)
    return [each.id for each in check_canary()]


def test_nothing_set_says_nothing():
    assert check_canary() == []


def test_what_fits_together_says_nothing(settings: Settings):
    assert found(settings, WELL) == []


@pytest.mark.parametrize("number", MESSAGES)
def test_what_does_not_is_named_with_a_hint(number: str, settings: Settings):
    assert found(settings, WELL | WRONG[number]) == [f"canary.{number}"]
    assert all(each.hint for each in check_canary())


def test_a_dead_mans_switch_alone_needs_no_account_for_alarms(settings: Settings):
    assert found(settings, WELL | {"ALARM_PAGERDUTY_KEY": "", "ALARM_DEADMAN_URL": "https://hc.example.com/x"}) == []


@pytest.mark.django_db
def test_staff_see_alarms_past_and_present_and_how_to_begin(admin_client):
    from canary.models import Alarm

    alarm = Alarm.objects.create(
        key="arrival.email", text="5 of 12 did not arrive.\nLook.", told={"Slack": ["raised", ""]}
    )

    shown = admin_client.get("/admin/canary/alarm/").text
    assert "5 of 12 did not arrive." in shown
    assert "Slack" in shown
    assert "No canary is set up" in shown
    assert admin_client.get(f"/admin/canary/alarm/{alarm.pk}/change/").status_code == 200
    assert "Alarm since" in admin_client.get("/staff/").text


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"ALARM_EMAILS": ["oncall"], "ALARM_EMAIL_URL": "smtp://mail.example.com"},
            "E-mail to oncall: Address: Enter a",
        ),
        ({"ALARM_WEBHOOK_URL": "https://x.example"}, "Webhook: Secret of at least 24 bytes, in base64 (whsec_…): This"),
        ({"ALARM_PAGERDUTY_KEY": "an API key"}, "PagerDuty: Integration key of an Events API v2 integration: Ensure"),
    ],
    ids=["no address", "no secret", "no key"],
)
def test_what_a_channel_would_not_take_is_named(settings: Settings, values: dict[str, Any], words: str):
    assert found(settings, WELL | values) == ["canary.W004"]
    (message,) = check_canary()
    assert words in message.msg
    assert "an API key" not in message.msg
