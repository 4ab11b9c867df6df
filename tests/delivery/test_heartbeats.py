"""A heartbeat takes the way of every notice, and reaches the canary's destinations alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from delivery.ledger import claims, outbox
from delivery.models import Account, Delivery
from delivery.overview import recent_notices
from tests.delivery.ledger import assert_ledger_balances

if TYPE_CHECKING:
    from pages.models import Page
    from tests.delivery.conftest import AddSubscribers, MakeNotice

pytestmark = pytest.mark.django_db
MAILBOX = "canary@mailbox.example"


@pytest.fixture
def canary_account(webhook_account: Account) -> Account:
    Account.objects.filter(pk=webhook_account.pk).update(audience="canary")
    return webhook_account


@pytest.fixture
def canary_mailbox(page: Page) -> Account:
    return Account.objects.create(
        page=page, channel="email", name="Canary", audience="canary", options={"address": MAILBOX}
    )


def told(notice) -> list[str]:
    outbox.expand(notice.pk)
    assert_ledger_balances(notice)
    return sorted(Delivery.objects.filter(notice=notice).values_list("address", flat=True))


def test_a_heartbeat_goes_to_the_canary_and_to_nobody_else(
    make_notice: MakeNotice,
    add_subscribers: AddSubscribers,
    canary_account: Account,
    canary_mailbox: Account,
    x_account: Account,
):
    add_subscribers(3)
    add_subscribers(1, incident_code="incident0001")

    assert told(make_notice(audience="canary")) == [canary_account.address, MAILBOX]


def test_an_update_goes_to_everybody_but_the_canary(
    make_notice: MakeNotice,
    add_subscribers: AddSubscribers,
    canary_account: Account,
    canary_mailbox: Account,
    x_account: Account,
):
    people = add_subscribers(2)
    notice = make_notice()

    assert told(notice) == [x_account.address, *(each.address for each in people)]
    assert outbox.count_audience(notice.page, [], notice.thread) == {"email": 2, "x": 1}


def test_the_overview_lists_no_heartbeats(make_notice: MakeNotice, admin_client):
    make_notice(audience="canary", title="A heartbeat")
    shown = make_notice()

    assert [each.notice for each in recent_notices(5)] == [shown]
    for address in ("/staff/", "/admin/delivery/notice/", "/admin/delivery/delivery/", "/admin/delivery/account/"):
        assert "A heartbeat" not in admin_client.get(address).text


def test_a_heartbeat_does_not_wait_behind_a_large_fan_out(
    make_notice: MakeNotice, add_subscribers: AddSubscribers, canary_mailbox: Account
):
    add_subscribers(30)
    told(make_notice())
    told(make_notice(audience="canary"))

    batch = claims.claim("email", 5)

    assert batch
    assert MAILBOX in [each.address for each in batch.recipients.values()]


def test_a_heartbeat_is_not_booked_behind_its_domains_share(
    make_notice: MakeNotice, add_subscribers: AddSubscribers, canary_mailbox: Account, settings
):
    settings.EMAIL_DOMAIN_RATES = {"*": 2}
    add_subscribers(30)
    told(make_notice())
    assert claims.claim("email", 100)
    heartbeat = make_notice(audience="canary")
    told(heartbeat)

    batch = claims.claim("email", 100)

    assert batch  # where a second went by, some of the others' share as well
    assert next(notice for notice, recipients in batch.work if recipients) == heartbeat
