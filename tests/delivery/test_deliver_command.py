from __future__ import annotations

from collections import Counter
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from delivery.models import Account, Notice, Pause
from tests.delivery.ledger import assert_ledger_balances
from tests.delivery.smtp_servers import Mailbox, free_port, real_server

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers


def deliver() -> str:
    """What the command prints; the text of its error after it, when it ends with one."""
    out = StringIO()
    try:
        call_command("deliver", stdout=out)
    except CommandError as error:
        return f"{out.getvalue()}ERROR {error}"
    return out.getvalue()


def test_it_sends_everything_without_a_broker(notice: Notice, add_subscribers: AddSubscribers, mail_dir: Path):
    add_subscribers(3)

    assert deliver() == "E-mail: 3 sent\n"

    assert len(list(mail_dir.glob("*.eml"))) == 3
    assert_ledger_balances(notice)
    assert deliver() == "Nothing is due.\n"


def test_it_fails_when_something_still_waits_and_says_why(
    notice: Notice, add_subscribers: AddSubscribers, settings: Settings
):
    settings.MAIL_DIR = None
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", free_port()
    add_subscribers(3)

    told = deliver()

    assert "ERROR 0 failed, 3 still waiting." in told
    assert "email is paused: the SMTP server does not answer: Connection refused" in told
    assert Pause.objects.count() == 1


def test_it_fails_when_something_failed_for_good(notice: Notice, add_subscribers: AddSubscribers, settings: Settings):
    add_subscribers(2)
    with real_server({"person0001@example.com": "550 5.7.1 no"}) as mailbox:
        use(settings, mailbox)
        told = deliver()

    assert told == "E-mail: 1 failed for good, 1 sent\nERROR 1 failed, 0 still waiting."


def test_an_account_that_is_not_connected_is_no_failure(notice: Notice, x_account: Account):
    Account.objects.update(credentials={})

    assert deliver() == ""
    assert notice.deliveries.get().error == "not connected"


@pytest.mark.parametrize("waits", ["notice", "letter"])
def test_nothing_that_waits_is_overlooked(waits: str, notice: Notice, mail_dir: Path, monkeypatch: pytest.MonkeyPatch):
    from delivery.ledger import outbox
    from subscribers.subscribing import request_subscription

    if waits == "notice":
        monkeypatch.setattr(outbox, "expand", lambda pk: False)
    else:
        request_subscription(notice.page, "jane@example.com")
        monkeypatch.setattr("delivery.management.commands.deliver.drain", lambda kind, seconds: (Counter(), True))

    assert "ERROR 0 failed, 1 still waiting." in deliver()


def use(settings: Settings, mailbox: Mailbox) -> None:
    settings.MAIL_DIR = None
    settings.EMAIL_HOST, settings.EMAIL_PORT = mailbox.host, mailbox.port
