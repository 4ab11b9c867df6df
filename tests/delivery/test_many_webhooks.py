"""Many webhooks of one update: at once, recorded together, and not held up by a host that says nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from core import outbound_many
from delivery.channels import posting
from delivery.channels.webhook import Webhook
from delivery.contract import SendResult
from delivery.ledger import outbox, recording, sender
from delivery.ledger.claims import claim
from delivery.models import Account, Delivery, Notice
from tests.delivery.ledger import assert_ledger_balances
from tests.http_servers import Crowd, crowd
from tests.processes import wait_until

pytestmark = pytest.mark.django_db


def add_accounts(like: Account, server: Crowd, count: int) -> list[int]:
    """One for each address of the crowd, in turn; `like` is removed."""
    page, secret = like.page, like.credentials["secret"]
    like.delete()
    accounts = [
        Account(page=page, channel="webhook", name=f"hook {n}", credentials={"url": server.url(n), "secret": secret})
        for n in range(count)
    ]
    return [account.pk for account in Account.objects.bulk_create(accounts)]


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[list[SendResult]]:
    """What was recorded together, one list for each time."""
    real: Callable[..., Any] = recording.record
    calls: list[list[SendResult]] = []

    def record(batch: recording.Batch, finished: Collection[SendResult]) -> Any:
        calls.append(list(finished))
        return real(batch, finished)

    monkeypatch.setattr(recording, "record", record)
    return calls


@pytest.mark.parametrize(("hosts", "batch_size"), [(1_000, 1_000), (45, 10)], ids=["one batch", "many batches"])
def test_a_host_that_says_nothing_holds_up_no_other(
    hosts: int,
    batch_size: int,
    notice: Notice,
    webhook_account: Account,
    recorded: list[list[SendResult]],
    monkeypatch: pytest.MonkeyPatch,
):
    """It is asked first, and answers when all others are on record: else it would be waited for until its time is up."""
    monkeypatch.setattr(Webhook, "batch_size", batch_size)
    monkeypatch.setattr(posting, "SECONDS", 90)
    monkeypatch.setattr(outbound_many, "CALL_SECONDS", 0.05)
    monkeypatch.setattr(sender, "RECORD_EVERY_SECONDS", 0.05)
    real = recording.record
    with crowd() as server:
        server.silent.add("127.1.0.1")
        first, *_ = add_accounts(webhook_account, server, hosts)
        outbox.expand(notice.pk)
        silent = notice.deliveries.get(account=first).pk

        def record(batch: recording.Batch, finished: Collection[SendResult]) -> Any:
            counts = real(batch, finished)
            if sum(map(len, recorded)) == hosts - 1:
                wait_until(lambda: server.held, what="a request to the silent one")
                server.end_silence()
            return counts

        monkeypatch.setattr(recording, "record", record)
        counts, _ = sender.drain("webhook", 120)

    assert counts == {"sent": hosts}
    assert [each.delivery_id for each in recorded[-1]] == [silent]
    assert_ledger_balances(notice)


def test_many_are_recorded_together(
    notice: Notice,
    webhook_account: Account,
    recorded: list[list[SendResult]],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(sender, "RECORD_EVERY_SECONDS", 60)
    with crowd() as server:
        add_accounts(webhook_account, server, 200)
        outbox.expand(notice.pk)
        sender.drain("webhook", 60)

    assert [len(each) for each in recorded] == [200]
    assert set(notice.deliveries.values_list("state", flat=True)) == {"sent"}


def test_many_cost_as_many_queries_as_few(
    make_notice: Callable[..., Notice], webhook_account: Account, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sender, "RECORD_EVERY_SECONDS", 60)

    def queries(count: int) -> int:
        notice = make_notice()
        outbox.expand(notice.pk)
        notice.deliveries.filter(pk__gt=notice.deliveries.earliest("pk").pk + count - 1).delete()
        with CaptureQueriesContext(connection) as captured:
            sender.drain("webhook", 60)
        assert notice.deliveries.filter(state="sent").count() == count
        return len(captured)

    with crowd() as server:
        add_accounts(webhook_account, server, 100)
        assert queries(10) == queries(100)


def test_an_update_posted_meanwhile_is_sent_after_what_is_under_way(
    make_notice: Callable[..., Notice], webhook_account: Account, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Webhook, "batch_size", 3)
    first, second = make_notice(), make_notice()
    with crowd() as server:
        add_accounts(webhook_account, server, 7)
        for each in (first, second):
            outbox.expand(each.pk)
        counts, _ = sender.drain("webhook", 60)

    assert counts == {"sent": 14}
    assert len(server.requests) == 14
    for each in (first, second):
        assert_ledger_balances(each)


def test_rows_not_sent_in_time_are_released(notice: Notice, webhook_account: Account, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Webhook, "batch_size", 5)
    monkeypatch.setattr(Webhook, "concurrency", 2)
    clock = iter(range(10_000))
    monkeypatch.setattr(sender, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    with crowd() as server:
        add_accounts(webhook_account, server, 20)
        outbox.expand(notice.pk)
        counts, out_of_time = sender.drain("webhook", 25)

    assert out_of_time
    assert counts["sent"] == len(server.requests) < 20
    waiting = notice.deliveries.filter(state="pending")
    assert waiting.count() == 20 - counts["sent"]
    assert set(waiting.values_list("attempts", "claimed_by", "ambiguous")) == {(0, "", False)}
    assert_ledger_balances(notice)


def test_a_lease_covers_the_time_that_a_host_has(notice: Notice, webhook_account: Account, settings: Settings):
    settings.DELIVERY_LEASE_SECONDS = 1
    outbox.expand(notice.pk)

    assert claim("webhook", 10)

    until = Delivery.objects.get().lease_until
    assert until
    assert until - timezone.now() > timedelta(seconds=1.5 * posting.SECONDS)
