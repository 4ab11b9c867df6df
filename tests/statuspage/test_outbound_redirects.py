"""What of a request survives a redirect, and how hosts may be written."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from core import outbound
from core.outbound import request
from core.outbound_errors import InvalidAddressError, RedirectRefusedError, RefusedAddressError
from core.resolver import Trust
from core.web_requests import Request, take_apart
from tests.http_servers import Reply, Sent, listening

SECRETS = {"Authorization": "Bearer hunter2", "webhook-signature": "v1,hunter2", "Content-Type": "application/json"}


def moved(status: int, where: Callable[[], str]) -> Callable[[Sent], Reply]:
    """A server that sends every path but /there onward."""
    return lambda sent: Reply() if sent.path == "/there" else Reply(status, b"", {"Location": where()})


def post(url: str) -> int:
    return request(
        "POST", url, body=b'{"a": 1}', headers=SECRETS, trust=Trust.OPERATOR, seconds=5, redirects=2
    ).status  # fmt: skip


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_post_that_is_sent_onward_becomes_a_get_and_another_host_learns_no_secret(status: int):
    with listening() as other, listening(moved(status, lambda: f"{other.url}/there")) as server:
        assert post(server.url) == 200

    (asked,) = other.requests
    assert (asked.method, asked.body) == ("GET", b"")
    assert "hunter2" not in str(asked.headers)
    assert not {name for name in asked.headers if name.startswith("content-")}


@pytest.mark.parametrize("status", [307, 308])
def test_a_post_is_repeated_to_its_own_host_alone(status: int):
    with listening(moved(status, lambda: "/there")) as server:
        assert post(f"{server.url}/here") == 200
    assert [each.body for each in server.requests] == [b'{"a": 1}'] * 2
    assert server.requests[1].headers["authorization"] == "Bearer hunter2"

    with (
        listening() as other,
        listening(moved(status, lambda: f"{other.url}/there")) as server,
        pytest.raises(RedirectRefusedError, match="redirects a POST"),
    ):
        post(server.url)
    assert other.requests == []


def test_a_get_is_followed_anywhere_without_its_secrets():
    with listening() as other, listening(moved(308, lambda: f"{other.url}/there")) as server:
        headers = SECRETS | {"Accept": "text/html", "Cookie": "hunter2"}
        request("GET", server.url, headers=headers, trust=Trust.OPERATOR, seconds=5, redirects=1)

    assert "hunter2" not in str(other.requests[0].headers)
    assert other.requests[0].headers["accept"] == "text/html"


def test_a_public_host_leads_nobody_to_a_private_one(monkeypatch: pytest.MonkeyPatch):
    """Even where an operator named the first: a page to import could scan the network that we stand in."""
    monkeypatch.setattr(
        outbound, "is_public", lambda address: True
    )  # of the first host; the resolver asks the real one
    with (
        listening() as other,
        listening(moved(302, lambda: f"{other.url}/there")) as server,
        pytest.raises(RefusedAddressError),
    ):
        request("GET", server.url, trust=Trust.OPERATOR, seconds=5, redirects=1)

    assert other.requests == []


@pytest.mark.parametrize(
    "location",
    ["http://hooks.example/", "ftp://hooks.example/", "https://a b/", "https://u:p@b/", "//[::1", "javascript:1"],
)
def test_what_must_not_be_followed_is_refused(location: str):
    with pytest.raises(RedirectRefusedError):
        Request("GET", "https://hooks.example/").redirected(302, location)


@pytest.mark.parametrize(
    ("url", "host", "lookup"),
    [
        ("https://Hooks.Example/", "hooks.example", "hooks.example"),
        ("https://hooks.example./", "hooks.example", "hooks.example."),
        ("https://b\u00fccher.example/", "xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("https://b\u00fccher.example./", "xn--bcher-kva.example", "xn--bcher-kva.example."),
        ("https://\u4f8b\u3048\u3002\u30c6\u30b9\u30c8/", "xn--r8jz45g.xn--zckzah", "xn--r8jz45g.xn--zckzah"),
        ("https://\u2460\u2461\u2466.0.0.1/", "127.0.0.1", "127.0.0.1"),
        ("http://my_service:8080/", "my_service", "my_service"),
        ("http://[fe80::1%eth0]/", "fe80::1", "fe80::1%eth0"),
    ],
)
def test_a_host_is_known_by_its_name_in_ascii_without_a_dot_at_its_end(url: str, host: str, lookup: str):
    place = take_apart(url)
    assert (place.host, place.lookup) == (host, lookup)
    assert place.host_header.strip("[]").removesuffix("]:8080").removesuffix(":8080") == host


@pytest.mark.parametrize("host", [".", "a..", "a b", "\u2603\u2603-.\u00fc_\u00fc", "a\u0338b_", "[::1", "a:b", "%41"])
def test_what_is_no_host_is_refused_and_not_repeated(host: str):
    with pytest.raises(InvalidAddressError) as caught:
        take_apart(f"https://{host}/secret")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("value", ["a\r\nHost: evil.example", "a\nb", "a\x00", "caf\u00e9 \u2603"])
def test_a_header_that_would_be_two_is_refused_and_not_repeated(value: str):
    with listening() as server, pytest.raises(InvalidAddressError) as caught:
        request("GET", server.url, headers={"X-Secret": value}, trust=Trust.OPERATOR, seconds=5)

    assert "evil" not in str(caught.value)
    assert server.requests == []
