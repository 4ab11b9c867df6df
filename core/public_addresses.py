"""Which network addresses a stranger may make us connect to: those of the public internet.

`ipaddress` calls several addresses global that lead to private networks (NAT64 and 6to4 forms of private addresses,
site-local ones). So this module lists what is public and refuses everything else, including all of IANA's special-purpose
addresses, even reachable ones such as the AS112 servers.
"""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

# IPv4 that is not the public internet, beyond what `is_global` says: protocol assignments, AS112 (two), AMT, 6to4 relays,
# multicast and what is reserved.
_NOT_PUBLIC_4 = tuple(
    map(
        ip_network,
        (
            "192.0.0.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.175.48.0/24", "224.0.0.0/4",
            "240.0.0.0/4",
        ),
    )
)  # fmt: skip
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# Inside it: protocol assignments (Teredo, benchmarking, ORCHID and others), documentation and AS112. 6to4 is judged by
# the address it carries.
_NOT_PUBLIC_6 = tuple(map(IPv6Network, ("2001::/23", "2001:db8::/32", "2620:4f:8000::/48", "3fff::/20")))
_NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))


def is_public(address: str) -> bool:
    """Whether an address from the resolver, such as "192.0.2.1" or "fe80::1%eth0", is public; False for other text."""
    try:
        known = ip_address(address)
    except ValueError:
        return False
    return _is_public_4(known) if isinstance(known, IPv4Address) else _is_public_6(known)


def _is_public_4(address: IPv4Address) -> bool:
    return address.is_global and not any(address in network for network in _NOT_PUBLIC_4)


def _is_public_6(address: IPv6Address) -> bool:
    if address.scope_id is not None:
        return False
    if address.ipv4_mapped is not None:
        return False  # it leads to an IPv4 address, which the resolver would return itself if it were meant
    if address.sixtofour is not None:
        return _is_public_4(address.sixtofour)
    if address in _NAT64[0]:
        return _is_public_4(IPv4Address(int(address) & 0xFFFFFFFF))
    return address in _GLOBAL_UNICAST and not any(address in network for network in (*_NOT_PUBLIC_6, *_NAT64))
