"""An installation whose canary's mailbox was a subscriber of an incident that does not exist."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.apps.registry import Apps
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

pytestmark = pytest.mark.django_db(transaction=True)
BEFORE, AFTER = [("canary", "0001_initial")], [("canary", "0002_mailbox_is_an_account")]


def migrate(to: list[tuple[str, str]]) -> Apps:
    """The models of that time; those of other apps are as their tables are, which stay at the newest."""
    executor = MigrationExecutor(connection)
    executor.migrate(to)
    others = [node for node in executor.loader.graph.leaf_nodes() if node[0] != "canary"]
    apps: Apps = executor.loader.project_state([*to, *others]).apps  # type: ignore[assignment]
    return apps


@pytest.fixture
def before() -> Iterator[Apps]:
    """The models as they were; all is as it is now when the test ends."""
    yield migrate(BEFORE)
    migrate(AFTER)


def test_it_becomes_an_account_and_what_waits_goes_on_waiting(before: Apps) -> None:
    page = before.get_model("pages", "Page").objects.create(name="Acme", url="https://a.example", host="a.example")
    subscribers = before.get_model("subscribers", "Subscriber").objects
    canary = subscribers.create(page=page, address="canary@in.example", incident_code="heartbeat", state="active")
    person = subscribers.create(page=page, address="ann@example.com", incident_code="incident0001", state="active")
    notice = before.get_model("delivery", "Notice").objects.create(
        page=page, code="abcdefghijk0", thread="heartbeat", stage="middle", title="heartbeat-abcdefghijk0",
        status_label="Heartbeat", severity="none", body="x", body_html="x", link="https://a.example/", audience="canary",
    )  # fmt: skip
    before.get_model("delivery", "Delivery").objects.create(
        notice=notice, channel="email", address=canary.address, subscriber_id=canary.pk, rank=0
    )

    migrate(AFTER)

    from canary import heartbeats
    from delivery.models import Account, Delivery, Notice
    from subscribers.models import Subscriber

    assert list(Subscriber.objects.values_list("pk", flat=True)) == [person.pk]
    account = Account.objects.get()
    assert (account.audience, account.channel, account.name) == ("canary", "email", heartbeats.ACCOUNT_NAME)
    assert account.address == "canary@in.example"
    waiting = Delivery.objects.get()
    assert (waiting.address, waiting.account_id, waiting.subscriber_id) == (account.address, account.pk, None)
    assert Notice.objects.get().thread == "abcdefghijk0"


def test_an_installation_without_a_canary_stays_as_it_is(before: Apps) -> None:
    page = before.get_model("pages", "Page").objects.create(name="Acme", url="https://a.example", host="a.example")
    before.get_model("subscribers", "Subscriber").objects.create(page=page, address="ann@example.com")

    migrate(AFTER)

    from delivery.models import Account
    from subscribers.models import Subscriber

    assert Subscriber.objects.count() == 1
    assert not Account.objects.exists()
