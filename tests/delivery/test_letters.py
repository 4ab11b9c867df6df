"""Mails of the subscribe form: rows of the ledger like any other, sent before subscribers' but never instead of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from pytest_django import Settings

from delivery.channels import email
from delivery.contract import DeliveryError
from delivery.ledger import claims, outbox, single_recipient
from delivery.ledger.sender import drain
from delivery.mail import message_ids
from delivery.mail.smtp.outgoing_mail import OutgoingMail
from delivery.models import Bucket, Delivery, Notice, Pause
from pages.models import Page
from subscribers.models import Subscriber, Suppression
from subscribers.subscribing import request_subscription
from tests.delivery.ledger import assert_ledger_balances
from tests.delivery.smtp_servers import HANG_UP, KEEP_THEN_HANG_UP, BadServer, bad_server

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers

PAST = datetime(2020, 1, 1, tzinfo=UTC)
SECONDS = 20.0


@pytest.fixture
def letter(page: Page) -> Delivery:
    request_subscription(page, "jane@example.com")
    return Delivery.objects.get()


def send() -> None:
    drain("email", SECONDS)


def use(settings: Settings, server: BadServer) -> None:
    settings.MAIL_DIR, settings.EMAIL_TIMEOUT = None, 0.5
    settings.EMAIL_HOST, settings.EMAIL_PORT = server.host, server.port


def state_of(letter: Delivery) -> tuple[str, int]:
    letter.refresh_from_db()
    return letter.state, letter.attempts


def only_mail(directory: Path) -> EmailMessage:
    (path,) = directory.glob("*.eml")
    mail = message_from_bytes(path.read_bytes(), policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def test_a_confirmation_is_mailed_with_its_link(letter: Delivery, mail_dir: Path):
    send()

    mail = only_mail(mail_dir)
    assert state_of(letter) == ("sent", 1)
    assert mail["To"] == "jane@example.com"
    assert mail["From"] == "Acme Status <status@localhost>"
    assert mail["Message-ID"] == message_ids.of_delivery("letter", letter.pk, "localhost")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["List-Unsubscribe"] is None, "nobody has subscribed yet"
    for kind in ("plain", "html"):
        body = mail.get_body((kind,))
        assert isinstance(body, EmailMessage)
        assert "https://status.acme.example/subscribe/confirm/" in body.get_content()


def test_a_letter_is_accounted_for_and_no_receipt_of_the_page_shows_it(letter: Delivery, mail_dir: Path):
    assert_ledger_balances(letter.notice)
    assert letter.notice.is_letter
    assert not Notice.objects.for_people().exists()


def test_a_sent_letter_is_not_sent_again(letter: Delivery, mail_dir: Path):
    send()
    (path,) = mail_dir.glob("*.eml")
    path.unlink()

    send()

    assert not list(mail_dir.glob("*.eml"))


def test_a_letter_whose_sender_died_is_sent_after_the_lease(letter: Delivery, mail_dir: Path):
    assert claims.claim("email", 10)
    send()
    assert state_of(letter) == ("sending", 1)

    Delivery.objects.update(lease_until=PAST)
    outbox.sweep()
    send()

    assert state_of(letter) == ("sent", 2)


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
def test_answers_are_told_apart(script: dict[str, Any], state: tuple[str, int], letter: Delivery, settings: Settings):
    with bad_server(script) as server:
        use(settings, server)
        send()

    assert state_of(letter) == state


def test_a_letter_is_tried_again_later_and_then_given_up(letter: Delivery, settings: Settings):
    with bad_server({"RCPT": ["450 greylisted"]}, forever=True) as server:
        use(settings, server)
        send()
        letter.refresh_from_db()
        assert timedelta(seconds=5) < letter.next_attempt_at - timezone.now() < timedelta(seconds=13)
        for _ in range(email.Email.max_attempts):
            Delivery.objects.update(next_attempt_at=PAST)
            send()

    assert state_of(letter) == ("dead", email.Email.max_attempts)
    assert letter.error.startswith("450 greylisted")


def test_while_mail_is_paused_no_letter_is_tried(letter: Delivery, mail_dir: Path):
    Pause.objects.begin("email", "no server")
    send()
    assert state_of(letter) == ("pending", 0)

    Pause.objects.update(probe_at=PAST)
    send()
    assert state_of(letter) == ("sent", 1)
    assert not Pause.objects.exists()


def test_letters_to_addresses_that_do_not_exist_do_not_pause_mail(page: Page, settings: Settings):
    for number in range(60):
        request_subscription(page, f"nobody{number}@example.com")
    with bad_server({"RCPT": ["550 5.1.1 unknown"]}, forever=True) as server:
        use(settings, server)
        send()

    assert Delivery.objects.filter(state="dead").count() == 60
    assert not Pause.objects.exists()


def test_a_deleted_subscriber_gets_no_letter(letter: Delivery, page: Page, mail_dir: Path):
    page.subscribers.all().delete()

    send()

    assert state_of(letter) == ("suppressed", 1)
    assert not list(mail_dir.glob("*.eml"))


def test_a_suppressed_address_gets_no_letter(letter: Delivery, mail_dir: Path):
    from subscribers.models import address_hash

    Suppression.objects.create(address_hash=address_hash("email", letter.address), reason="complaint")

    send()

    assert state_of(letter) == ("suppressed", 1)


def test_letters_obey_the_rate_of_a_domain(page: Page, settings: Settings, mail_dir: Path):
    settings.EMAIL_DOMAIN_RATES = {"example.com": 2}
    for number in range(5):
        request_subscription(page, f"person{number}@example.com")

    send()

    assert Bucket.objects.get().key == "email:example.com"
    assert Delivery.objects.filter(state="sent").count() == 2


def test_old_letters_are_deleted_and_those_that_wait_are_not(page: Page, mail_dir: Path):
    request_subscription(page, "sent@example.com")
    send()
    request_subscription(page, "waits@example.com")
    Notice.objects.update(created_at=timezone.now() - timedelta(days=8))
    request_subscription(page, "young@example.com")

    single_recipient.prune()

    assert set(Delivery.objects.values_list("address", flat=True)) == {"waits@example.com", "young@example.com"}
    assert Notice.objects.count() == 2


class Recorder:
    """Takes the place of the connections to a mail server: notes who was written to, and lets something happen when
    the third letter is taken. Once a mail of a notice has left, the server is gone."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self.meanwhile = meanwhile
        self.addresses: list[str] = []

    def send_all(self, messages: Iterable[OutgoingMail]) -> Iterator[tuple[OutgoingMail, DeliveryError | None]]:
        for message in messages:
            if any(address.startswith("person") for address in self.addresses):
                yield message, DeliveryError("the test is over", pause=True)
                continue
            self.addresses.append(message.address)
            if len(self.addresses) == 3:
                self.meanwhile()
            yield message, None

    def close(self) -> None:
        pass


