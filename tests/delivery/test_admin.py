from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from delivery.channels import x as x_module
from delivery.ledger import outbox
from delivery.ledger.sender import drain
from delivery.models import Account, Delivery, Notice, Pause
from delivery.receipt import PRUNED
from pages.models import AuditEntry, Page
from staff.admin.delivery import MOST_SENT_AGAIN
from tests.delivery.fake_x import fake_x
from tests.delivery.ledger import assert_ledger_balances, retally

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers

ACCOUNTS = "/admin/delivery/account/"


@pytest.fixture
def staff(client: Client, db: None) -> Client:
    client.force_login(User.objects.create_superuser("ann", "ann@acme.example", "correct horse battery"))
    return client


def form(account: Account, **more: str) -> dict[str, str]:
    return {"name": account.name, "enabled": "on", "option_links": "ends", "option_daily_cap": "100"} | more


def test_an_account_is_added_and_then_connected(staff: Client, page: Page):
    added = staff.post(f"{ACCOUNTS}add/", {"page": str(page.pk), "channel": "x", "name": "@acmestatus"})
    account = Account.objects.get()
    assert added["Location"] == f"{ACCOUNTS}{account.pk}/change/"
    assert "not connected" in staff.get(ACCOUNTS).content.decode()

    secrets = {f"secret_{name}": f"value-{name}" for name in ("consumer_key", "consumer_secret", "access_token")}
    staff.post(f"{ACCOUNTS}{account.pk}/change/", form(account, **secrets, secret_access_token_secret=" padded "))

    account.refresh_from_db()
    assert account.credentials["consumer_key"] == "value-consumer_key"
    assert account.credentials["access_token_secret"] == "padded"
    assert connection(staff) == "credentials stored, no post has got through yet"


def connection(staff: Client) -> str:
    """What the list says of the only account."""
    listed = staff.get(ACCOUNTS).content.decode()
    return listed.split('<td class="field-connection">')[1].split("<")[0]


def test_an_account_is_called_connected_once_a_post_got_through(staff: Client, notice: Notice, x_account: Account):
    outbox.expand(notice.pk)
    notice.deliveries.update(state=Delivery.State.DEAD, attempts=1)
    retally()
    assert connection(staff) == "credentials stored, no post has got through yet"
    notice.deliveries.update(state=Delivery.State.SENT, sent_at=datetime(2026, 3, 1, 12, 30, tzinfo=UTC))
    retally()
    assert connection(staff) == "connected, last post 2026-03-01 12:30 UTC"
    Account.objects.update(credentials={})
    assert connection(staff) == "not connected"


def test_secrets_are_written_and_never_shown(staff: Client, x_account: Account):
    Account.objects.update(credentials={"consumer_key": "key-one", "consumer_secret": "key-two"})
    url = f"{ACCOUNTS}{x_account.pk}/change/"

    shown = staff.get(url).content.decode()
    staff.post(url, form(x_account, secret_access_token="key-three"))
    shown += staff.get(url).content.decode() + staff.get(f"{ACCOUNTS}{x_account.pk}/history/").content.decode()
    shown += staff.get("/admin/pages/auditentry/").content.decode()

    assert "key-" not in shown
    assert "Stored. Leave empty to keep it." in shown
    assert "key-" not in str(list(AuditEntry.objects.values_list("detail", flat=True)))
    x_account.refresh_from_db()
    assert x_account.credentials == {
        "consumer_key": "key-one",
        "consumer_secret": "key-two",
        "access_token": "key-three",
    }


def test_an_account_can_be_disconnected(staff: Client, x_account: Account):
    staff.post(f"{ACCOUNTS}{x_account.pk}/change/", form(x_account, disconnect="on"))

    x_account.refresh_from_db()
    assert x_account.credentials == {}


def test_credentials_are_unreadable_in_the_database(x_account: Account):
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT credentials FROM delivery_account")
        (stored,) = cursor.fetchone()

    assert stored
    assert "consumer_key" not in stored


def test_a_pause_is_shown_and_ends_when_credentials_change(staff: Client, x_account: Account):
    Pause.objects.begin(x_account.address, "X's credits are used up (402)")
    assert "paused: X&#x27;s credits are used up (402)" in staff.get(ACCOUNTS).content.decode()

    staff.post(f"{ACCOUNTS}{x_account.pk}/change/", form(x_account, name="@renamed"))
    assert Pause.objects.exists()
    staff.post(f"{ACCOUNTS}{x_account.pk}/change/", form(x_account, secret_access_token="another"))

    assert not Pause.objects.exists()


