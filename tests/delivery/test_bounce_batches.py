"""Batches of a mail provider's webhook of which one event cannot be read: the others are not to be lost with it."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.test import Client
from pytest_django import Settings

from delivery.mail.bounces import tracked
from delivery.mail.bounces.models import BounceEvent, EventKind
from subscribers.models import Subscriber, Suppression
from tests.delivery.provider_payloads import GONE, PROVIDERS

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers

SECRET = "reports:a-long-password"
pytestmark = pytest.mark.filterwarnings("ignore:django-anymail has dropped official support for SendGrid")


def sendgrid(to: str) -> Any:
    return json.loads(PROVIDERS["sendgrid"]("hard", to, "")["data"])[1]


def mailjet(to: str) -> Any:
    return json.loads(PROVIDERS["mailjet"]("hard", to, "")["data"])[0]


def sparkpost(to: str) -> Any:
    event = {
        "type": "bounce",
        "bounce_class": "10",
        "error_code": "550",
        "event_id": f"92356927693813856-{to}",
        "message_id": "000443ee14578172be22",
        "raw_rcpt_to": to,
        "raw_reason": GONE,
        "timestamp": "1795239000",
        "transmission_id": "65832150921904138",
    }
    return {"msys": {"message_event": event}}


def mailtrap(to: str) -> Any:
    return {
        "event": "bounce",
        "timestamp": 1795239000,
        "sending_stream": "transactional",
        "message_id": "1df37d17-0286-4d8b-8edf-bc4ec5be86e6",
        "email": to,
        "event_id": f"bede7236-2284-43d6-a953-{to}",
        "response": GONE,
        "response_code": 550,
    }


# One event of each, and what breaks django-anymail's reading of it.
BATCHES: dict[str, Any] = {
    "sendgrid": (sendgrid, {"event": "bounce", "timestamp": "yesterday"}),
    "mailjet": (mailjet, {"event": "bounce", "time": None}),
    "sparkpost": (sparkpost, {"msys": {"message_event": {}, "track_event": {}}}),
    "mailtrap": (mailtrap, {"event": "bounce", "email": "person0003@example.com"}),
}


@pytest.fixture(autouse=True)
def people(settings: Settings, add_subscribers: AddSubscribers) -> list[Subscriber]:
    settings.BOUNCE_WEBHOOK_SECRET = SECRET
    return add_subscribers(3)


def post(provider: str, events: list[Any]) -> int:
    content = {"events": events} if provider == "mailtrap" else events
    client = Client(raise_request_exception=False)
    headers = {"Authorization": "Basic " + b64encode(SECRET.encode()).decode()}
    body = json.dumps(content)
    return client.post(f"/bounces/{provider}", body, content_type="application/json", headers=headers).status_code


def suppressed() -> set[str]:
    return Suppression.objects.among("email", Subscriber.objects.values_list("address", flat=True))


def unreadable() -> list[tuple[str, str]]:
    return list(BounceEvent.objects.filter(kind=EventKind.UNREADABLE).values_list("source", "reason"))


@pytest.mark.parametrize("provider", BATCHES)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_others_of_the_batch_count_and_the_provider_need_not_come_again(
    provider: str, place: int, caplog: pytest.LogCaptureFixture
) -> None:
    make, broken = BATCHES[provider]
    events = [make("person0001@example.com"), make("person0002@example.com")]
    events.insert(place, broken)

    assert [post(provider, events) for _ in range(3)] == [200, 200, 200]

    assert suppressed() == {"person0001@example.com", "person0002@example.com"}
    [(source, reason)] = unreadable()
    assert (source, reason.partition(":")[0]) == (provider, "1 of 3 events")
    assert f"some events of a bounce webhook of {provider} cannot be read: 1 of 3" in caplog.text
    assert "person" not in reason + caplog.text


@pytest.mark.parametrize("provider", BATCHES)
def test_a_batch_of_which_nothing_can_be_read_is_refused_and_seen(provider: str) -> None:
    _, broken = BATCHES[provider]

    assert [post(provider, [broken, None]) for _ in range(3)] == [400, 400, 400]

    assert suppressed() == set()
    [(source, _)] = unreadable()
    assert source == provider


@pytest.mark.parametrize("provider", BATCHES)
def test_a_batch_that_we_cannot_store_comes_again_whole(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 for what can be read must not swallow what is our own fault."""
    make, broken = BATCHES[provider]
    events = [make("person0001@example.com"), broken, make("person0002@example.com")]

    def fail(**fields: object) -> bool:
        raise DatabaseError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(tracked, "note", fail)
        assert post(provider, events) == 500
    assert post(provider, events) == 200

    assert suppressed() == {"person0001@example.com", "person0002@example.com"}
    assert len(unreadable()) == 1


def test_an_event_that_is_a_list_is_not_taken_for_a_batch() -> None:
    assert post("sendgrid", [[sendgrid("person0001@example.com")], sendgrid("person0002@example.com")]) == 200
    assert suppressed() == {"person0002@example.com"}


def test_staff_see_it_among_the_bounce_events() -> None:
    make, broken = BATCHES["sendgrid"]
    post("sendgrid", [make("person0001@example.com"), broken])
    client = Client()
    client.force_login(User.objects.create_superuser("ada"))

    listed = client.get("/admin/delivery/bounceevent/?kind__exact=unreadable").text

    assert "Could not be read" in listed
    assert "1 of 2 events: TypeError" in listed
