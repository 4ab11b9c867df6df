from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from delivery.mail import confirmations, message_ids
from delivery.models import Pause
from pages.models import Page
from subscribers.models import Confirmation
from subscribers.subscribing import request_subscription
from tests.delivery.smtp_servers import HANG_UP, KEEP_THEN_HANG_UP, BadServer, bad_server

SECONDS = 20.0
PAST = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def row(page: Page) -> Confirmation:
    request_subscription(page, "jane@example.com")
    return Confirmation.objects.get()


def use(settings: Settings, server: BadServer) -> None:
    settings.MAIL_DIR, settings.EMAIL_TIMEOUT = None, 0.5
    settings.EMAIL_HOST, settings.EMAIL_PORT = server.host, server.port


def state_of(row: Confirmation) -> tuple[str, int]:
    row.refresh_from_db()
    return row.state, row.attempts


def only_mail(directory: Path) -> EmailMessage:
    (path,) = directory.glob("*.eml")
    mail = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def test_a_confirmation_is_mailed_with_its_link(row: Confirmation, mail_dir: Path):
    assert confirmations.send_due(SECONDS)

    mail = only_mail(mail_dir)
    assert state_of(row) == ("sent", 1)
    assert mail["To"] == "jane@example.com"
    assert mail["From"] == "Acme Status <status@localhost>"
    assert mail["Message-ID"] == message_ids.of_confirmation(row.pk, "localhost")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Unsubscribe"] is None, "nobody has subscribed yet"
    for kind in ("plain", "html"):
        body = mail.get_body((kind,))
        assert isinstance(body, EmailMessage)
        assert "https://status.acme.example/subscribe/confirm/" in body.get_content()


def test_a_sent_confirmation_is_not_sent_again(row: Confirmation, mail_dir: Path):
    confirmations.send_due(SECONDS)
    (path,) = mail_dir.glob("*.eml")
    path.unlink()

    confirmations.send_due(SECONDS)

    assert not list(mail_dir.glob("*.eml"))


def test_two_senders_send_it_once(row: Confirmation):
    same = Confirmation.objects.get()

    assert confirmations.claim(row)
    assert not confirmations.claim(same)


def test_a_sender_that_died_is_replaced_after_its_lease(row: Confirmation, mail_dir: Path):
    confirmations.claim(row)
    confirmations.send_due(SECONDS)
    assert state_of(row) == ("sending", 1)

    Confirmation.objects.update(next_attempt_at=PAST)
    confirmations.send_due(SECONDS)

    assert state_of(row) == ("sent", 2)


def test_one_that_costs_every_sender_its_life_is_given_up(row: Confirmation, mail_dir: Path):
    Confirmation.objects.update(state="sending", attempts=confirmations.MAX_ATTEMPTS, next_attempt_at=PAST)

    confirmations.send_due(SECONDS)

    assert state_of(row) == ("dead", confirmations.MAX_ATTEMPTS)


@pytest.mark.parametrize(
    ("script", "state"),
    [
        ({"RCPT": ["550 5.1.1 unknown"]}, ("dead", 1)),
        ({"RCPT": ["450 greylisted"]}, ("pending", 1)),
        ({"dot": [KEEP_THEN_HANG_UP]}, ("pending", 1)),
        ({"greeting": [HANG_UP]}, ("pending", 0)),
    ],
    ids=str,
)
def test_answers_are_told_apart(script: dict[str, Any], state: tuple[str, int], row: Confirmation, settings: Settings):
    with bad_server(script) as server:
        use(settings, server)
        confirmations.send_due(SECONDS)

    assert state_of(row) == state


def test_it_is_tried_again_later_and_then_given_up(row: Confirmation, settings: Settings):
    with bad_server({"RCPT": ["450 greylisted"]}, forever=True) as server:
        use(settings, server)
        confirmations.send_due(SECONDS)
        row.refresh_from_db()
        assert timedelta(seconds=5) < row.next_attempt_at - timezone.now() < timedelta(seconds=13)
        for _ in range(confirmations.MAX_ATTEMPTS):
            Confirmation.objects.update(next_attempt_at=PAST)
            confirmations.send_due(SECONDS)

    assert state_of(row) == ("dead", confirmations.MAX_ATTEMPTS)
    assert row.error == "450 greylisted"


def test_while_mail_is_paused_nothing_is_tried(row: Confirmation, mail_dir: Path):
    Pause.objects.begin("email", "no server")
    confirmations.send_due(SECONDS)
    assert state_of(row) == ("pending", 0)

    Pause.objects.update(probe_at=PAST)
    confirmations.send_due(SECONDS)
    assert state_of(row) == ("sent", 1)
    assert not Pause.objects.exists()


def test_a_deleted_subscriber_gets_nothing(row: Confirmation, page: Page, mail_dir: Path):
    page.subscribers.all().delete()

    confirmations.send_due(SECONDS)

    assert state_of(row) == ("dead", 1)
    assert not list(mail_dir.glob("*.eml"))


def test_out_of_time_it_says_so(row: Confirmation, mail_dir: Path):
    assert not confirmations.send_due(-1.0)
    assert state_of(row) == ("pending", 0)
