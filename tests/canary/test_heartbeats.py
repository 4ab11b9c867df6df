"""Heartbeats are published, travel, and come back; nothing of them stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.utils import timezone

from canary import heartbeats
from canary.models import Heartbeat, Probe
from delivery.models import Account, Delivery, Notice, Pause
from subscribers.models import Subscriber
from tests.http_servers import Sent

if TYPE_CHECKING:
    from pages.models import Page
    from tests.canary.conftest import Wires

pytestmark = pytest.mark.django_db
MAIL, WEBHOOK = Probe.Destination.MAIL, Probe.Destination.WEBHOOK


def arrived(destination: str) -> int:
    return Probe.objects.filter(destination=destination).exclude(arrived_at=None).count()


def hand_on(client: Client, sent: Sent) -> int:
    """Give the receiver what left for it."""
    signature = {name: value for name, value in sent.headers.items() if name.startswith("webhook-")}
    return client.post("/canary/hook", sent.body, "application/json", headers=signature).status_code


def test_a_heartbeat_leaves_by_mail_and_webhook_and_is_seen_to_arrive(
    page: Page, wires: Wires, deliver: Callable[[], None], client: Client
):
    heartbeats.beat()
    deliver()

    assert wires.relay.recipients == ["canary@mailbox.example"] * 4
    assert len(wires.hook.requests) == 4
    for _, mail in wires.relay.received:
        assert client.post("/canary/mail/the-way-in", mail, "message/rfc822").json() == {"arrived": 1}
    assert [hand_on(client, sent) for sent in wires.hook.requests] == [204] * 4
    assert (arrived(MAIL), arrived(WEBHOOK)) == (4, 4)


def test_what_arrives_twice_counts_once(page: Page, wires: Wires, deliver: Callable[[], None], client: Client):
    heartbeats.beat()
    deliver()
    sent, first = wires.hook.requests[0], timezone.now()
    hand_on(client, sent)
    seen = Probe.objects.exclude(arrived_at=None).get().arrived_at

    assert hand_on(client, sent) == 204
    assert Probe.objects.exclude(arrived_at=None).get().arrived_at == seen
    assert first <= seen


@pytest.mark.parametrize("damage", ["body", "signature", "no signature", "another key", "no text", "odd signature"])
def test_what_we_did_not_sign_is_refused(
    damage: str, page: Page, wires: Wires, deliver: Callable[[], None], client: Client, settings
):
    heartbeats.beat()
    deliver()
    sent = wires.hook.requests[0]
    match damage:
        case "body":
            sent.body += b" "
        case "signature":
            sent.headers["webhook-signature"] = "v1,AAAA"
        case "odd signature":
            sent.headers["webhook-signature"] = "nonsense"
        case "no signature":
            del sent.headers["webhook-signature"]
        case "another key":
            settings.SECRET_KEY = "another " * 10
        case "no text":
            sent.body = b"\xff\xfe"

    assert hand_on(client, sent) == 401
    assert arrived(WEBHOOK) == 0


@pytest.mark.parametrize("path", ["/canary/mail/another", "/canary/mail/the-way-in-", "/canary/mail/%C3%BC"])
def test_the_address_for_mail_is_its_own_secret(path: str, page: Page, wires: Wires, client: Client):
    heartbeats.beat()
    code = Probe.objects.first().code

    assert client.post(path, f"heartbeat-{code}", "text/plain").status_code == 404
    assert client.get("/canary/mail/the-way-in").status_code == 405
    assert arrived(MAIL) == 0


def test_without_a_secret_no_mail_is_taken(page: Page, wires: Wires, client: Client, settings):
    settings.CANARY_MAIL_SECRET = ""

    assert client.post("/canary/mail/x", "", "text/plain").status_code == 404


def test_mail_is_read_in_whatever_form_a_provider_posts_it(page: Page, wires: Wires, client: Client):
    heartbeats.beat()
    codes = list(Probe.objects.filter(destination=MAIL).values_list("code", flat=True))
    forms = [
        ({"subject": f"[Acme] Heartbeat: heartbeat-{codes[0]}"}, None),
        ({"Subject": f"heartbeat-{codes[1]}", "text": "…"}, "application/json"),
        (f"Subject=heartbeat-{codes[2]}&from=a%40b", "application/x-www-form-urlencoded"),
    ]

    for body, kind in forms:
        assert (
            client.post("/canary/mail/the-way-in", body, **({"content_type": kind} if kind else {})).status_code == 200
        )
    assert client.post("/canary/mail/the-way-in", b"\xff heartbeat-zzzzzzzzzzzz", "text/plain").status_code == 200
    assert arrived(MAIL) == 3


def test_a_bounce_is_no_arrival(page: Page, wires: Wires, client: Client):
    heartbeats.beat()
    code = Probe.objects.filter(destination=MAIL).first().code
    report = {"Content-Type": "multipart/report; report-type=delivery-status"}
    bounces = [
        f"From: MAILER-DAEMON@mx.example\nSubject: Undeliverable: heartbeat-{code}",
        f"Content-Type: message/delivery-status\n\nSubject: heartbeat-{code}",
    ]

    for body in bounces:
        assert client.post("/canary/mail/the-way-in", body, "text/plain").json() == {"arrived": 0}
    for kind in (None, "application/json"):
        body = {"headers": str(report), "subject": f"Undeliverable: heartbeat-{code}"}
        client.post("/canary/mail/the-way-in", body, **({"content_type": kind} if kind else {}))
    assert arrived(MAIL) == 0


def test_two_clocks_make_one_heartbeat(page: Page, wires: Wires, settings):
    settings.CANARY_PERIOD_SECONDS = 3600

    assert heartbeats.beat() is not None
    assert heartbeats.beat() is None
    assert Notice.objects.count() == 4


def test_without_a_destination_nothing_is_published(page: Page, settings):
    assert heartbeats.beat() is None
    assert not Heartbeat.objects.exists()


def test_the_canary_follows_its_settings(page: Page, wires: Wires, settings):
    heartbeats.publish()
    heartbeats.publish()
    assert sorted(Account.objects.values_list("channel", flat=True)) == ["email", "webhook"]
    assert not Subscriber.objects.exists()

    settings.CANARY_MAIL_TO, settings.CANARY_WEBHOOK_URL = "Other@mailbox.example", ""
    heartbeats.publish()

    account = Account.objects.get()
    assert (account.address, account.audience) == ("other@mailbox.example", "canary")


def test_a_heartbeat_by_mail_has_nothing_to_unsubscribe_from(page: Page, wires: Wires, deliver: Callable[[], None]):
    """A click in the canary's mailbox would blind it."""
    heartbeats.beat()
    deliver()

    for mail in wires.relay.messages:
        assert "unsubscribe" not in mail.as_string().lower()
        assert "Choose what you hear about" not in mail.as_string()


