"""A request to another host: its address taken apart and judged, and what is left of it after a redirect."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple, Self
from urllib.parse import urljoin, urlsplit

import idna

from core.outbound_errors import InvalidAddressError, RedirectRefusedError

USER_AGENT = "statuspage/1"
PORTS = {"http": 80, "https": 443}
TARGET = re.compile(r"[\x21-\x7e]+")
HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+(?:%[\w.-]+)?", re.ASCII)
# RFC 9110: a name is a token; a value holds no line break, else it would be another header.
HEADER_NAME, HEADER_VALUE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"), re.compile(r"[\t\x20-\x7e\x80-\xff]*")
REDIRECTS = frozenset({301, 302, 303, 307, 308})
# After these a request that is no GET is asked again as a GET; browsers do so after the first two as well.
BECOMES_A_GET = frozenset({301, 302, 303})
# All that another host than the one which was asked learns.
FOR_ANY_HOST = frozenset({"accept", "accept-language", "user-agent"})
NO_ADDRESS = "This is no http or https address."
NO_CHARACTERS = "This address holds characters that none has."


class Place(NamedTuple):
    """An address taken apart."""

    scheme: str
    host: str
    """In ASCII, without a dot at its end: as the certificate and the Host header have it."""
    port: int
    target: str
    lookup: str
    """The host as the resolver is asked for it: a dot at its end says that it is complete."""

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def host_header(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == PORTS[self.scheme] else f"{name}:{self.port}"


@lru_cache(maxsize=1024)  # many messages go to the same addresses
def take_apart(url: str) -> Place:
    """Raises InvalidAddressError, which repeats nothing: an address may hold a secret."""
    if not url.isprintable():  # urlsplit drops what it should refuse
        raise InvalidAddressError(NO_CHARACTERS)
    try:
        parts = urlsplit(url)
        port, written = parts.port, parts.hostname
    except ValueError:
        raise InvalidAddressError(NO_ADDRESS) from None
    if parts.scheme not in PORTS or not written or parts.username is not None:
        raise InvalidAddressError(NO_ADDRESS)
    target = f"{parts.path or '/'}?{parts.query}".rstrip("?")
    if not TARGET.fullmatch(target):
        raise InvalidAddressError(NO_CHARACTERS)
    lookup = _in_ascii(written)
    host = lookup.removesuffix(".").partition("%")[0]
    if not host or host.endswith("."):
        raise InvalidAddressError(NO_ADDRESS)
    return Place(parts.scheme, host, port or PORTS[parts.scheme], target, lookup)


def _in_ascii(host: str) -> str:
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode()
        except UnicodeError:
            raise InvalidAddressError(NO_CHARACTERS) from None
    if not HOST.fullmatch(host):
        raise InvalidAddressError(NO_CHARACTERS)
    return host


@dataclass(frozen=True)
class Request:
    method: str
    url: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def all_headers(self, place: Place) -> dict[str, str]:
        """Raises InvalidAddressError, which repeats nothing: a header may hold a secret."""
        for name, value in self.headers.items():
            if not HEADER_NAME.fullmatch(name) or not HEADER_VALUE.fullmatch(value):
                raise InvalidAddressError("A header holds characters that none has.")
        ours = {"Host": place.host_header, "User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        return ours | dict(self.headers)

    def message(self, place: Place) -> bytes:
        """The whole of it as HTTP/1.1. Raises InvalidAddressError."""
        headers = self.all_headers(place)
        if self.body or self.method == "POST":
            headers["Content-Length"] = str(len(self.body))
        lines = [f"{self.method} {place.target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body

    def redirected(self, status: int, location: str) -> Self:
        """The request to ask next. Raises RedirectRefusedError.

        Another origin gets no body and no header that may hold a secret; nothing goes from https to http.
        """
        before = take_apart(self.url)
        try:
            onward = urljoin(self.url, location)
            after = take_apart(onward)
        except ValueError:
            raise RedirectRefusedError(
                f"{before.host} redirects to what is no http or https address, which is not followed"
            ) from None
        if after.scheme not in ("https", before.scheme):
            raise RedirectRefusedError(f"{before.host} redirects to {after.scheme}, which is not followed")
        method, body, headers = self.method, self.body, dict(self.headers)
        if method not in ("GET", "HEAD"):
            if status in BECOMES_A_GET:
                method, body = "GET", b""
                headers = {name: value for name, value in headers.items() if not name.lower().startswith("content-")}
            elif after.origin != before.origin:
                raise RedirectRefusedError(f"{before.host} redirects a {method} to {after.host}, which is not followed")
        if after.origin != before.origin:
            headers = {name: value for name, value in headers.items() if name.lower() in FOR_ANY_HOST}
        return type(self)(method, onward, body, headers)
