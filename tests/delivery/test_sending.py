from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from django.db import OperationalError
from pytest_django import Settings

from delivery import registry, tasks
from delivery.contract import Channel, DeliveryError, Recipient, SendResult
from delivery.ledger import database_retry, outbox, recording, sender
from delivery.models import Notice, Pause
from tests.delivery.ledger import assert_ledger_balances

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers

SECONDS = 20.0
PAST = datetime(2020, 1, 1, tzinfo=UTC)


class Scripted(Channel):
    """A channel whose answer for each address is in `answers`; the rest is sent."""

    label = "Scripted"
    for_subscribers = True
    batch_size = 4
    answers: dict[str, Exception] = {}
    sent: list[str] = []

    def send(self, notice: Notice, recipient: Recipient) -> str:
        if error := self.answers.get(recipient.address):
            raise error
        self.sent.append(recipient.address)
        return ""


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> type[Scripted]:
    monkeypatch.setattr(Scripted, "answers", {})
    monkeypatch.setattr(Scripted, "sent", [])
    monkeypatch.setattr(registry, "load", lambda kind: Scripted if kind == "email" else Channel)
    return Scripted


@pytest.fixture
def ten(notice: Notice, add_subscribers: AddSubscribers) -> Notice:
    add_subscribers(10)
    outbox.expand(notice.pk)
    return notice


def states(notice: Notice) -> dict[str, str]:
    assert_ledger_balances(notice)
    return {row.address[6:10]: row.state for row in notice.deliveries.order_by("address")}


def test_a_sender_goes_on_until_nothing_is_due(scripted: type[Scripted], ten: Notice):
    counts, out_of_time = sender.drain("email", SECONDS)

    assert counts == {"sent": 10}
    assert not out_of_time
    assert len(scripted.sent) == 10


def test_a_mistake_in_a_channels_code_costs_one_row_an_attempt_and_loses_none(scripted: type[Scripted], ten: Notice):
    scripted.answers = {"person0003@example.com": TypeError("a mistake")}

    sender.drain("email", SECONDS)

    row = ten.deliveries.get(address="person0003@example.com")
    assert (row.state, row.attempts, row.error) == ("pending", 1, "internal error: TypeError")
    assert states(ten)["0003"] == "pending"
    assert set(states(ten).values()) == {"sent", "pending"}
    assert list(states(ten).values()).count("pending") == 1


def test_a_mistake_in_one_of_several_at_once_leaves_the_others_outcomes(
    scripted: type[Scripted], ten: Notice, monkeypatch: pytest.MonkeyPatch
):
    scripted.answers = {
        "person0003@example.com": TypeError("a mistake"),
        "person0004@example.com": DeliveryError("no such person", permanent=True),
    }
    monkeypatch.setattr(scripted, "concurrency", 4)

    sender.drain("email", SECONDS)

    assert {state for name, state in states(ten).items() if name not in ("0003", "0004")} == {"sent"}
    assert states(ten)["0004"] == "dead"
    row = ten.deliveries.get(address="person0003@example.com")
    assert (row.state, row.ambiguous, row.error) == ("pending", True, "internal error: TypeError")
    assert len(scripted.sent) == 8


def test_a_sender_out_of_time_releases_untried_rows(
    scripted: type[Scripted], ten: Notice, monkeypatch: pytest.MonkeyPatch
):
    clock = iter(range(1000))
    monkeypatch.setattr(sender.time, "monotonic", lambda: next(clock))

    counts, out_of_time = sender.drain("email", 6)

    assert out_of_time
    assert 0 < counts["sent"] < 10
    waiting = ten.deliveries.filter(state="pending")
    assert waiting.count() == 10 - counts["sent"]
    assert set(waiting.values_list("attempts", "claimed_by", "ambiguous")) == {(0, "", False)}
    assert_ledger_balances(ten)


def test_a_task_that_runs_out_of_time_wakes_a_successor(
    scripted: type[Scripted], ten: Notice, monkeypatch: pytest.MonkeyPatch
):
    woken: list[tuple[str, str]] = []
    monkeypatch.setattr(tasks, "wake_worker", lambda *args: woken.append(args))
    monkeypatch.setattr(tasks, "BUDGET_SECONDS", 0.0)
    tasks.send("email")
    assert woken == [("delivery.tasks.send", "email")]

    monkeypatch.setattr(tasks, "BUDGET_SECONDS", SECONDS)
    tasks.send("email")
    assert len(woken) == 1
    assert len(scripted.sent) == 10


