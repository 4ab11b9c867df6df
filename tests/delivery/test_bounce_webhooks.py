"""What providers post, through django-anymail's real views."""

from __future__ import annotations

import asyncio
import json
import logging
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from django.db import DatabaseError
from django.test import Client
from pytest_django import Settings

from core.bodies import LIMIT_BYTES
from delivery.ledger import outbox
from delivery.mail import message_ids
from delivery.mail.bounces import tracked
from delivery.mail.bounces.known import KNOWN
from delivery.mail.bounces.models import BounceEvent, EventKind
from delivery.mail.bounces.severity import GONE
from delivery.models import Delivery, Notice
from subscribers.models import Subscriber, Suppression
from tests.delivery.provider_payloads import CORRELATED, MAILGUN_KEY, PROVIDERS, Post, as_json, mailgun, sns

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers

SECRET = "reports:a-long-password"
ADDRESS = "person0001@example.com"
STRANGER = "nobody@elsewhere.example"
WITH_UNSUBSCRIBE = [name for name in PROVIDERS if name != "amazon_ses"]
pytestmark = pytest.mark.filterwarnings("ignore:django-anymail has dropped official support for SendGrid")


@pytest.fixture(autouse=True)
def _switched_on(settings: Settings) -> None:
    settings.BOUNCE_WEBHOOK_SECRET = SECRET
    settings.BOUNCE_WEBHOOK_KEYS = {"mailgun": MAILGUN_KEY}


@pytest.fixture
def delivery(notice: Notice, add_subscribers: AddSubscribers) -> Delivery:
    add_subscribers(2)
    outbox.expand(notice.pk)
    return notice.deliveries.get(address=ADDRESS)


def signed(delivery: Delivery) -> str:
    return message_ids.of_delivery(delivery.notice.code, delivery.pk, "acme.example")


def post(provider: str, report: Post, secret: str = SECRET) -> int:
    headers = report.get("headers", {}) | ({"Authorization": basic(secret)} if secret else {})
    client = Client(raise_request_exception=False)
    return client.post(f"/bounces/{provider}", **report | {"headers": headers}).status_code


def basic(secret: str) -> str:
    return "Basic " + b64encode(secret.encode()).decode()


def suppressed() -> dict[str, str]:
    """Who must not be written to, and why."""
    people = [*Subscriber.objects.values_list("address", flat=True), STRANGER]
    covered = Suppression.objects.among("email", people)
    reasons = Suppression.objects.values_list("reason", flat=True)
    assert len(covered) == len(reasons)
    return dict(zip(covered, reasons, strict=True))


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_hard_bounce_suppresses_its_address_and_no_other(delivery: Delivery, provider: str) -> None:
    assert post(provider, PROVIDERS[provider]("hard", ADDRESS, signed(delivery))) == 200
    assert suppressed() == {ADDRESS: "hard_bounce"}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_complaint_suppresses(delivery: Delivery, provider: str) -> None:
    assert post(provider, PROVIDERS[provider]("complaint", ADDRESS, signed(delivery))) == 200
    assert suppressed() == {ADDRESS: "complaint"}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_passing_failure_does_not(delivery: Delivery, provider: str) -> None:
    assert post(provider, PROVIDERS[provider]("soft", ADDRESS, signed(delivery))) == 200
    assert suppressed() == {}
    assert BounceEvent.objects.get().outcome == BounceEvent.Outcome.NOTED