def test_a_relay_that_refuses_a_heartbeat_pauses_mail_for_everybody(
    page: Page, wires: Wires, deliver: Callable[[], None], settings
):
    settings.EMAIL_PORT = 1
    heartbeats.beat()
    deliver()

    assert list(Pause.objects.values_list("key", flat=True)) == ["email"]


def test_heartbeats_that_wait_too_long_are_cancelled_and_old_ones_deleted(
    page: Page, wires: Wires, deliver: Callable[[], None]
):
    heartbeats.publish()
    deliver()
    heartbeats.publish()
    age(Notice.objects.all(), timedelta(minutes=11))

    heartbeats.prune()
    assert not Delivery.objects.pending().exists()
    deliver()
    assert len(wires.relay.received) == 4, "old heartbeats do not go out late"
    assert Notice.objects.count() == 8

    age(Notice.objects.all(), timedelta(hours=2))
    heartbeats.prune()
    assert not Notice.objects.exists()
    assert not Delivery.objects.exists()


def test_what_a_worker_holds_is_left_to_it(page: Page, wires: Wires):
    from delivery.ledger import claims, outbox

    heartbeats.publish()
    for notice in Notice.objects.all():
        outbox.expand(notice.pk)
    batch = claims.claim("email", 10)
    age(Notice.objects.all(), timedelta(hours=2))

    heartbeats.prune()

    assert batch
    assert len(batch.recipients) == 4
    assert Delivery.objects.filter(state="sending").count() == 4


def age(notices, by: timedelta) -> None:
    notices.update(created_at=timezone.now() - by)
