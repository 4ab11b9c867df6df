"""Settings of mail that do not fit together."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from core.imap import MailboxUrl
from delivery.mail.bounces.checks import check_bounce_mailbox

SMTP = {"EMAIL_HOST": "relay.example"}


@pytest.mark.parametrize(
    ("url", "smtp", "found"),
    [
        (None, {}, []),
        ("imaps://a:b@mail.example/INBOX", SMTP, []),
        ("imaps://a:b@mail.example/INBOX", {}, ["delivery.W001"]),
        ("imap://a:b@mail.example/INBOX", SMTP, ["delivery.W002"]),
        ("imap://a:b@127.0.0.1/INBOX", SMTP, []),
    ],
)
def test_a_useless_or_unencrypted_bounce_mailbox_gives_a_warning(
    settings: Settings, url: str | None, smtp: dict[str, str], found: list[str]
):
    settings.PRODUCTION, settings.SMTP = True, smtp
    settings.BOUNCE_MAILBOX = MailboxUrl.parse(url) if url else None

    assert [each.id for each in check_bounce_mailbox()] == found
    assert all(each.hint for each in check_bounce_mailbox())
