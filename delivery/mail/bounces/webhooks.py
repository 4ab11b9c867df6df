"""The address at which mail providers report bounces and complaints: /bounces/PROVIDER, read by django-anymail.

It exists only when BOUNCE_WEBHOOK_SECRET is set and django-anymail is installed. A request with the secret is trusted,
but its body may have any form.
"""

import logging
from importlib.util import find_spec

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from core.bodies import LIMIT_BYTES
from delivery.mail.bounces.events import note_unreadable

log = logging.getLogger(__name__)
LEAST_SECRET_LENGTH = 16


def is_installed() -> bool:
    return find_spec("anymail") is not None


def is_secret(text: str) -> bool:
    """Whether the text has the form user:password of basic authentication and is long enough not to be guessed."""
    user, _, password = text.partition(":")
    return bool(user and password) and len(text) >= LEAST_SECRET_LENGTH


@csrf_exempt  # a program calls, and signs in with every call
@require_POST
@never_cache
def receive(request: HttpRequest, provider: str) -> HttpResponseBase:
    """Answers 200 when everything readable is stored; 401, 413 or 400 for a post that is forged, too long or not readable
    at all. Only an error of ours gives 500, after which the provider posts again."""
    secret = settings.BOUNCE_WEBHOOK_SECRET
    if not is_secret(secret) or not is_installed():
        raise Http404("There is no such address.")
    from delivery.mail.bounces import providers

    if not constant_time_compare(providers.credentials(request) or "", secret):
        return _refuse(401, "Send the user and password of BOUNCE_WEBHOOK_SECRET.")
    view = providers.find_view(provider)
    if view is None:
        raise Http404("There is no such address.")
    body = request.read(LIMIT_BYTES + 1)
    if len(body) > LIMIT_BYTES:
        return _refuse(413, "This is more than any provider sends.")
    request._body = body  # Django's own `body` would refuse more than a quarter of this
    try:
        return view(request)
    except providers.ForgedError:
        log.warning("a bounce webhook of %s has a wrong signature; check its key in BOUNCE_WEBHOOK_KEYS", provider)
        return _refuse(401, "This is not signed with the key of BOUNCE_WEBHOOK_KEYS.")
    except providers.MalformedError as error:
        log.warning("a bounce webhook of %s cannot be read: %s", provider, error)
        note_unreadable(provider, body, str(error))
        return _refuse(400, "This cannot be read.")


def _refuse(status: int, why: str) -> HttpResponse:
    headers = {"WWW-Authenticate": 'Basic realm="bounces"'} if status == 401 else {}
    return HttpResponse(why + "\n", status=status, content_type="text/plain; charset=utf-8", headers=headers)
