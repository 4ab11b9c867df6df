"""PostgreSQL ends one of two transactions that wait for each other, and some that would see a mixture of times.
When that strikes a sender, nobody is lost, told twice, or counted as possibly told twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from django.db import OperationalError, connection, connections, transaction
from pytest_django import Settings

from delivery.ledger import outbox, recording, sender
from delivery.models import Delivery, Notice
from subscribers.models import Subscriber, Suppression, address_hash
from tests.delivery.ledger import assert_ledger_balances
from tests.delivery.smtp_servers import Mailbox, real_server
from tests.processes import wait_until

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers

pytestmark = pytest.mark.django_db(transaction=True)
FIRST, SECOND, *REST = [f"person000{number}@example.com" for number in range(1, 6)]
Opponent = Callable[[threading.Event], None]


@pytest.fixture(autouse=True)
def _only_where_rows_are_locked(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    if connection.vendor == "sqlite":
        pytest.skip("SQLite locks no rows: one transaction writes at a time")
    monkeypatch.setattr(outbox, "wake_on_commit", lambda *args: None)


@pytest.fixture
def five(notice: Notice, add_subscribers: AddSubscribers) -> Notice:
    add_subscribers(5)
    outbox.expand(notice.pk)
    return notice


@pytest.fixture
def server(settings: Settings) -> Iterator[Mailbox]:
    """The second recipient does not exist for it, so recording takes two statements: sent, then dead."""
    with real_server({SECOND: "550 5.1.1 no such user"}) as running:
        settings.MAIL_DIR = None
        settings.EMAIL_HOST, settings.EMAIL_PORT = running.host, running.port
        yield running


def locks_in_the_opposite_order(has_begun: threading.Event) -> None:
    """Holds the row that is written second, and wants the first once somebody waits for it."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL deadlock_timeout = '1min'")  # so that the other one is the victim
        Delivery.objects.filter(address=SECOND).update(remote={})
        has_begun.set()
        wait_until(_somebody_waits_for_us, what="the victim")
        Delivery.objects.filter(address=FIRST).update(remote={})


def changes_the_row_meanwhile(has_begun: threading.Event) -> None:
    """Who has begun already, and sees one moment only, may not write it any more."""
    with transaction.atomic():
        Delivery.objects.filter(address=SECOND).update(remote={})
        has_begun.set()
        wait_until(_somebody_waits_for_us, what="the victim")


def _somebody_waits_for_us() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid)))"
        )
        return bool(cursor.fetchone()[0])


@pytest.fixture
def meet(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Opponent], list[Any]]]:
    """Let the opponent in when something is recorded for the first time; the list fills with what that leads to."""
    real, ends = recording.record, list[Any]()
    pool = ThreadPoolExecutor(1)
    fights: list[Future[None]] = []

    def set_up(opponent: Opponent) -> list[Any]:
        def fight(has_begun: threading.Event) -> None:
            try:
                opponent(has_begun)
            finally:
                connections.close_all()

        def record(*args: Any) -> Any:
            if not fights:
                has_begun = threading.Event()
                fights.append(pool.submit(fight, has_begun))
                assert has_begun.wait(10)
            try:
                return real(*args)
            except OperationalError as error:
                ends.append(type(error.__cause__))
                raise

        monkeypatch.setattr(recording, "record", record)
        return ends

    yield set_up
    pool.shutdown()
    for each in fights:
        each.result()


@pytest.fixture
def _one_moment_only() -> Iterator[None]:
    """As after ALTER DATABASE … SET default_transaction_isolation; by itself PostgreSQL lets nobody meet this."""
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_isolation TO 'repeatable read'")
    yield
    connection.close()
    connection.close_pool()


def assert_everybody_was_told_once(notice: Notice, server: Mailbox, *told: str) -> None:
    assert sorted(server.recipients) == sorted(told)
    sent = notice.deliveries.filter(state=Delivery.State.SENT)
    assert set(sent.values_list("address", "attempts", "ambiguous")) == {(address, 1, False) for address in told}
    assert not notice.deliveries.exclude(claimed_by="").exists()
    assert_ledger_balances(notice)


def test_a_deadlock_while_recording_repeats_the_recording_and_no_mail(
    five: Notice, server: Mailbox, meet: Callable[[Opponent], list[Any]]
) -> None:
    ends = meet(locks_in_the_opposite_order)

    counts, _ = sender.drain("email", 20)

    assert ends == [psycopg.errors.DeadlockDetected]
    assert counts == {"sent": 4, "dead": 1}
    assert_everybody_was_told_once(five, server, FIRST, *REST)
    assert Suppression.objects.count() == 1


@pytest.mark.usefixtures("_one_moment_only")
def test_a_serialization_failure_while_recording_does_so_too(
    five: Notice, server: Mailbox, meet: Callable[[Opponent], list[Any]]
) -> None:
    ends = meet(changes_the_row_meanwhile)

    counts, _ = sender.drain("email", 20)

    assert ends == [psycopg.errors.SerializationFailure]
    assert counts == {"sent": 4, "dead": 1}
    assert_everybody_was_told_once(five, server, FIRST, *REST)


def test_a_deadlock_while_claiming_gives_the_rows_back_untried(
    five: Notice, server: Mailbox, meet: Callable[[Opponent], list[Any]]
) -> None:
    """Two of five must not be told, for two reasons: that is written down at once, in two statements."""
    Subscriber.objects.filter(address=FIRST).update(state=Subscriber.State.UNSUBSCRIBED)
    Suppression.objects.create(address_hash=address_hash("email", SECOND), reason=Suppression.Reason.COMPLAINT)
    ends = meet(locks_in_the_opposite_order)

    with pytest.raises(OperationalError, match="deadlock detected"):
        sender.drain("email", 20)

    assert ends == [psycopg.errors.DeadlockDetected]
    assert set(five.deliveries.values_list("state", "attempts", "claimed_by")) == {("pending", 0, "")}
    assert_ledger_balances(five)
    assert server.recipients == []

    counts, _ = sender.drain("email", 20)  # as the sweep has it done, seconds later
    assert counts == {"sent": 3}
    assert five.deliveries.filter(state=Delivery.State.SUPPRESSED).count() == 2
    assert_everybody_was_told_once(five, server, *REST)


def test_a_deadlock_while_leases_are_prolonged_does_not_make_messages_under_way_ambiguous(
    five: Notice, server: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender, "RECORD_EVERY_SECONDS", 0.0)  # after each mail, which prolongs the others' leases
    real, failures = recording.renew, [OperationalError("deadlock detected")] * 2

    def renew(batch: recording.Batch) -> None:
        if failures:
            raise failures.pop()
        real(batch)

    monkeypatch.setattr(recording, "renew", renew)
    real_init = sender._BatchSender.__init__

    def always_due(batch_sender: Any, *args: Any) -> None:
        real_init(batch_sender, *args)
        batch_sender.next_renewal = 0.0

    monkeypatch.setattr(sender._BatchSender, "__init__", always_due)

    counts, _ = sender.drain("email", 20)

    assert failures == []
    assert counts == {"sent": 4, "dead": 1}
    assert_everybody_was_told_once(five, server, FIRST, *REST)