def test_when_nobody_can_be_reached_the_rest_is_not_tried(scripted: type[Scripted], ten: Notice):
    scripted.answers = {"person0002@example.com": DeliveryError("no server", pause=True)}

    sender.drain("email", SECONDS)

    assert scripted.sent == ["person0001@example.com"]
    assert set(ten.deliveries.exclude(state="sent").values_list("state", "attempts")) == {("pending", 0)}
    assert Pause.objects.get().reason == "no server"


def test_a_probe_that_works_ends_the_pause_and_the_rest_follows(
    scripted: type[Scripted], ten: Notice, caplog: pytest.LogCaptureFixture
):
    Pause.objects.begin("email", "no server")
    sender.drain("email", SECONDS)
    assert scripted.sent == []

    Pause.objects.update(probe_at=PAST)
    with caplog.at_level(logging.INFO, logger="delivery"):
        sender.drain("email", SECONDS)

    assert not Pause.objects.exists()
    assert len(scripted.sent) == 10
    assert caplog.text.count("the pause has ended: email") == 1


def test_a_database_that_is_away_while_recording_is_waited_for(
    scripted: type[Scripted], ten: Notice, monkeypatch: pytest.MonkeyPatch
):
    real, failures = recording.record, [OperationalError("gone")] * 3

    def record(*args: object) -> object:
        if failures:
            raise failures.pop()
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(recording, "record", record)
    monkeypatch.setattr(database_retry.connection, "close", lambda: None)

    sender.drain("email", SECONDS)

    assert sorted(scripted.sent) == [f"person{n:04}@example.com" for n in range(1, 11)]
    assert set(states(ten).values()) == {"sent"}


def test_a_crash_between_sending_and_recording_repeats_the_message_and_says_so(
    scripted: type[Scripted], ten: Notice, monkeypatch: pytest.MonkeyPatch
):
    def crash(*args: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(sender, "RECORD_EVERY_SECONDS", 0.0)
        patch.setattr(sender.recording, "record", crash)
        claims_record = recording.record
        assert claims_record is crash
        sender.drain("email", SECONDS)
    assert states(ten)["0001"] == "sending"
    ten.deliveries.filter(state="sending").update(lease_until=PAST)

    assert outbox.sweep()["released"] == 4
    sender.drain("email", SECONDS)

    assert scripted.sent.count("person0001@example.com") == 2
    assert set(states(ten).values()) == {"sent"}
    assert ten.deliveries.filter(ambiguous=True).count() == 4, "possible duplicates: what the lost worker held"


class Bulk(Scripted):
    """Takes recipients ahead and answers later, as a pipelining sender does."""

    def send_many(self, notice: Notice, recipients: Iterable[Recipient]) -> Iterator[SendResult]:
        ahead = list(recipients)
        yield from (SendResult(each.delivery_id) for each in ahead[:1])
        raise ConnectionError("gone")


def test_what_a_channel_took_without_an_answer_is_ambiguous(ten: Notice, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(registry, "load", lambda kind: Bulk if kind == "email" else Channel)

    sender.drain("email", SECONDS)

    taken = ten.deliveries.filter(ambiguous=True)
    assert set(taken.values_list("state", "error")) == {("pending", "internal error: ConnectionError")}
    assert ten.deliveries.filter(state="sent").count() == 3
    assert taken.count() == 7
    assert_ledger_balances(ten)


def test_a_sweep_wakes_whatever_is_due(
    notice: Notice, ten: Notice, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    woken: list[tuple[object, ...]] = []

    def wake_worker(*args: object) -> bool:
        woken.append(args)
        return True

    monkeypatch.setattr(outbox, "wake_worker", wake_worker)
    assert outbox.sweep() == {"released": 0, "notices": 0, "channels": 1}
    assert woken == [("delivery.tasks.send", "email")]

    woken.clear()
    Notice.objects.update(expanded_at=None)
    ten.deliveries.update(next_attempt_at=datetime(2999, 1, 1, tzinfo=UTC))
    outbox.sweep()
    assert woken == [("delivery.tasks.fan_out", notice.pk)]
