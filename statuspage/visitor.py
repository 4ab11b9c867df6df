"""Whose request this is, for limits: the address of the visitor as the outermost trusted proxy saw it."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The visitor's IP address; "" when the server knows none.

    X-Forwarded-For is believed only as far as TRUSTED_PROXY_COUNT says: each trusted proxy appends one
    entry on the right, and everything further left was written by the visitor.
    """
    peer: str = request.META.get("REMOTE_ADDR", "")
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    count = settings.TRUSTED_PROXY_COUNT
    if count and len(hops) >= count and _is_address(hops[-count]):
        return hops[-count]
    return peer


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
