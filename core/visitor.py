"""The network address of a visitor, as the outermost trusted proxy saw it. Limits are counted by it."""

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str:
    """The visitor's IP address; "" when it is unknown. For IPv6, the first address of the /64 network, because one visitor
    has a whole network and could use a new address for every request.

    Of X-Forwarded-For the last TRUSTED_PROXY_COUNT entries are trusted: each trusted proxy appends one on the right, and
    the visitor may have written the others.
    """
    peer: str = request.META.get("REMOTE_ADDR", "")
    hops = [hop.strip() for hop in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
    count = settings.TRUSTED_PROXY_COUNT
    if count and len(hops) >= count and (network := _network(hops[-count])):
        return network
    return _network(peer) or peer


def _network(text: str) -> str:
    """An IPv4 address as it is, the /64 of an IPv6 one; "" for anything else."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address), 64), strict=False).network_address)
