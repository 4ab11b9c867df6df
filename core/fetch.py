"""Reading a document from a URL that an operator configured."""

from urllib.parse import urlsplit

from core.outbound import request
from core.outbound_errors import OutboundError
from core.resolver import Trust
from core.web_requests import REDIRECTS

MOST_REDIRECTS = 5


class FetchError(Exception):
    """The document could not be read; the message says why. `is_unreachable`: no answer came."""

    def __init__(self, words: str, *, is_unreachable: bool = False) -> None:
        super().__init__(words)
        self.is_unreachable = is_unreachable


def fetch(url: str, *, limit_bytes: int, timeout: float) -> bytes:
    """The body at `url`, http or https; redirects are followed. `timeout`: seconds for everything together.

    Raises FetchError for any answer but a 200 with at most `limit_bytes`.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise FetchError(f"{url} is not an http or https address.")
    try:
        answer = request(
            "GET",
            url,
            trust=Trust.OPERATOR,
            seconds=timeout,
            headers={"Accept": "*/*"},
            limit_bytes=limit_bytes,
            redirects=MOST_REDIRECTS,
        )
    except OutboundError as error:
        raise FetchError(f"{url} could not be read: {error}.", is_unreachable=True) from None
    if answer.status in REDIRECTS:
        raise FetchError(f"{url} redirects more than {MOST_REDIRECTS} times.")
    if answer.status != 200:
        raise FetchError(f"{url} answered {answer.status}.")
    return answer.body