def queue_letters(page: Page, count: int) -> None:
    people = page.subscribers.bulk_create(
        Subscriber(page=page, address=f"letter{number:05}@example.com") for number in range(count)
    )
    for person in people:
        single_recipient.queue_letter(None, person, person.code)


@pytest.mark.parametrize("way", ["worker", "deliver"])
def test_a_flood_of_sign_ups_does_not_hold_up_the_outages_notice(
    way: str, notice: Notice, add_subscribers: AddSubscribers, monkeypatch: pytest.MonkeyPatch
):
    """What is in a worker's hands goes out, and one more share of letters: twenty mails at most."""
    add_subscribers(50)
    Notice.objects.filter(pk=notice.pk).update(expanded_at=timezone.now())
    queue_letters(notice.page, 5_000)

    def publish() -> None:
        Notice.objects.filter(pk=notice.pk).update(expanded_at=None)
        outbox.expand(notice.pk)

    recorder = Recorder(publish)
    monkeypatch.setattr(email, "open_transport", lambda: recorder)
    if way == "worker":
        send()
    else:
        with pytest.raises(CommandError, match="still waiting"):
            call_command("deliver")

    first = next(place for place, each in enumerate(recorder.addresses) if each.startswith("person"))
    assert 3 <= first <= 2 * claims.AHEAD_SIZE


def test_letters_leave_while_a_long_fan_out_is_under_way(
    notice: Notice, add_subscribers: AddSubscribers, mail_dir: Path
):
    add_subscribers(2_000)
    outbox.expand(notice.pk)
    queue_letters(notice.page, 20)

    batches = [claims.claim("email", 500) for _ in range(2)]

    claimed = [recipient.address for batch in batches if batch for recipient in batch.recipients.values()]
    assert len(claimed) == 1_000
    assert sum(address.startswith("letter") for address in claimed) == 20