def test_staff_end_pauses_and_it_is_written_down(staff: Client, db: None):
    for key in ("email", "account:7"):
        Pause.objects.begin(key, "no server")

    staff.post("/admin/delivery/pause/email/delete/", {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": ["account:7"], "post": "yes"}
    staff.post("/admin/delivery/pause/", chosen)

    assert not Pause.objects.exists()
    entries = AuditEntry.objects.order_by("pk").values_list("actor", "action", "target", "detail")
    assert list(entries) == [("ann", "pause.end", key, {"reason": "no server"}) for key in ("email", "account:7")]


def test_what_failed_can_be_sent_again_from_the_ledger(staff: Client, notice: Notice, add_subscribers: AddSubscribers):
    add_subscribers(3)
    outbox.expand(notice.pk)
    notice.deliveries.update(state=Delivery.State.DEAD, attempts=8)
    retally()
    chosen = list(notice.deliveries.values_list("pk", flat=True)[:2])

    answer = staff.post(
        "/admin/delivery/delivery/", {"action": "try_again", "_selected_action": chosen}, follow=True
    ).content.decode()

    assert notice.deliveries.filter(state="pending", attempts=0).count() == 2
    assert "2 deliveries wait to be sent again" in answer
    entry = AuditEntry.objects.get(action="delivery.requeue")
    assert (entry.actor, entry.page, entry.detail) == ("ann", notice.page, {"count": 2})


def test_deliveries_of_a_pruned_notice_are_not_queued_again(
    staff: Client, notice: Notice, add_subscribers: AddSubscribers
):
    add_subscribers(1)
    outbox.expand(notice.pk)
    notice.deliveries.update(state="dead")
    retally()
    Notice.objects.update(pruned_at=timezone.now())
    chosen = notice.deliveries.values_list("pk", flat=True)

    answer = staff.post(
        "/admin/delivery/delivery/", {"action": "try_again", "_selected_action": list(chosen)}, follow=True
    ).content.decode()

    assert "0 deliveries wait to be sent again" in answer
    assert PRUNED in answer
    assert notice.deliveries.get().state == "dead"


@pytest.mark.filterwarnings("ignore:The default scheme will be changed")  # of a form that is not shown
def test_every_receipt_can_be_reached_from_the_list_of_notices(staff: Client, notice: Notice):
    link = f'<a href="/staff/notices/{notice.code}/receipt/">Receipt</a>'
    assert link in staff.get("/admin/delivery/notice/").content.decode()
    assert link in staff.get(f"/admin/delivery/notice/{notice.pk}/change/").content.decode()


def test_a_notice_can_be_stopped(staff: Client, notice: Notice, add_subscribers: AddSubscribers):
    add_subscribers(3)
    outbox.expand(notice.pk)

    staff.post("/admin/delivery/notice/", {"action": "tell_nobody_else", "_selected_action": [notice.pk]})

    notice.refresh_from_db()
    assert notice.cancelled_at
    assert set(notice.deliveries.values_list("state", flat=True)) == {"suppressed"}
    assert AuditEntry.objects.get(action="notice.cancel").detail == {"spared": 3}


def test_the_ledger_is_found_filtered_and_not_edited(staff: Client, notice: Notice, add_subscribers: AddSubscribers):
    add_subscribers(2)
    outbox.expand(notice.pk)
    row = notice.deliveries.earliest("pk")

    found = staff.get("/admin/delivery/delivery/?q=person0001&state__exact=pending").content.decode()
    assert "person0001@example.com" in found
    assert "person0002@example.com" not in found
    for path in ("delivery/add/", f"delivery/{row.pk}/delete/", "notice/add/", f"notice/{notice.pk}/delete/"):
        assert staff.get(f"/admin/delivery/{path}").status_code == 403
    assert staff.post(f"/admin/delivery/delivery/{row.pk}/change/", {"state": "sent"}).status_code == 403


@pytest.mark.parametrize("right", ["publish", "administer"])
def test_only_who_administers_sees_and_finds_addresses(
    right: str, client: Client, notice: Notice, add_subscribers: AddSubscribers, x_account: Account
):
    from django.contrib.auth.models import Permission

    bob = User.objects.create_user("bob", is_staff=True)
    bob.user_permissions.add(Permission.objects.get(codename=right))
    client.force_login(bob)
    add_subscribers(2)
    outbox.expand(notice.pk)
    row = notice.deliveries.get(address="person0001@example.com")
    may = right == "administer"

    listed = client.get("/admin/delivery/delivery/").content.decode()
    shown = client.get(f"/admin/delivery/delivery/{row.pk}/change/").content.decode()
    found = client.get("/admin/delivery/delivery/?q=person0001").content.decode()
    guessed = client.get("/admin/delivery/delivery/?address__startswith=person0001")

    assert [f"{person}@example.com" in listed for person in ("person0001", "person0002")] == [may, may]
    assert (row.address in shown) == may
    assert (f"subscriber {row.subscriber_id}" in listed, f"subscriber {row.subscriber_id}" in shown) == (not may,) * 2
    assert ("1 delivery" in found, "0 deliveries" in found) == (may, not may)
    assert guessed.status_code == (200 if may else 400)


@pytest.mark.parametrize("right", ["publish", ""])
def test_staff_without_the_right_cannot_repair_receipts(
    right: str, client: Client, notice: Notice, add_subscribers: AddSubscribers, x_account: Account
):
    from django.contrib.auth.models import Permission

    bob = User.objects.create_user("bob", is_staff=True)
    if right:
        bob.user_permissions.add(Permission.objects.get(codename=right))
    client.force_login(bob)
    outbox.expand(notice.pk)
    notice.deliveries.update(state=Delivery.State.DEAD)
    retally()

    client.post("/admin/delivery/delivery/", {"action": "try_again", "_selected_action": [notice.deliveries.get().pk]})
    refused = client.post(f"{ACCOUNTS}{x_account.pk}/change/", form(x_account, disconnect="on"))

    assert refused.status_code == 403
    assert notice.deliveries.get().state == Delivery.State.DEAD
    x_account.refresh_from_db()
    assert x_account.credentials


def send_again(staff: Client, deliveries: Any) -> str:
    chosen = list(deliveries.values_list("pk", flat=True))
    post = {"action": "send_again", "_selected_action": chosen}
    return staff.post("/admin/delivery/delivery/", post, follow=True).content.decode()


def test_a_mail_is_sent_again_to_one_person(
    staff: Client, notice: Notice, add_subscribers: AddSubscribers, mail_dir: Path
):
    add_subscribers(3)
    outbox.expand(notice.pk)
    drain("email", 20.0)
    one = notice.deliveries.order_by("pk").first()
    assert one

    answer = send_again(staff, notice.deliveries.filter(pk=one.pk))
    assert "1 delivery waits to be sent again" in answer
    assert notice.deliveries.filter(state="sent").count() == 2
    assert_ledger_balances(notice)

    drain("email", 20.0)
    assert notice.deliveries.filter(state="sent").count() == 3
    assert_ledger_balances(notice)


def test_one_click_too_many_does_not_write_to_everybody_again(
    staff: Client, notice: Notice, add_subscribers: AddSubscribers
):
    add_subscribers(MOST_SENT_AGAIN + 1)
    outbox.expand(notice.pk)
    notice.deliveries.update(state="sent", sent_at=timezone.now())
    retally()

    assert "Nothing was sent" in send_again(staff, notice.deliveries)
    assert not notice.deliveries.pending().exists()


def test_a_post_of_an_account_is_never_repeated(staff: Client, notice: Notice, x_account: Account):
    outbox.expand(notice.pk)
    notice.deliveries.update(state="sent", sent_at=timezone.now())
    retally()

    assert "0 deliveries wait" in send_again(staff, notice.deliveries)


def send_test_message(staff: Client, account: Account) -> str:
    post = {"action": "send_test_message", "_selected_action": [account.pk]}
    return staff.post(ACCOUNTS, post, follow=True).content.decode()


def test_a_test_message_goes_to_its_account_alone(
    staff: Client, notice: Notice, x_account: Account, webhook_account: Account, add_subscribers: AddSubscribers
):
    add_subscribers(1)
    answer = send_test_message(staff, webhook_account)

    test = Notice.objects.get(audience="account")
    assert f"/staff/notices/{test.code}/receipt/" in answer
    assert [each.address for each in test.deliveries.all()] == [webhook_account.address]
    assert_ledger_balances(test)
    assert "Test message" in staff.get(f"/staff/notices/{test.code}/receipt/").content.decode()
    assert test not in Notice.objects.for_people()
    assert AuditEntry.objects.get(action="account.test").target == str(webhook_account)


def test_an_account_that_is_not_connected_gets_no_test_message(staff: Client, x_account: Account):
    Account.objects.update(credentials={})

    assert "not connected" in send_test_message(staff, x_account)
    assert not Notice.objects.exists()


@pytest.mark.parametrize(("keys", "said"), [("right", ""), ("wrong", "X refuses the keys (401): Unauthorized")])
def test_keys_of_x_are_tried_as_they_are_stored(
    staff: Client, x_account: Account, monkeypatch: pytest.MonkeyPatch, keys: str, said: str
):
    known = dict(x_account.credentials)
    Account.objects.update(credentials={})
    with fake_x(known) as server:
        monkeypatch.setattr(x_module.ApiAdapter, "base_url", server.url)
        typed = {f"secret_{name}": value if keys == "right" else "made-up" for name, value in known.items()}
        staff.post(f"{ACCOUNTS}{x_account.pk}/change/", form(x_account, **typed))
    x_account.refresh_from_db()
    assert (x_account.refusal, x_account.is_connected) == (said, not said)
    assert outbox.count_audience(x_account.page, [], "")["x"] == (not said)
    assert said in connection(staff)
