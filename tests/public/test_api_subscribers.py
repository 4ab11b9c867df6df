"""POST /api/v2/subscribers.json."""

import json
from typing import Any

import pytest
from django.test import Client

from subscribers.models import Confirmation, Subscriber, Suppression, address_hash
from tests.public.examples import HOST, Example, make_example

ADDRESS = "/api/v2/subscribers.json"


@pytest.fixture
def example(db: None) -> Example:
    return make_example()


def post_json(client: Client, subscriber: Any) -> Any:
    body = json.dumps({"subscriber": subscriber})
    return client.post(ADDRESS, body, content_type="application/json", headers={"host": HOST})


def test_a_form_asks_for_mails_that_the_owner_must_confirm(example: Example, client: Client) -> None:
    fields = {"subscriber[email]": "ann@example.com", "subscriber[component_ids][]": [example.api.code]}
    response = client.post(ADDRESS, fields, headers={"host": HOST})
    assert response.status_code == 201
    document = response.json()
    assert list(document) == ["page", "subscriber"]
    assert document["subscriber"] == {
        "mode": "email", "email": "ann@example.com", "state": "pending", "component_ids": [example.api.code],
    }  # fmt: skip
    subscriber = Subscriber.objects.get()
    assert subscriber.state == Subscriber.State.PENDING
    assert list(subscriber.components.all()) == [example.api]
    assert Confirmation.objects.count() == 1


def test_json_does_the_same_and_may_name_one_incident(example: Example, client: Client) -> None:
    response = post_json(client, {"email": "ann@example.com", "incident": example.outage.code})
    assert response.status_code == 201
    assert Subscriber.objects.get().incident_code == example.outage.code


def test_new_known_and_suppressed_addresses_get_the_same_answer(example: Example, client: Client) -> None:
    Suppression.objects.create(address_hash=address_hash("email", "gone@example.com"), reason="hard_bounce")
    answers = [
        post_json(client, {"email": address}) for address in ("ann@example.com", "ann@example.com", "gone@example.com")
    ]
    assert {answer.status_code for answer in answers} == {201}
    texts = {answer.content.replace(b"ann@", b"").replace(b"gone@", b"") for answer in answers}
    assert len(texts) == 1


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"subscriber": 7}', b'{"subscriber": {"email": 7}}', b"\xff", b"[" * 200_000,
     b'{"subscriber": {"email": "a@example.com", "component_ids": {"a": 1}}}'],
)  # fmt: skip
def test_a_body_that_cannot_be_read_is_refused_with_a_reason(example: Example, client: Client, body: bytes) -> None:
    response = client.post(ADDRESS, body, content_type="application/json", headers={"host": HOST})
    assert response.status_code == 422
    assert response.json()["error"]
    assert not Subscriber.objects.exists()


@pytest.mark.parametrize("subscriber", [{"email": "nobody"}, {}, {"endpoint": "https://x.example/", "email": "a@b.example"},
                                        {"email": "a@example.com", "component_ids": "nosuchcode00"}])  # fmt: skip
def test_what_cannot_be_subscribed_is_refused(example: Example, client: Client, subscriber: Any) -> None:
    response = post_json(client, subscriber)
    assert response.status_code == 422
    assert response["Access-Control-Allow-Origin"] == "*"
    assert not Subscriber.objects.exists()


def test_a_hidden_component_cannot_be_chosen(example: Example, client: Client) -> None:
    assert post_json(client, {"email": "ann@example.com", "component_ids": [example.secret.code]}).status_code == 422


def test_reading_it_changes_nothing(example: Example, client: Client) -> None:
    assert client.get(f"{ADDRESS}?subscriber[email]=a@example.com", headers={"host": HOST}).status_code == 405
    assert client.options(ADDRESS, headers={"host": HOST}).status_code == 204
    assert not Subscriber.objects.exists()


@pytest.mark.parametrize("code", ["\\ud800", "\\u0000", "a" * 300, "ü", "' OR 1=1"])
def test_a_component_that_cannot_be_is_refused(example: Example, client: Client, code: str) -> None:
    body = f'{{"subscriber": {{"email": "ann@example.com", "component_ids": ["{code}"]}}}}'
    response = client.post(ADDRESS, body, content_type="application/json", headers={"host": HOST})
    assert response.status_code == 422
    assert not Subscriber.objects.exists()


def test_past_a_visitors_limit_the_answer_is_the_same_by_api_and_by_form(
    example: Example, client: Client, settings: Any
) -> None:
    settings.CONFIRMATIONS_PER_VISITOR = 2
    first, *_, last = [post_json(client, {"email": f"reader{number}@example.com"}) for number in range(4)]
    assert (last.status_code, last.content) == (201, first.content.replace(b"reader0", b"reader3"))
    form = {"email": "other@example.com", "scope": "everything"}
    assert client.post("/subscribe", form, headers={"host": HOST}).status_code == 303
    assert Confirmation.objects.count() == 2
    client.post("/subscribe", form, headers={"host": HOST}, REMOTE_ADDR="198.51.100.7")
    assert Confirmation.objects.count() == 3
