"""Which addresses a stranger may make us talk to."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from core.public_addresses import is_public

# IANA's registries of special-purpose addresses, IPv4 and IPv6, whole; and multicast, which has registries of its own.
SPECIAL = """
0.0.0.0/8 0.0.0.0/32 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.0.0/29
192.0.0.8/32 192.0.0.9/32 192.0.0.10/32 192.0.0.170/32 192.0.0.171/32 192.0.2.0/24 192.31.196.0/24 192.52.193.0/24
192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4
255.255.255.255/32 224.0.0.0/4
::1/128 ::/128 ::ffff:0:0/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 2001::/32 2001:1::1/128 2001:1::2/128
2001:1::3/128 2001:2::/48 2001:3::/32 2001:4:112::/48 2001:10::/28 2001:20::/28 2001:30::/28 2001:db8::/32
2620:4f:8000::/48 3fff::/20 5f00::/16 fc00::/7 fe80::/10 ff00::/8
""".split()


@pytest.mark.parametrize("block", SPECIAL)
def test_no_block_of_the_special_registries_is_public(block: str):
    network = ip_network(block)
    first, last = network[0], network[-1]
    middle = network[network.num_addresses // 2]
    assert [is_public(str(each)) for each in (first, middle, last)] == [False] * 3


@pytest.mark.parametrize("block", [each for each in SPECIAL if ":" not in each])
def test_no_form_of_ipv6_leads_to_a_special_block_of_ipv4(block: str):
    for address in (ip_network(block)[0], ip_network(block)[-1]):
        number = int(address)
        forms = [
            f"64:ff9b::{address}",
            f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1",
            f"::ffff:{address}",
            f"::{address}",
        ]
        assert not any(map(is_public, forms))


@pytest.mark.parametrize(
    "address", ["192.31.195.255", "192.31.197.0", "192.52.192.255", "192.175.49.0", "2620:4f:7fff::1", "2620:4f:8001::"]
)
def test_their_neighbours_are_public(address: str):
    assert is_public(address)


@pytest.mark.parametrize(
    ("address", "is_allowed"),
    [
        ("93.184.215.14", True),
        ("1.1.1.1", True),
        ("2606:4700::1111", True),
        ("2002:5db8:d70e::1", True),  # 6to4 of a public address
        ("64:ff9b::5db8:d70e", True),  # NAT64 of a public address
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),  # the clouds' metadata
        ("100.64.0.1", False),  # carrier-grade NAT
        ("0.0.0.0", False),
        ("192.0.0.9", False),
        ("192.88.99.1", False),
        ("198.18.0.1", False),
        ("224.0.0.1", False),
        ("240.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("::7f00:1", False),  # IPv4-compatible
        ("::ffff:127.0.0.1", False),  # IPv4-mapped
        ("::ffff:93.184.215.14", False),
        ("::ffff:0:7f00:1", False),  # IPv4-translated
        ("64:ff9b::a9fe:a9fe", False),  # NAT64 of the metadata
        ("64:ff9b:1::1", False),
        ("2002:a9fe:a9fe::1", False),  # 6to4 of the metadata
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False),  # Teredo
        ("2001:1::1", False),
        ("2001:30::1", False),
        ("2001:db8::1", False),
        ("3fff::1", False),
        ("fe80::1", False),
        ("fe80::1%eth0", False),
        ("fec0::1", False),  # site-local
        ("fc00::1", False),
        ("ff02::1", False),
        ("no address", False),
    ],
)
def test_what_is_public_is_said_here_and_nothing_else_is(address: str, is_allowed: bool):
    assert is_public(address) == is_allowed
