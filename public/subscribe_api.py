"""POST /api/v2/subscribers.json: ask for mails from a program or another site's form.

The address's owner must confirm, so the answer is the same for a new, a known and a suppressed address.
"""

import json
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse, QueryDict
from django.views.decorators.csrf import csrf_exempt

from core.visitor import client_address
from public.documents.api_v2 import describe_page
from public.serving.edition import UnknownHostError, editions
from public.snapshot import load_page
from subscribers.subscribing import request_subscription


@dataclass(frozen=True)
class Wish:
    email: str
    component_codes: list[str]
    incident_code: str


@csrf_exempt  # no cookie is read, so another site's form can do nothing in a visitor's name
def subscribers_json(request: HttpRequest) -> HttpResponse:
    if request.method == "OPTIONS":
        return _allow_anyone(HttpResponse(status=204))
    if request.method != "POST":
        return _allow_anyone(HttpResponseNotAllowed(["POST"]))
    try:
        snapshot = editions.load_snapshot(request.get_host())
        wish = read_wish(request)
        page = load_page(snapshot)
        request_subscription(
            page,
            wish.email,
            component_codes=wish.component_codes,
            incident_code=wish.incident_code,
            visitor=client_address(request),
        )
    except UnknownHostError as error:
        return _allow_anyone(JsonResponse({"error": str(error)}, status=404))
    except ValidationError as error:
        return _allow_anyone(JsonResponse({"error": " ".join(error.messages)}, status=422))
    subscriber = {"mode": "email", "email": wish.email, "state": "pending", "component_ids": wish.component_codes}
    return _allow_anyone(JsonResponse({"page": describe_page(snapshot), "subscriber": subscriber}, status=201))


def read_wish(request: HttpRequest) -> Wish:
    """From a JSON body or a form (`subscriber[email]=…&subscriber[component_ids][]=…`).

    Raises ValidationError for a body that cannot be read and for what cannot be subscribed here.
    """
    fields = _read_json(request.body) if request.content_type == "application/json" else _read_form(request.POST)
    if fields.get("endpoint") or fields.get("phone_number"):
        raise ValidationError("Only e-mail can be subscribed here; leave out endpoint and phone_number.")
    email, incident = fields.get("email", ""), fields.get("incident", "")
    codes = fields.get("component_ids", [])
    if isinstance(codes, str):
        codes = [code for code in codes.split(",") if code]
    if not isinstance(email, str) or not isinstance(incident, str) or not _are_words(codes):
        raise ValidationError("Send email and incident as text and component_ids as a list of codes.")
    return Wish(email, codes, incident)


def _read_json(body: bytes) -> dict[str, Any]:
    try:
        subscriber = json.loads(body)["subscriber"]
    except (ValueError, TypeError, KeyError, RecursionError):
        subscriber = None
    if not isinstance(subscriber, dict):
        raise ValidationError('Send a JSON object such as {"subscriber": {"email": "name@example.com"}}.')
    return subscriber


def _read_form(form: QueryDict) -> dict[str, Any]:
    names = ("email", "endpoint", "phone_number", "incident")
    fields: dict[str, Any] = {name: form.get(f"subscriber[{name}]", "") for name in names}
    codes = form.getlist("subscriber[component_ids][]") + form.getlist("subscriber[component_id]")
    return fields | {"component_ids": codes}


def _are_words(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _allow_anyone(response: HttpResponse) -> HttpResponse:
    response["Access-Control-Allow-Origin"] = "*"
    response["Access-Control-Allow-Methods"] = "POST, OPTIONS"
    response["Access-Control-Allow-Headers"] = "Content-Type"
    response["Cache-Control"] = "no-store"
    return response