@pytest.mark.parametrize("provider", WITH_UNSUBSCRIBE)
def test_leaving_at_the_provider_is_leaving_here(delivery: Delivery, provider: str) -> None:
    assert post(provider, PROVIDERS[provider]("unsubscribe", ADDRESS, signed(delivery))) == 200
    assert Subscriber.objects.get(address=ADDRESS).state == Subscriber.State.UNSUBSCRIBED
    assert Subscriber.objects.exclude(address=ADDRESS).get().is_active
    assert suppressed() == {}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_same_report_fifty_times_is_one(delivery: Delivery, provider: str) -> None:
    report = PROVIDERS[provider]("hard", ADDRESS, signed(delivery))
    assert {post(provider, report) for _ in range(50)} == {200}
    assert suppressed() == {ADDRESS: "hard_bounce"}
    event = BounceEvent.objects.get()
    assert (event.source, event.kind) == (provider, EventKind.HARD)
    assert event.delivery_pk == (delivery.pk if provider in CORRELATED else None)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_one_report_has_one_id_and_two_have_two(
    delivery: Delivery, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[dict[str, Any]] = []
    monkeypatch.setattr(tracked, "note", lambda **fields: noted.append(fields))
    for number in (1, 1, 2):
        assert post(provider, PROVIDERS[provider]("hard", ADDRESS, signed(delivery), number)) == 200
    first, again, second = noted
    assert first == again
    assert first["event_id"] != second["event_id"]
    assert (first["source"], first["address"]) == (provider, ADDRESS)
    assert "@" not in first["reason"]


@pytest.mark.parametrize("provider", CORRELATED)
def test_the_providers_that_repeat_our_message_id_name_the_delivery(
    delivery: Delivery, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[dict[str, Any]] = []
    monkeypatch.setattr(tracked, "note", lambda **fields: noted.append(fields))
    post(provider, PROVIDERS[provider]("hard", ADDRESS, signed(delivery)))
    assert message_ids.read(noted[0]["message_id"]) == delivery.pk


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_address_without_a_subscriber_stays_unknown(delivery: Delivery, provider: str) -> None:
    for kind in ("hard", "complaint"):
        assert post(provider, PROVIDERS[provider](kind, STRANGER, "<someone-elses@acme.example>")) == 200
    assert suppressed() == {}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_message_id_of_ours_does_not_suppress_another_address(delivery: Delivery, provider: str) -> None:
    assert post(provider, PROVIDERS[provider]("hard", STRANGER, signed(delivery))) == 200
    assert suppressed() == {}


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("secret", ["", "reports:wrong-password!", "reports", SECRET + "x", "é:" + "x" * 20])
def test_without_the_secret_nothing_is_taken(delivery: Delivery, provider: str, secret: str) -> None:
    assert post(provider, PROVIDERS[provider]("hard", ADDRESS, signed(delivery)), secret) == 401
    assert suppressed() == {}


def test_a_refused_caller_is_asked_to_sign_in(db: None) -> None:
    """Amazon's calls come without the password first."""
    response = Client().post("/bounces/amazon_ses", **sns("Notification"))
    assert response.headers["WWW-Authenticate"] == 'Basic realm="bounces"'


def test_a_signature_with_another_key_is_forged(delivery: Delivery) -> None:
    assert post("mailgun", mailgun("hard", ADDRESS, signed(delivery), key="a guess")) == 401
    assert suppressed() == {}


def test_a_provider_that_signs_is_not_read_without_its_key(delivery: Delivery, settings: Settings) -> None:
    settings.BOUNCE_WEBHOOK_KEYS = {}
    assert post("mailgun", mailgun("hard", ADDRESS, signed(delivery))) == 404


@pytest.mark.parametrize("secret", ["", "user:short", "no-colon-in-all-of-this", ":only-a-long-password"])
def test_without_a_good_secret_there_is_no_such_address(delivery: Delivery, settings: Settings, secret: str) -> None:
    settings.BOUNCE_WEBHOOK_SECRET = secret
    assert post("mailjet", PROVIDERS["mailjet"]("hard", ADDRESS, ""), secret) == 404


@pytest.mark.parametrize("provider", PROVIDERS)
def test_five_megabytes_are_refused(delivery: Delivery, provider: str) -> None:
    large = {"data": b" " * 5_000_000, "content_type": "application/json"}
    assert post(provider, large) == 413


def test_as_much_as_a_provider_sends_at_once_is_taken(delivery: Delivery) -> None:
    """SendGrid: 768 kB, which is more than a form here may have."""
    event = json.loads(PROVIDERS["sendgrid"]("hard", ADDRESS, signed(delivery))["data"])
    report = as_json([*({"event": "open", "useragent": "x" * 1000} for _ in range(700)), *event])
    assert 700_000 < len(report["data"]) < LIMIT_BYTES
    assert post("sendgrid", report) == 200
    assert suppressed() == {ADDRESS: "hard_bounce"}


@pytest.fixture
def _all_keys(settings: Settings) -> None:
    settings.BOUNCE_WEBHOOK_KEYS = {name: "a key" for name, known in KNOWN.items() if known.key}


@pytest.mark.usefixtures("_all_keys")
@pytest.mark.parametrize("provider", KNOWN)
@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"null", b"1", b"[1]"])
def test_what_cannot_be_read_is_the_callers_fault(
    db: None, caplog: pytest.LogCaptureFixture, provider: str, body: bytes
) -> None:
    status = post(provider, {"data": body, "content_type": "application/json"})
    # Who signs, signs something else than this; that may be found out first.
    assert status in ((400, 401) if KNOWN[provider].key else (400,))
    assert f"a bounce webhook of {provider}" in caplog.text


