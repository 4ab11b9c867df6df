"""Reading a document from an address that an operator named: bounded in size and in time.

The operator may name a private host; so this is not for addresses that visitors or subscribers give.
"""

import urllib.request
from http.client import HTTPException
from time import monotonic
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

CHUNK_BYTES = 64 * 1024
USER_AGENT = "statuspage-importer/1"


class FetchError(Exception):
    """The document could not be read; the text says why."""


class _SameSchemes(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http and https only, and never from https down to http."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        before, after = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if after not in ("https", before):
            raise FetchError(f"{req.full_url} redirects to {newurl}, which is not followed.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch(url: str, *, limit_bytes: int, timeout: float) -> bytes:
    """The body of `url`, http or https. `timeout`: seconds for the whole of it.

    Raises FetchError for anything but a 200 with at most `limit_bytes`.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise FetchError(f"{url} is not an http or https address.")
    deadline = monotonic() + timeout
    opener = urllib.request.build_opener(_SameSchemes)
    request = urllib.request.Request(url, headers={"User-Agent": USER_AGENT, "Accept": "*/*"})  # noqa: S310
    try:
        with opener.open(request, timeout=timeout) as response:
            if response.status != 200:
                raise FetchError(f"{url} answered {response.status}.")
            return _read(response, url, limit_bytes, deadline)
    except HTTPError as error:
        with error:
            raise FetchError(f"{url} answered {error.code} {error.reason}.") from None
    except URLError as error:
        raise FetchError(f"{url} could not be read: {error.reason}.") from None
    except (OSError, HTTPException, ValueError) as error:
        raise FetchError(f"{url} could not be read: {str(error) or type(error).__name__}.") from None


def _read(response: Any, url: str, limit_bytes: int, deadline: float) -> bytes:
    """In pieces, as they come: a server that drips must not hold us beyond the deadline."""
    body = bytearray()
    while piece := response.read1(CHUNK_BYTES):
        body += piece
        if len(body) > limit_bytes:
            raise FetchError(f"{url} sends more than {limit_bytes} bytes.")
        if monotonic() > deadline:
            raise FetchError(f"{url} took too long.")
    if response.length:
        raise FetchError(f"{url} broke off {response.length} bytes before its end.")
    return bytes(body)
