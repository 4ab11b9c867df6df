"""What staff see of subscribers, and what they may do for them."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from pages.models import AuditEntry
from subscribers.models import Subscriber, Suppression

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
LIST = "/admin/subscribers/subscriber/"
SUPPRESSIONS = "/admin/subscribers/suppression/"


@pytest.fixture
def staff(client: Client, subscriber: Subscriber) -> Client:
    user = User.objects.create_superuser("olga", "olga@example.com", "a long password")
    client.force_login(user)
    client.defaults["HTTP_HOST"] = "acme.localhost"
    return client


def test_a_subscriber_is_found_by_address_and_filtered_by_state(staff: Client, subscriber: Subscriber) -> None:
    subscriber.page.subscribers.create(address="bob@example.org")
    assert "ann@example.com" in staff.get(LIST, {"q": "ann@"}).text
    assert "ann@example.com" not in staff.get(LIST, {"q": "bob@"}).text
    assert "ann@example.com" not in staff.get(LIST, {"state__exact": "pending"}).text
    assert "Active (1)" in staff.get(LIST).text


def test_links_that_act_for_a_subscriber_are_never_shown(staff: Client, subscriber: Subscriber) -> None:
    text = staff.get(LIST).text + staff.get(f"{LIST}{subscriber.pk}/change/").text
    assert "ann@example.com" in text
    for path in ("/subscribe/confirm/", "/subscriptions/", "/unsubscribe/"):
        assert path not in text


def test_nobody_is_added_or_changed_by_hand(staff: Client, subscriber: Subscriber) -> None:
    assert staff.get(f"{LIST}add/").status_code == 403
    assert staff.post(f"{LIST}{subscriber.pk}/change/", {"address": "eve@example.com"}).status_code == 403
    assert staff.post(f"{LIST}{subscriber.pk}/delete/", {"post": "yes"}).status_code == 403


def act(staff: Client, action: str, subscriber: Subscriber) -> int:
    return staff.post(LIST, {"action": action, "_selected_action": [subscriber.pk]}).status_code


def test_staff_unsubscribe_and_delete_somebody_and_the_audit_log_has_no_address(
    staff: Client, subscriber: Subscriber
) -> None:
    assert act(staff, "unsubscribe", subscriber) == 302
    subscriber.refresh_from_db()
    assert subscriber.state == "unsubscribed"
    assert act(staff, "delete_their_data", subscriber) == 302
    assert not Subscriber.objects.exists()
    entries = AuditEntry.objects.order_by("pk").values_list("actor", "action", "target")
    assert list(entries) == [
        ("olga", "subscriber.unsubscribe", subscriber.code),
        ("olga", "subscriber.forget", subscriber.code),
    ]
    assert "ann@" not in str(list(AuditEntry.objects.values()))


def test_who_may_only_publish_neither_reads_addresses_nor_acts(client: Client, subscriber: Subscriber) -> None:
    user = User.objects.create_user("ben", password="a long password", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="publish"))
    client.force_login(user)
    assert client.get(LIST, headers={"host": "acme.localhost"}).status_code == 403
    client.defaults["HTTP_HOST"] = "acme.localhost"
    act(client, "delete_their_data", subscriber)
    assert Subscriber.objects.exists()


def test_staff_suppress_an_address_of_which_only_a_hash_is_kept(staff: Client) -> None:
    staff.post(f"{SUPPRESSIONS}add/", {"address": "Spam.Trap@Example.com"})
    assert Suppression.objects.covers("email", "spam.trap@example.com")
    assert "spam" not in str(list(Suppression.objects.values())).lower()
    assert "suppressed already" in staff.post(f"{SUPPRESSIONS}add/", {"address": "spam.trap@example.com"}).text
    assert "not an e-mail address" in staff.post(f"{SUPPRESSIONS}add/", {"address": "x@y"}).text


def test_a_suppression_is_found_by_the_whole_address_and_lifted(staff: Client) -> None:
    staff.post(f"{SUPPRESSIONS}add/", {"address": "trap@example.com"})
    suppression = Suppression.objects.get()
    shown = str(suppression)[:14]
    assert shown in staff.get(SUPPRESSIONS, {"q": "trap@example.com"}).text
    assert shown not in staff.get(SUPPRESSIONS, {"q": "other@example.com"}).text
    assert shown not in staff.get(SUPPRESSIONS, {"q": "trap@"}).text
    staff.post(f"{SUPPRESSIONS}{suppression.pk}/delete/", {"post": "yes"})
    assert not Suppression.objects.exists()
    actions = list(AuditEntry.objects.order_by("pk").values_list("action", flat=True))
    assert actions == ["suppression.add", "suppression.lift"]
