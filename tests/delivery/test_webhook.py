"""The webhook channel beyond the contract: what is posted, under which id, and what each answer means."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterable, Iterator
from itertools import islice

import pytest

from core.outbound import request
from core.outbound_errors import NoAnswerError, NotReachedError
from core.resolver import Trust
from delivery.channels import posting
from delivery.channels import webhook as webhook_module
from delivery.channels.webhook import Webhook
from delivery.contract import DeliveryError, Recipient
from delivery.ledger import outbox, sender
from delivery.models import Account, Delivery, Notice
from tests.http_servers import Reply, Sent, crowd, listening
from tests.processes import wait_until

pytestmark = pytest.mark.django_db


def post(notice: Notice, account: Account, url: str) -> None:
    account.credentials = account.credentials | {"url": url}
    Webhook().send(notice, Recipient(7, account.address, account=account))


def test_each_attempt_carries_the_same_id(notice: Notice, webhook_account: Account):
    with listening() as server:
        post(notice, webhook_account, server.url)
        post(notice, webhook_account, server.url)

    assert {each.headers["webhook-id"] for each in server.requests} == {f"d-{notice.code}-7"}
    assert server.requests[0].json["type"] == "notice.posted"
    assert server.requests[0].json["data"]["components"] == notice.components


@pytest.mark.parametrize(("audience", "type_"), [("account", "notice.test"), ("canary", "notice.heartbeat")])
def test_what_is_no_update_of_an_incident_says_so(audience: str, type_: str, notice: Notice, webhook_account: Account):
    notice.audience = audience
    with listening() as server:
        post(notice, webhook_account, server.url)

    assert server.requests[0].json["type"] == type_


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (302, {"pause": True}),
        (404, {"pause": True}),
        (410, {"pause": True}),
        (422, {"permanent": True}),
        (429, {"retry_after": 17.0, "permanent": False}),
        (503, {"permanent": False, "ambiguous": False}),
    ],
)
def test_what_each_answer_means(status: int, expected: dict[str, object], notice: Notice, webhook_account: Account):
    headers = {"Location": "http://127.0.0.1:1/elsewhere", "Retry-After": "17"}
    with listening(lambda sent: Reply(status, b"", headers)) as server, pytest.raises(DeliveryError) as caught:
        post(notice, webhook_account, server.url)

    assert {name: getattr(caught.value, name) for name in expected} == expected
    assert len(server.requests) == 1, "a redirect is not followed"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(200, gzip.compress(b"thanks"), {"Content-Encoding": "gzip"}),
        Reply(202, b"<p>thanks</p>" * 10_000),
        Reply(201, b"than", {"Content-Length": "900"}),
    ],
    ids=["compressed", "long", "broken off"],
)
def test_a_webhook_that_is_taken_is_sent_whatever_the_body_is(reply: Reply, notice: Notice, webhook_account: Account):
    with listening(lambda sent: reply) as server:
        webhook_account.credentials = webhook_account.credentials | {"url": server.url}
        webhook_account.save(update_fields=["credentials"])
        outbox.expand(notice.pk)
        sender.drain("webhook", 20)

    assert notice.deliveries.get().state == Delivery.State.SENT
    assert len(server.requests) == 1


def recipients(account: Account, urls: Iterable[str]) -> Iterator[Recipient]:
    for number, url in enumerate(urls):
        credentials = account.credentials | {"url": url} if url else {}
        other = Account(page=account.page, channel="webhook", name=f"hook {number}", credentials=credentials)
        yield Recipient(number, account.address, account=other)


def test_one_dead_address_among_a_thousand_slows_nobody(
    notice: Notice, webhook_account: Account, monkeypatch: pytest.MonkeyPatch
):
    """It is asked first and has a minute; the others have outcomes before it."""
    monkeypatch.setattr(posting, "SECONDS", 60)
    with crowd() as server:
        server.silent.add("127.1.0.1")
        waiting = recipients(webhook_account, map(server.url, range(1000)))
        outcomes = Webhook().send_many(notice, waiting)
        found = list(islice(outcomes, 999))
        wait_until(lambda: server.held, what="a request to the dead one")
        outcomes.close()

    assert {outcome.delivery_id for outcome in found} == set(range(1, 1000))
    assert not any(outcome.error for outcome in found)
    assert len(set(server.requests)) == 1000


def test_each_of_many_has_the_outcome_of_its_own_address(
    notice: Notice, webhook_account: Account, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(posting, "SECONDS", 2)

    def answer(sent: Sent) -> Reply:
        return Reply(int(sent.path[1:]), b"words", {"Content-Encoding": "gzip"} if sent.path == "/200" else {})

    with listening(answer) as server:
        urls = [f"{server.url}/{status}" for status in (200, 422, 503, 404)]
        urls += ["", "ftp://example.com/hunter2", "http://127.0.0.1:1/"]
        found = {
            each.delivery_id: each.error for each in Webhook().send_many(notice, recipients(webhook_account, urls))
        }

    assert found.pop(0) is None
    errors = {number: error for number, error in found.items() if error}
    assert len(errors) == 6
    assert [errors[number].permanent for number in range(1, 7)] == [True] + [False] * 5
    assert [errors[number].pause for number in range(1, 7)] == [False, False, True, False, True, False]
    assert errors[4].skip
    assert "hunter2" not in str(errors[5])
    assert not any(error.ambiguous for error in errors.values())
    assert {sent.headers["webhook-id"] for sent in server.requests} == {f"d-{notice.code}-{n}" for n in range(4)}


def test_a_mistake_with_one_of_many_ends_no_other(
    notice: Notice, webhook_account: Account, monkeypatch: pytest.MonkeyPatch
):
    real = webhook_module.sign

    def sign(secret: str, name: str, body: str) -> dict[str, str]:
        if name.endswith("-1"):
            raise TypeError
        return real(secret, name, body)

    monkeypatch.setattr(webhook_module, "sign", sign)
    with listening() as server:
        outcomes = list(Webhook().send_many(notice, recipients(webhook_account, [server.url] * 3)))

    errors = {each.delivery_id: each.error for each in outcomes}
    assert (errors[0], errors[2]) == (None, None)
    assert errors[1] is not None
    assert (str(errors[1]), errors[1].ambiguous) == ("internal error: TypeError", True)


def test_no_more_are_under_way_than_the_channel_declares(
    notice: Notice, webhook_account: Account, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(Webhook, "concurrency", 3)
    lock, state = threading.Lock(), {"now": 0, "most": 0}

    def answer(sent: Sent) -> Reply:
        with lock:
            state["now"] += 1
            state["most"] = max(state["most"], state["now"])
        time.sleep(0.02)
        with lock:
            state["now"] -= 1
        return Reply()

    with listening(answer) as server:
        outcomes = list(Webhook().send_many(notice, recipients(webhook_account, [server.url] * 20)))
    assert len(outcomes) == 20
    assert state["most"] == 3


def test_a_refusal_in_words_that_no_database_takes_is_recorded_like_any_other(notice: Notice, webhook_account: Account):
    with listening(lambda sent: Reply(422, b"no \x00\x1b[2J thanks")) as server:
        webhook_account.credentials = webhook_account.credentials | {"url": server.url}
        webhook_account.save(update_fields=["credentials"])
        outbox.expand(notice.pk)
        sender.drain("webhook", 20)

    row = notice.deliveries.get()
    assert (row.state, row.error) == (Delivery.State.DEAD, "the server refuses this message (422): no [2J thanks")


def test_an_address_that_cannot_be_reached_is_tried_again_and_not_in_doubt(notice: Notice, webhook_account: Account):
    outbox.expand(notice.pk)
    sender.drain("webhook", 20)

    row = notice.deliveries.get()
    assert (row.state, row.ambiguous) == (Delivery.State.PENDING, False)
    assert "cannot be reached" in row.error


@pytest.mark.parametrize("url", ["ftp://example.com/x", "file:///etc/passwd", "nonsense", "http://[::1", "http://a:b/"])
def test_what_is_no_web_address_pauses_and_is_not_repeated(url: str, notice: Notice, webhook_account: Account):
    with pytest.raises(DeliveryError) as caught:
        post(notice, webhook_account, url)

    assert caught.value.pause
    assert url not in str(caught.value)


def test_an_answer_without_end_is_cut_off():
    with listening(lambda sent: Reply(200, b"x" * 5000)) as server, pytest.raises(NoAnswerError):
        request("GET", server.url, trust=Trust.OPERATOR, seconds=5, limit_bytes=1000)


def test_an_answer_that_drips_ends_in_time():
    with listening(lambda sent: Reply(200, b"x", {"Content-Length": "50"})) as server, pytest.raises(NoAnswerError):
        request("GET", server.url, trust=Trust.OPERATOR, seconds=0.3)


def test_nothing_listening_is_not_reached():
    with pytest.raises(NotReachedError, match=r"127\.0\.0\.1 cannot be reached"):
        request("GET", "http://127.0.0.1:1/", trust=Trust.OPERATOR, seconds=1)
