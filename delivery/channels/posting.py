"""Posting JSON to an address of staff's. What an answer means is the same on all channels that do so."""

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
    """The answer, whatever its status. Raises DeliveryError when there is none."""
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
    """The same for many, each known by a number, from one thread; as they come."""
    outcomes = request_many(
        requests,
        trust=Trust.OPERATOR,
        seconds=SECONDS,
        limit_bytes=LIMIT_BYTES,
        whole_body=False,
        at_once=at_once,
        while_waiting=while_waiting,
    )
    with contextlib.closing(outcomes):
        for number, outcome in outcomes:
            yield number, _explain(outcome) if isinstance(outcome, OutboundError) else outcome


def _explain(error: OutboundError) -> DeliveryError:
    if isinstance(error, InvalidAddressError):
        return DeliveryError("the address cannot be used", pause=True, retry_after=CONFIGURATION_RETRY_SECONDS)
    return DeliveryError(str(error), ambiguous=isinstance(error, NoAnswerError))


def refuse_trouble(answer: Answer, *, what: str, wait: float = CONFIGURATION_RETRY_SECONDS) -> None:
    """Raises DeliveryError unless it was taken. `what`: what may be wrong, such as “the address or the key”; `wait`:
    seconds of the pause when it is."""
    status, words = answer.status, f": {answer.words}" if answer.words else ""
    if answer.is_good:
        return
    if 300 <= status < 400:
        raise DeliveryError(f"it redirects ({status}), which is not followed", pause=True, retry_after=wait)
    if status in (401, 403, 404, 410):
        raise DeliveryError(f"{what} is refused ({status})", pause=True, retry_after=wait)
    if status == 429:
        after = answer.headers.get("retry-after", "")
        raise DeliveryError("it asks for a wait (429)", retry_after=float(after) if after.isdecimal() else None)
    if status >= 500 or status in (408, 425):
        raise DeliveryError(f"it has trouble ({status})")
    raise DeliveryError(f"it refuses this ({status}){words}", permanent=True)
