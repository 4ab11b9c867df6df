"""The way out for thousands of hosts at once, from one thread: the rules of core/outbound.py, without redirects.

An event loop of its own runs while the caller waits for the next outcome, and stands still while the caller works. So
the caller may ask a database in between, and what came meanwhile counts, also after its deadline.
"""

import asyncio
import contextlib
import logging
import resource
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

from core import host_turns
from core.answers import Answer, AnswerParser, BrokenAnswerError
from core.async_connection import AsyncConnection, tell
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
class _Attempt:
    """One request under way."""

    place: Place
    message: bytes
    parser: AnswerParser
    deadline: float
    """Of the loop's clock."""
    waits_for: str = "too many requests are waiting for it"
    """What to say when time is up before it has left."""
    connection: AsyncConnection | None = None
    has_left: bool = False


class _Sending(Generic[Key]):
    def __init__(self, trust: Trust, seconds: float, limit_bytes: int, *, whole_body: bool, at_once: int) -> None:
        self._trust = trust
        self._seconds = seconds
        self._limit_bytes = limit_bytes
        self._whole_body = whole_body
        self._most = min(at_once, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._finished: deque[tuple[Key, Answer | OutboundError]] = deque()
        self._turns = _Turns()
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
        while is_more or self._tasks or self._finished:
            room = min(self._most - len(self._tasks), BEGUN_TOGETHER)
            begun = self._begin(islice(waiting, room)) if is_more else 0
            is_more = is_more and begun == room
            if begun and is_more:
                self._loop.call_soon(self._loop.stop)  # only a look at the others
            if self._tasks:
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
            self._loop.run_until_complete(asyncio.wait(self._tasks))
        self._idle.close()
        self._loop.close()

    def _begin(self, some: Iterable[tuple[Key, Request]]) -> int:
        """How many there were."""
        begun = [self._loop.create_task(self._finish(key, asked)) for key, asked in some]
        self._tasks.update(begun)
        return len(begun)

    async def _finish(self, key: Key, asked: Request) -> None:
        outcome: Answer | OutboundError
        try:
            outcome = await self._ask(asked)
        except OutboundError as error:
            outcome = error
        except Exception as error:  # a mistake of ours must not end the others
            log.exception("a request to another host failed")
            outcome = NoAnswerError(f"internal error: {type(error).__name__}")
        self._finished.append((key, outcome))
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 (this is one)
        self._tasks.discard(task)
        self._loop.stop()

    async def _ask(self, asked: Request) -> Answer:
        place = take_apart(asked.url)
        parser = AnswerParser(self._limit_bytes, whole_body=self._whole_body)
        attempt = _Attempt(place, asked.message(place), parser, self._loop.time() + self._seconds)
        try:
            async with asyncio.timeout_at(attempt.deadline):
                await self._exchange(attempt)
        except TimeoutError:
            _take_what_came(attempt)
        except BrokenAnswerError as error:
            raise NoAnswerError(f"{place.host} did not answer: {error}") from error
        finally:
            if attempt.connection:
                self._keep_or_close(attempt.connection, attempt)
        return parser.answer()

    def _keep_or_close(self, connection: AsyncConnection, attempt: _Attempt) -> None:
        if attempt.parser.can_be_followed:
            self._idle.keep(attempt.place, connection)
        else:
            connection.close()

    async def _exchange(self, attempt: _Attempt) -> None:
        """Returns when the answer is whole, or as whole as it has to be."""
        place, parser = attempt.place, attempt.parser
        async with self._turns.turn(f"{place.host}:{place.port}"):
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

    async def _connect(self, attempt: _Attempt) -> AsyncConnection:
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

    async def _reach(self, attempt: _Attempt, addresses: list[str]) -> AsyncConnection:
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


def _take_what_came(attempt: _Attempt) -> None:
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


class _Turns:
    """Turns of hosts (core/host_turns.py), waited for in a loop."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._mine: Counter[str] = Counter()

    @contextlib.asynccontextmanager
    async def turn(self, host: str) -> AsyncIterator[None]:
        while not host_turns.take_now(host):
            await self._wait(host)
        self._mine[host] += 1
        try:
            yield
        finally:
            self._mine[host] -= 1
            host_turns.give_back(host)
            self._wake(host)

    async def _wait(self, host: str) -> None:
        """Until one of ours has given its turn back; when other threads have all of them, for a while."""
        loop = asyncio.get_running_loop()
        turn = loop.create_future()
        self._waiting.setdefault(host, deque()).append(turn)
        again = None if self._mine[host] else loop.call_later(TURN_SECONDS, tell, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # it was told, and is not the one to go
                self._wake(host)
            raise
        finally:
            if again:
                again.cancel()

    def _wake(self, host: str) -> None:
        """The first who still waits."""
        waiting = self._waiting.get(host)
        while waiting:
            if not (turn := waiting.popleft()).done():
                turn.set_result(None)
                return


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
