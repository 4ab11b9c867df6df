"""What switches webhooks of mail providers on, and what does not fit together."""

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.test import Client
from pytest_django import Settings

from delivery.mail.bounces import checks, webhooks
from statuspage.environment import Environment

SECRET = "reports:a-long-password"


@pytest.mark.parametrize(
    ("secret", "keys", "found"),
    [
        ("", {}, set()),
        (SECRET, {}, set()),
        (SECRET, {"mailgun": "x"}, set()),
        ("user:short", {}, {"delivery.E001"}),
        ("a-long-word-without-a-colon", {}, {"delivery.E001"}),
        ("", {"mailgun": "x"}, {"delivery.E003"}),
        (SECRET, {"mailjet": "x"}, {"delivery.E004"}),
    ],
)
def test_settings_that_do_not_fit_together_are_named(
    settings: Settings, secret: str, keys: dict[str, str], found: set[str]
) -> None:
    settings.BOUNCE_WEBHOOK_SECRET, settings.BOUNCE_WEBHOOK_KEYS = secret, keys
    assert {each.id for each in run_checks() if str(each.id).startswith("delivery.E")} == found


def test_a_secret_without_the_library_is_named_and_opens_nothing(
    db: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.BOUNCE_WEBHOOK_SECRET = SECRET
    for module in (checks, webhooks):
        monkeypatch.setattr(module, "is_installed", lambda: False)
    assert "delivery.E002" in {each.id for each in run_checks()}
    assert Client().post("/bounces/mailjet").status_code == 404


def test_keys_are_read_as_a_list_of_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOUNCE_WEBHOOK_KEYS", "Mailgun=abc==, postal=x")
    assert Environment().keys("BOUNCE_WEBHOOK_KEYS") == {"mailgun": "abc==", "postal": "x"}
    for bad in ("mailgun", "mailgun=", "=secret", "mailgun=sécret"):
        monkeypatch.setenv("BOUNCE_WEBHOOK_KEYS", bad)
        with pytest.raises(ImproperlyConfigured, match=r"^BOUNCE_WEBHOOK_KEYS: is not a list such as mailgun=KEY\.$"):
            Environment().keys("BOUNCE_WEBHOOK_KEYS")
