"""Posting JSON to a URL that staff configured, and what the answer means for the ledger."""

import contextlib
from collections.abc import Callable, Generator, Iterable, Mapping

from core.answers import Answer
from core.outbound import request
from core.outbound_errors import InvalidAddressError, NoAnswerError, OutboundError
from core.outbound_many import request_many
from core.resolver import Trust
from core.web_requests import Request
from delivery.contract import DeliveryError

SECONDS = 10.0
LIMIT_BYTES = 64 * 1024
CONFIGURATION_RETRY_SECONDS = 300.0


def json_request(url: str, body: str, headers: Mapping[str, str] | None = None) -> Request:
    return Request("POST", url, body.encode(), {"Content-Type": "application/json"} | dict(headers or {}))


def post_json(url: str, body: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Return the answer, whatever its status. Raises DeliveryError when no answer comes."""
    asked = json_request(url, body, headers)
    try:
        return request(
            asked.method,
            asked.url,
            body=asked.body,
            headers=asked.headers,
            trust=Trust.OPERATOR,
            seconds=SECONDS,
            limit_bytes=LIMIT_BYTES,
            whole_body=False,
        )
    except OutboundError as error:
        raise _explain(error) from error


def post_many(
    requests: Iterable[tuple[int, Request]], at_once: int, while_waiting: Callable[[], None]
) -> Generator[tuple[int, Answer | DeliveryError], None, None]:
    """Post many requests from one thread. Each has a number, which is yielded with its answer as soon as that comes."""
    answers = request_many(
        requests,
        trust=Trust.OPERATOR,
        seconds=SECONDS,
        limit_bytes=LIMIT_BYTES,
        whole_body=False,
        at_once=at_once,
        while_waiting=while_waiting,
    )
    with contextlib.closing(answers):
        for number, answer in answers:
            yield number, _explain(answer) if isinstance(answer, OutboundError) else answer


def _explain(error: OutboundError) -> DeliveryError:
    if isinstance(error, InvalidAddressError):
        return DeliveryError("the address cannot be used", pause=True, retry_after=CONFIGURATION_RETRY_SECONDS)
    return DeliveryError(str(error), ambiguous=isinstance(error, NoAnswerError))


def refuse_trouble(answer: Answer, *, what: str, wait: float = CONFIGURATION_RETRY_SECONDS) -> None:
    """Raises DeliveryError unless the answer is a success.

    `what`: what is wrong after a 401, 403, 404 or 410, such as “the address or the key”. `wait`: seconds of the pause
    then.
    """
    status, words = answer.status, f": {answer.words}" if answer.words else ""
    if answer.is_good:
        return
    if 300 <= status < 400:
        raise DeliveryError(f"the server redirects ({status}), which is not followed", pause=True, retry_after=wait)
    if status in (401, 403, 404, 410):
        raise DeliveryError(f"{what} is refused ({status})", pause=True, retry_after=wait)
    if status == 429:
        after = answer.headers.get("retry-after", "")
        raise DeliveryError("the server asks us to wait (429)", retry_after=float(after) if after.isdecimal() else None)
    if status >= 500 or status in (408, 425):
        raise DeliveryError(f"the server has an error ({status})")
    raise DeliveryError(f"the server refuses this message ({status}){words}", permanent=True)
