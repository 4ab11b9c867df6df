"""The way out for thousands of hosts at once, from one thread: the rules of core/outbound.py, without redirects.

An event loop of its own runs while the caller waits for the next outcome, and stands still while the caller works. So
the caller may ask a database in between, and what came meanwhile counts, also after its deadline.
"""

import asyncio
import contextlib
import logging
import resource
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Generic, TypeVar

from core import host_turns
from core.answers import Answer, AnswerParser, BrokenAnswerError
from core.async_connection import AsyncConnection
from core.outbound import LIMIT_BYTES, did_not_answer, not_reached, tls_context
from core.outbound_errors import NoAnswerError, NoAnswerInTimeError, NotReachedInTimeError, OutboundError
from core.resolver import Trust, judge, look_up
from core.web_requests import Place, Request, take_apart

log = logging.getLogger(__name__)
Key = TypeVar("Key")
# Each needs a file number, of which a process often has 1,024.
MOST_AT_ONCE = 500
# How many are begun before the others are looked at again.
BEGUN_TOGETHER = 50
# How often to call what the caller wants done meanwhile.
CALL_SECONDS = 0.5
# How soon to ask again for a turn that other threads have.
TURN_SECONDS = 0.05


def request_many(
    requests: Iterable[tuple[Key, Request]],
    *,
    trust: Trust,
    seconds: float,
    limit_bytes: int = LIMIT_BYTES,
    whole_body: bool = True,
    at_once: int = MOST_AT_ONCE,
    while_waiting: Callable[[], None] | None = None,
) -> Generator[tuple[Key, Answer | OutboundError], None, None]:
    """The outcome of each request beside its key, as they come. Requests are taken from the iterable as there is room.

    `seconds` for each: its turn, name, connection, the last byte. Connections are used again, for the same host; a server
    that closes one without saying so leaves a request without answer, as if it had broken off.
    `while_waiting` is called about twice a second, also when no outcome comes; it may ask a database.
    """
    sending: _Sending[Key] = _Sending(trust, seconds, limit_bytes, whole_body=whole_body, at_once=at_once)
    if while_waiting:
        sending.call_again_and_again(while_waiting)
    try:
        yield from sending.outcomes(iter(requests))
    finally:
        sending.close()


@dataclass
class _Attempt(Generic[Key]):
    """One request under way."""

    key: Key
    place: Place
    message: bytes
    parser: AnswerParser
    deadline: float
    """Of the loop's clock."""
    waits_for: str = "too many requests are waiting for it"
    """What to say when time is up before it has left."""
    connection: AsyncConnection | None = None
    has_left: bool = False


@dataclass
class _Queue(Generic[Key]):
    """The requests to one host that wait, the oldest first, and how many tasks send them."""

    waiting: deque[_Attempt[Key]] = field(default_factory=deque)
    senders: int = 0


