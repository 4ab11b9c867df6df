"""A bounce mailbox that cannot be read: staff, monitoring and the watch are told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client
from pytest_django import Settings

from canary.findings import check_ledger
from core.imap import MailboxUrl
from delivery.mail.bounces.models import MailboxReading
from delivery.mail.bounces.reading import read_mailbox
from delivery.overview import delivery_warnings
from statuspage.urls import scrape
from tests.canary.imap_server import ImapServer, reading_along

pytestmark = pytest.mark.django_db
NINE = datetime(2026, 12, 1, 9, 12, tzinfo=UTC)


def warnings() -> list[str]:
    return [each for each in delivery_warnings([]) if "bounce mailbox" in each]


def fail(minutes: float = 0) -> None:
    with time_machine.travel(NINE + timedelta(minutes=minutes), tick=False):
        MailboxReading.objects.note_failure("imap.acme.example: our sign-in is refused.")


def succeed(minutes: float = 0) -> None:
    with time_machine.travel(NINE + timedelta(minutes=minutes), tick=False):
        MailboxReading.objects.note_success()


def test_the_overview_shows_a_refused_sign_in_until_the_mailbox_is_read(
    bounce_mailbox: ImapServer, settings: Settings, admin_client: Client
) -> None:
    settings.BOUNCE_MAILBOX = MailboxUrl.parse(bounce_mailbox.url(password="wrong-password"))
    read_mailbox(20)

    (sentence,) = warnings()
    assert "127.0.0.1: our sign-in is refused. Check BOUNCE_IMAP_URL;" in sentence
    assert "wrong-password" not in sentence
    assert "The bounce mailbox could not be read since" in admin_client.get("/staff/").text

    settings.BOUNCE_MAILBOX = MailboxUrl.parse(bounce_mailbox.url())
    read_mailbox(20)
    assert warnings() == []
    assert MailboxReading.objects.get().failed_at, "what failed last is kept"


@time_machine.travel(NINE + timedelta(minutes=5), tick=False)
def test_since_when_is_the_first_failure_after_the_last_success(bounce_mailbox: ImapServer) -> None:
    fail(-30)
    succeed(-1)
    fail(0)
    fail(5)

    (sentence,) = warnings()
    assert "since 09:12 UTC: imap.acme.example: our sign-in is refused." in sentence


@time_machine.travel(NINE + timedelta(days=2), tick=False)
def test_a_failure_since_another_day_is_shown_with_its_date(bounce_mailbox: ImapServer) -> None:
    fail()
    (sentence,) = warnings()
    assert "since 1 December, 09:12 UTC" in sentence


def test_a_mailbox_that_no_process_reads_gives_a_warning_after_ten_minutes(bounce_mailbox: ImapServer) -> None:
    succeed()
    with time_machine.travel(NINE + timedelta(minutes=9), tick=False):
        assert warnings() == []
    with time_machine.travel(NINE + timedelta(minutes=11), tick=False):
        (sentence,) = warnings()
    assert sentence.startswith("Nobody has read the bounce mailbox since 09:12 UTC. Look at the clock (beat)")


def test_without_a_mailbox_in_settings_there_is_nothing_to_tell(settings: Settings) -> None:
    fail()
    settings.BOUNCE_MAILBOX = None
    assert warnings() == []
    assert _samples() == {}


def test_words_of_the_server_that_the_database_refuses_are_stored_without_them(
    bounce_mailbox: ImapServer, settings: Settings
) -> None:
    def refuse(said: bytes) -> bytes:
        return said.replace(b" OK UID SEARCH completed", b" NO \0not\x07 now")

    with reading_along(bounce_mailbox, refuse) as between:
        port = str(bounce_mailbox.port)
        settings.BOUNCE_MAILBOX = MailboxUrl.parse(bounce_mailbox.url().replace(port, str(between.port)))
        read_mailbox(20)

    assert "could not search: SEARCH failed: not now" in MailboxReading.objects.get().reason


def metrics() -> str:
    return scrape.generate().decode()


def test_monitoring_reads_for_how_long_it_fails_and_how_old_the_last_reading_is(bounce_mailbox: ImapServer) -> None:
    assert _samples() == {}
    succeed()
    fail(2)
    with time_machine.travel(NINE + timedelta(minutes=5), tick=False):
        found = _samples()
    assert found["statuspage_bounce_mailbox_failing_seconds"] == 180
    assert found["statuspage_bounce_mailbox_age_seconds"] == 300

    succeed(5)
    with time_machine.travel(NINE + timedelta(minutes=5), tick=False):
        found = _samples()
    assert found["statuspage_bounce_mailbox_failing_seconds"] == 0
    assert found["statuspage_bounce_mailbox_age_seconds"] == 0


def _samples() -> dict[str, float]:
    lines = [line.split() for line in metrics().splitlines() if line.startswith("statuspage_bounce")]
    return {name: float(value) for name, value in lines}


def test_the_watch_raises_an_alarm_after_ten_minutes(bounce_mailbox: ImapServer) -> None:
    def found(minutes: float, watching_since: datetime = NINE) -> list[str]:
        with time_machine.travel(NINE + timedelta(minutes=minutes), tick=False):
            return [each.text for each in check_ledger(watching_since) if each.key == "delivery.bounces"]

    fail()
    assert found(9) == []
    (text,) = found(11)
    assert "our sign-in is refused" in text
    assert found(11, NINE + timedelta(minutes=10)) == [], "all was switched off: let them begin"

    succeed(12)
    assert found(13) == []
