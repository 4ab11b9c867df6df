"""A new channel is a module and a line: staff's screens, receipts, metrics and workers know it from its declaration."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from django.test import Client

from delivery import queues
from delivery.ledger import outbox, sender
from delivery.metrics import collect_deliveries
from delivery.models import Account, Delivery, Notice
from delivery.receipt import build_receipt
from pages.models import AuditEntry, Page
from tests.delivery.toy_channel import Toy
from tests.http_servers import Reply, Sent, listening

if TYPE_CHECKING:
    from tests.delivery.conftest import MakeNotice

ACCOUNTS = "/admin/delivery/account/"


def test_staff_set_it_up_from_its_form(toy: str, page: Page, client: Client) -> None:
    client.force_login(User.objects.create_superuser("ann", "ann@acme.example", "correct horse battery"))
    client.post(f"{ACCOUNTS}add/", {"page": str(page.pk), "channel": "toy", "name": "our toy"})
    account = Account.objects.get()
    address = f"{ACCOUNTS}{account.pk}/change/"
    shown = client.get(address).content.decode()
    assert "Address of the toy" in shown
    assert "Where it listens." in shown

    fields = {"name": "our toy", "enabled": "on", "option_address": "https://toy.example/", "secret_token": "hush-hush"}
    assert client.post(address, fields | {"option_address": "no address"}).status_code == 200, "shown again, with why"
    assert client.post(address, fields).status_code == 302
    account.refresh_from_db()
    assert (account.options, account.credentials) == ({"address": "https://toy.example/"}, {"token": "hush-hush"})
    assert account.is_connected
    assert "https://toy.example/" in client.get(address).content.decode()
    assert "hush-hush" not in client.get(address).content.decode() + str(list(AuditEntry.objects.values()))


def test_refused_secrets_do_not_connect_it(toy: str, toy_account: Account, client: Client) -> None:
    client.force_login(User.objects.create_superuser("ann", "ann@acme.example", "correct horse battery"))
    fields = {"name": "our toy", "enabled": "on", "option_address": "https://toy.example/", "secret_token": "wrong"}
    shown = client.post(f"{ACCOUNTS}{toy_account.pk}/change/", fields, follow=True).content.decode()
    assert "Our toy is not connected: the token is refused" in shown
    toy_account.refresh_from_db()
    assert not toy_account.is_connected
    assert outbox.count_audience(toy_account.page, [], "")["toy"] == 0, "nobody is told there"

    client.post(f"{ACCOUNTS}{toy_account.pk}/change/", fields | {"secret_token": "right"})
    toy_account.refresh_from_db()
    assert toy_account.is_connected


def test_its_queue_receipt_and_metrics_have_its_name(toy: str, toy_account: Account, notice: Notice) -> None:
    with listening(lambda sent: Reply(200, b'{"uri": "at://1", "cid": "b1"}')) as server:
        Account.objects.update(options={"address": server.url})
        outbox.expand(notice.pk)
        sender.drain("toy", 20)

    assert Delivery.objects.get().remote == {"uri": "at://1", "cid": "b1"}
    (line,) = build_receipt(notice).channels
    assert (line.label, line.sent) == ("Toy", 1)
    samples = [sample for metric in collect_deliveries() for sample in metric.samples]
    assert 1 in [each.value for each in samples if each.labels == {"channel": "toy", "state": "sent"}]
    assert "delivery.toy" in queues.all_queues()
    assert queues.route_task("delivery.tasks.send", ["toy"], {}, {}) == {"queue": "delivery.toy"}


def test_a_later_post_replies_to_the_first_by_both_ids(toy: str, toy_account: Account, make_notice: MakeNotice) -> None:
    with listening(lambda sent: Reply(200, b'{"uri": "at://1", "cid": "b1"}')) as server:
        Account.objects.update(options={"address": server.url})
        for notice in (make_notice(), make_notice(stage=Notice.Stage.MIDDLE)):
            outbox.expand(notice.pk)
        sender.drain("toy", 20)
        replies = [each.json["reply_to"] for each in server.requests]
    assert replies == [{}, {"uri": "at://1", "cid": "b1"}]


def test_eight_are_under_way_at_once(toy: str, toy_account: Account, notice: Notice) -> None:
    """Each of eight is answered only once all of them are there."""
    together = threading.Barrier(8, timeout=20)

    def answer(sent: Sent) -> Reply:
        together.wait()
        return Reply(200, b"{}")

    with listening(answer) as server:
        toy_account.options = {"address": server.url}
        toy_account.save()
        for number in range(7):
            Account.objects.create(
                page=toy_account.page,
                channel="toy",
                name=f"toy {number}",
                options=toy_account.options,
                credentials=toy_account.credentials,
            )
        outbox.expand(notice.pk)
        sender.drain("toy", 30)
    assert set(notice.deliveries.values_list("state", flat=True)) == {Delivery.State.SENT}


def test_the_same_secrets_again_are_tried_again(
    toy: str, toy_account: Account, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were right; something on the other side was not."""
    client.force_login(User.objects.create_superuser("ann", "ann@acme.example", "correct horse battery"))
    fields = {"name": "our toy", "enabled": "on", "option_address": "https://toy.example/", "secret_token": "hush-hush"}
    monkeypatch.setattr(Toy, "verify", lambda account: "the account is locked")
    client.post(f"{ACCOUNTS}{toy_account.pk}/change/", fields)
    toy_account.refresh_from_db()
    assert not toy_account.is_connected
    monkeypatch.setattr(Toy, "verify", lambda account: "")
    client.post(f"{ACCOUNTS}{toy_account.pk}/change/", fields)
    toy_account.refresh_from_db()
    assert toy_account.is_connected