class _Sending(Generic[Key]):
    def __init__(self, trust: Trust, seconds: float, limit_bytes: int, *, whole_body: bool, at_once: int) -> None:
        self._trust = trust
        self._seconds = seconds
        self._limit_bytes = limit_bytes
        self._whole_body = whole_body
        self._most = min(at_once, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._queues: dict[str, _Queue[Key]] = {}
        self._open = 0
        """Begun, and not finished."""
        self._finished: deque[tuple[Key, Answer | OutboundError]] = deque()
        self._idle = _IdleConnections(self._most)
        self._due_calls: list[Callable[[], None]] = []

    def call_again_and_again(self, call: Callable[[], None]) -> None:
        """While the loop stands still: code that asks a database refuses to run inside it."""

        def stop_for_it() -> None:
            self._due_calls.append(call)
            self._loop.call_later(CALL_SECONDS, stop_for_it)
            self._loop.stop()

        self._loop.call_later(CALL_SECONDS, stop_for_it)

    def outcomes(self, waiting: Iterator[tuple[Key, Request]]) -> Iterator[tuple[Key, Answer | OutboundError]]:
        is_more = True
        while is_more or self._open or self._finished:
            room = min(self._most - self._open, BEGUN_TOGETHER)
            begun = self._begin(islice(waiting, room)) if is_more else 0
            is_more = is_more and begun == room
            if begun and is_more:
                self._loop.call_soon(self._loop.stop)  # only a look at the others
            if self._open:
                self._loop.run_forever()
            while self._finished:
                yield self._finished.popleft()
            while self._due_calls:
                self._due_calls.pop()()

    def close(self) -> None:
        """What is under way is given up."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            self._loop.run_until_complete(asyncio.wait(set(self._tasks)))
        self._idle.close()
        self._loop.close()

    def _begin(self, some: Iterable[tuple[Key, Request]]) -> int:
        """How many there were."""
        count = 0
        for key, asked in some:
            count += 1
            self._open += 1
            try:
                self._queue_up(key, asked)
            except Exception as error:
                self._finish(key, _error_of(error))
        return count

    def _queue_up(self, key: Key, asked: Request) -> None:
        """Raises InvalidAddressError."""
        place = take_apart(asked.url)
        parser = AnswerParser(self._limit_bytes, whole_body=self._whole_body)
        host = f"{place.host}:{place.port}"
        queue = self._queues.setdefault(host, _Queue())
        queue.waiting.append(_Attempt(key, place, asked.message(place), parser, self._loop.time() + self._seconds))
        if queue.senders < host_turns.AT_ONCE:
            queue.senders += 1
            task = self._loop.create_task(self._send_all(host, queue))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send_all(self, host: str, queue: _Queue[Key]) -> None:
        """One after the other, until none waits: a task for each request would cost as much as the rest of it."""
        while queue.waiting:
            attempt = queue.waiting.popleft()
            try:
                outcome: Answer | OutboundError = await self._ask(host, attempt)
            except Exception as error:
                outcome = _error_of(error)
            self._finish(attempt.key, outcome)
        queue.senders -= 1
        if not queue.senders:
            del self._queues[host]

    def _finish(self, key: Key, outcome: Answer | OutboundError) -> None:
        self._open -= 1
        self._finished.append((key, outcome))
        self._loop.stop()

    async def _ask(self, host: str, attempt: _Attempt[Key]) -> Answer:
        try:
            async with asyncio.timeout_at(attempt.deadline):
                await _wait_for_turn(host)
                try:
                    await self._exchange(attempt)
                finally:
                    host_turns.give_back(host)
        except TimeoutError:
            _take_what_came(attempt)
        except BrokenAnswerError as error:
            raise NoAnswerError(f"{attempt.place.host} did not answer: {error}") from error
        finally:
            if attempt.connection:
                self._keep_or_close(attempt.connection, attempt)
        return attempt.parser.answer()

    def _keep_or_close(self, connection: AsyncConnection, attempt: _Attempt[Key]) -> None:
        if attempt.parser.can_be_followed:
            self._idle.keep(attempt.place, connection)
        else:
            connection.close()

    async def _exchange(self, attempt: _Attempt[Key]) -> None:
        """Returns when the answer is whole, or as whole as it has to be."""
        place, parser = attempt.place, attempt.parser
        attempt.connection = self._idle.take(place) or await self._connect(attempt)
        attempt.has_left = True
        with contextlib.suppress(ConnectionError):  # it may have answered before it closed
            await attempt.connection.send(attempt.message)
        while not parser.is_done:
            try:
                data = await attempt.connection.receive()
            except OSError as error:
                if not parser.has_enough:
                    raise did_not_answer(place, error) from error
                return
            _feed(parser, data)

    async def _connect(self, attempt: _Attempt[Key]) -> AsyncConnection:
        place = attempt.place
        attempt.waits_for = "its name was not resolved in time"
        looked_up = look_up(place.lookup)
        if not looked_up.done():
            await asyncio.wait([asyncio.wrap_future(looked_up)])
        addresses = judge(place.lookup, looked_up, self._trust)
        attempt.waits_for = "it took too long"
        context = tls_context() if place.scheme == "https" else None
        connection = await self._reach(attempt, addresses)
        try:
            if context:
                await connection.secure(context, place.host)
        except BaseException as error:
            connection.close()
            if isinstance(error, OSError | ValueError):
                raise not_reached(place, error) from error
            raise
        return connection

    async def _reach(self, attempt: _Attempt[Key], addresses: list[str]) -> AsyncConnection:
        """The first address that lets itself be reached; each has its share of the time that is left."""
        failure: OSError | None = None
        for tried, address in enumerate(addresses):
            share = (attempt.deadline - self._loop.time()) / (len(addresses) - tried)
            try:
                async with asyncio.timeout(share):
                    return await AsyncConnection.open(address, attempt.place.port)
            except OSError as error:
                failure = error
        raise not_reached(attempt.place, failure) from failure


def _take_what_came(attempt: _Attempt[Any]) -> None:
    """At the deadline. The loop may have stood still while the answer came. Raises OutboundError if it did not."""
    host, parser = attempt.place.host, attempt.parser
    if not attempt.has_left or attempt.connection is None:
        raise NotReachedInTimeError(f"{host} cannot be reached: {attempt.waits_for}")
    with contextlib.suppress(OSError, BrokenAnswerError):
        while not parser.is_done and (data := attempt.connection.receive_now()) is not None:
            _feed(parser, data)
    if not parser.has_enough:
        raise NoAnswerInTimeError(f"{host} took too long")


def _feed(parser: AnswerParser, data: bytes) -> None:
    if data:
        parser.feed(data)
    else:
        parser.end()


async def _wait_for_turn(host: str) -> None:
    """Only requests of other threads make it wait (core/host_turns.py)."""
    while not host_turns.take_now(host):  # noqa: ASYNC110 (those threads know no loop that they could tell)
        await asyncio.sleep(TURN_SECONDS)


def _error_of(error: Exception) -> OutboundError:
    """A mistake of ours must not end the others."""
    if isinstance(error, OutboundError):
        return error
    log.error("a request to another host failed", exc_info=error)
    return NoAnswerError(f"internal error: {type(error).__name__}")


class _IdleConnections:
    """Those that another request to the same place may use; the oldest is closed when there are too many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._by_place: dict[tuple[str, str, int], list[AsyncConnection]] = {}
        self._places: dict[AsyncConnection, tuple[str, str, int]] = {}

    def take(self, place: Place) -> AsyncConnection | None:
        kept = self._by_place.get(place.origin, [])
        while kept:
            connection = kept.pop()
            del self._places[connection]
            if connection.is_quiet:
                return connection
            connection.close()
        return None

    def keep(self, place: Place, connection: AsyncConnection) -> None:
        self._by_place.setdefault(place.origin, []).append(connection)
        self._places[connection] = place.origin
        if len(self._places) > self._most:
            oldest = next(iter(self._places))
            self._by_place[self._places.pop(oldest)].remove(oldest)
            oldest.close()

    def close(self) -> None:
        for connection in self._places:
            connection.close()