ODD = {"event": [], "event-data": {"event": {}}, "type": {}, "events": [None], "data": [], "RecordType": [], "email": 1}


@pytest.mark.usefixtures("_all_keys")
@pytest.mark.parametrize("provider", KNOWN)
@pytest.mark.parametrize("content", [{}, [], [[]], "x", {"Type": 1}, ODD, [ODD], [{"msys": ODD}], {"events": 1}])
def test_an_unexpected_shape_never_answers_500(db: None, provider: str, content: object) -> None:
    assert post(provider, as_json(content)) in (200, 400, 401)


@pytest.mark.parametrize("to", ["\x00@example.com", "\ud800@example.com", "a@b@c", "", "x" * 5000, None, 7, [ADDRESS]])
@pytest.mark.parametrize("provider", ["sendgrid", "mailjet", "brevo"])
def test_an_invalid_recipient_changes_nothing(delivery: Delivery, provider: str, to: Any) -> None:
    for kind in ("hard", "complaint", "unsubscribe"):
        assert post(provider, PROVIDERS[provider](kind, to, "\x00\ud800")) == 200
    assert suppressed() == {}
    assert Subscriber.objects.active().count() == 2


@pytest.mark.parametrize("provider", PROVIDERS)
def test_when_we_cannot_store_it_the_provider_tries_again(
    delivery: Delivery, provider: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(**fields: object) -> bool:
        raise DatabaseError("gone")

    monkeypatch.setattr(tracked, "note", fail)
    caplog.set_level(logging.CRITICAL)
    assert post(provider, PROVIDERS[provider]("hard", ADDRESS, signed(delivery))) == 500


def test_only_posts_are_taken(db: None) -> None:
    headers = {"Authorization": basic(SECRET)}
    for method in ("get", "head", "put", "options", "delete"):
        assert getattr(Client(), method)("/bounces/mailjet", headers=headers).status_code == 405
    assert post("nosuch", as_json({})) == 404


def test_amazons_question_is_logged_and_not_answered(
    db: None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    import boto3

    monkeypatch.setattr(boto3.session, "Session", lambda **_: pytest.fail("a call to Amazon"))
    good = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=2336412f37"
    assert post("amazon_ses", sns("SubscriptionConfirmation", SubscribeURL=good, Token="2336412f37")) == 200
    assert good in caplog.text
    caplog.clear()
    for bad in (
        "https://sns.evil.example/",
        "http://169.254.169.254/",
        "https://sns.x@evil.example/.amazonaws.com",
        "[",
    ):
        assert post("amazon_ses", sns("SubscriptionConfirmation", SubscribeURL=bad, Token="2")) in (200, 400)
    assert "evil" not in caplog.text
    assert "169.254" not in caplog.text


# What providers mean


@pytest.mark.parametrize("code", ["5.7.1", "5.2.2", "5.0.0", *sorted(GONE)])
@pytest.mark.parametrize("provider", ["mailgun", "sendgrid", "amazon_ses", "brevo", "postmark"])
def test_the_receiving_servers_code_weighs_more_than_the_providers_word(
    delivery: Delivery, provider: str, code: str
) -> None:
    report = PROVIDERS[provider]("hard", ADDRESS, signed(delivery))
    report["data"] = report["data"].replace("550 5.1.1", f"550 {code}")
    assert post(provider, report) == 200
    # 5.0.0 says nothing
    assert bool(suppressed()) == (code in GONE or code == "5.0.0")
    assert BounceEvent.objects.exists() == (code != "5.7.1")


@pytest.mark.parametrize(
    ("provider", "event", "expected"),
    [
        ("sendgrid", {"event": "dropped", "reason": "Bounced Address"}, "hard_bounce"),
        ("sendgrid", {"event": "dropped", "reason": "Invalid"}, "hard_bounce"),
        ("sendgrid", {"event": "dropped", "reason": "Spam Content"}, None),
        ("sendgrid", {"event": "deferred", "response": "452 4.2.2 full"}, None),
        ("mailjet", {"event": "blocked", "error": "spam reporter"}, "complaint"),
        ("mailjet", {"event": "blocked", "error": "preblocked"}, None),
        ("mailjet", {"event": "bounce", "hard_bounce": True, "error": "sender blocked"}, None),
        ("brevo", {"event": "invalid_email"}, "hard_bounce"),
        ("brevo", {"event": "blocked"}, None),
        ("brevo", {"event": "delivered"}, None),
        ("mailtrap", {"event": "bounce", "response": "550 5.1.1 gone"}, "hard_bounce"),
        ("mailtrap", {"event": "soft bounce"}, None),
        ("mailtrap", {"event": "reject"}, None),
    ],
)
def test_events_that_need_their_providers_words(
    delivery: Delivery, provider: str, event: dict[str, Any], expected: str | None
) -> None:
    content: Any = {"email": ADDRESS, "timestamp": 1795239000, "time": 1795239000, "message_id": "x"} | event
    content = {"sendgrid": [content], "mailtrap": {"events": [content]}}.get(provider, content)
    assert post(provider, as_json(content)) == 200
    assert suppressed() == ({ADDRESS: expected} if expected else {})


def test_a_mail_taken_out_of_the_spam_folder_is_no_complaint(delivery: Delivery) -> None:
    report = PROVIDERS["amazon_ses"]("complaint", ADDRESS, signed(delivery))
    report["data"] = report["data"].replace('\\"abuse\\"', '\\"not-spam\\"')
    assert "not-spam" in report["data"]
    assert post("amazon_ses", report) == 200
    assert suppressed() == {}


def test_the_same_over_asgi(transactional_db: None) -> None:
    """Where bodies come in pieces, and a long one is refused in front of Django."""
    from statuspage.asgi import application

    async def ask(length: int, secret: str) -> int:
        pieces = [{"type": "http.request", "body": b" " * 100_000, "more_body": True}] * (length // 100_000)
        messages = iter([*pieces, {"type": "http.request", "body": b"", "more_body": False}])
        sent: list[Any] = []

        async def receive() -> Any:
            return next(messages, None) or await asyncio.Event().wait()

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"host", b"localhost"), (b"authorization", basic(secret).encode())]
        scope = {"type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "root_path": ""}
        scope |= {"path": "/bounces/mailjet", "query_string": b"", "headers": headers}
        await application.django(scope, receive, send)
        return sent[0]["status"]

    assert asyncio.run(ask(5_000_000, SECRET)) == 413
    assert asyncio.run(ask(900_000, SECRET)) == 400
    assert asyncio.run(ask(100_000, "x")) == 401
