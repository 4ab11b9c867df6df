"""Receives heartbeats: our own webhook, and mails that an inbound mail provider posts."""

import json
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from standardwebhooks import Webhook, WebhookVerificationError

from canary.arrivals import find_codes, record_arrivals
from canary.heartbeats import webhook_secret
from canary.models import Probe


@csrf_exempt  # a program calls, and signs what it says
@require_POST
@never_cache
def hook(request: HttpRequest) -> HttpResponse:
    """Answers 204 to a heartbeat that we signed, also to a repeat; 401 to anything else."""
    try:
        content = Webhook(webhook_secret()).verify(request.body, dict(request.headers))
        code = _code(content)
    except (WebhookVerificationError, ValueError):
        return HttpResponse("This is not signed by us.\n", status=401, content_type="text/plain")
    record_arrivals(Probe.Destination.WEBHOOK, [code])
    return HttpResponse(status=204)


def _code(content: Any) -> str:
    match content:
        case {"data": {"id": str(code)}}:
            return code
    raise ValueError


@csrf_exempt  # a program calls; the address itself is the secret
@require_POST
@never_cache
def mail(request: HttpRequest, secret: str) -> HttpResponse:
    """Takes a mail in any form in which a provider posts it: JSON, form data, or the message itself."""
    if not settings.CANARY_MAIL_SECRET or not constant_time_compare(secret, settings.CANARY_MAIL_SECRET):
        raise Http404("There is no such address.")
    found = record_arrivals(Probe.Destination.MAIL, find_codes(request.body.decode("utf-8", "replace")))
    return HttpResponse(json.dumps({"arrived": found}), content_type="application/json")
