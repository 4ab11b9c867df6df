"""Several connections to the server of EMAIL_URL, driven together by one loop in one thread."""

import selectors
import smtplib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from delivery.contract import DeliveryError
from delivery.mail.smtp import stepwise
from delivery.mail.smtp.concurrency import Concurrency
from delivery.mail.smtp.conversation import Fate, Result
from delivery.mail.smtp.meaning import BUSY
from delivery.mail.smtp.message import Message
from delivery.mail.smtp.wire import Wire

# A message that so many connections did not get to hand over waits until the server is better.
LOSSES_LIMIT = 2
# One more connection is worth no longer wait than this: the others stand still meanwhile.
EXTRA_TIMEOUT_SECONDS = 3.0
LATE = "the SMTP server does not answer in time"

Settled = tuple[Message, DeliveryError | None]


class Queue:
    """Messages to come, those that a lost connection gave back first."""

    def __init__(self, messages: Iterable[Message]) -> None:
        self.unreachable: DeliveryError | None = None
        """Why no connection could be had. One attempt is enough for all messages of a call."""
        self._messages = iter(messages)
        self._returned: deque[Message] = deque()

    def take(self) -> Message | None:
        if self._returned:
            return self._returned.popleft()
        return next(self._messages, None)

    @property
    def has_returned(self) -> bool:
        return bool(self._returned)

    def give_back(self, message: Message) -> None:
        self._returned.append(message)


class Pool:
    """Connections stay open between calls of `carry()`, until `close()` ends it all."""

    def __init__(self, connect: Callable[[float], smtplib.SMTP], timeout: float, limit: int) -> None:
        """`connect(timeout)` gives a connection ready for MAIL or raises DeliveryError; `limit` counts connections."""
        self._connect = connect
        self._timeout = timeout
        self._concurrency = Concurrency(limit)
        self._wires: list[Wire] = []
        self._selector = selectors.DefaultSelector()
        self._stepwise: stepwise.Stepwise | None = None

    def carry(self, messages: Iterable[Message]) -> Iterator[Settled]:
        """Hand messages over; each one taken from `messages` comes back once, with its error or None.

        Not in order. Messages are taken as connections get free for them.
        """
        queue = Queue(messages)
        self._drop_stale()
        try:
            while True:
                yield from self._feed(queue)
                if not any(map(_is_busy, self._wires)):
                    if queue.has_returned:
                        continue
                    return
                yield from self._settle(self._wait(), queue)
        finally:
            # Left in the middle: the server must not get another byte of what is no longer accounted for.
            for wire in self._busy():
                wire.end("left")
            self._forget_closed()

    def close(self) -> None:
        for wire in self._wires:
            self._selector.unregister(wire.socket)
            wire.close()
        self._wires.clear()
        self._selector.close()
        if self._stepwise:
            self._stepwise.close()
            self._stepwise = None

    def _busy(self) -> list[Wire]:
        return list(filter(_is_busy, self._wires))

    def _feed(self, queue: Queue) -> Iterator[Settled]:
        """Give every free connection something to do, and open more while they are allowed and needed."""
        for place, wire in enumerate(self._wires):
            while wire.is_free:
                message = queue.take() if place < self._concurrency.allowed else None
                if message is None and not wire.owes_body:
                    break
                yield from self._begin(wire, message, queue)
        self._forget_closed()
        while len(self._wires) < self._concurrency.allowed and (message := queue.take()):
            yield from self._open_for(message, queue)

    def _begin(self, wire: Wire, message: Message | None, queue: Queue) -> list[Settled]:
        if not wire.is_fit:
            if message:
                queue.give_back(message)
            results = wire.end("the SMTP server says more than it was asked")
        else:
            results = wire.begin(message)
        self._watch(wire)
        return self._settle(results, queue)

    def _open_for(self, message: Message, queue: Queue) -> Iterator[Settled]:
        """One more connection, for this message. When it cannot be had, the others carry on without it."""
        if self._stepwise or queue.unreachable:
            yield message, self._stepwise.hand_over(message) if self._stepwise else queue.unreachable
            return
        try:
            smtp = self._connect(min(self._timeout, EXTRA_TIMEOUT_SECONDS) if self._wires else self._timeout)
        except DeliveryError as error:
            self._concurrency.stay_at(len(self._wires))
            if self._wires:
                queue.give_back(message)
            else:
                queue.unreachable = error
                yield message, error
            return
        if not smtp.has_extn("pipelining"):
            self._stepwise = stepwise.Stepwise(smtp, lambda: self._connect(self._timeout))
            yield message, self._stepwise.hand_over(message)
            return
        wire = Wire(smtp, self._timeout)
        self._wires.append(wire)
        self._selector.register(wire.socket, wire.watched, wire)
        yield from self._begin(wire, message, queue)
        self._forget_closed()

    def _wait(self) -> list[Result]:
        """Sleep until a connection can go on, or has been silent too long."""
        results: list[Result] = []
        deadline = min(wire.deadline for wire in self._busy())
        for key, _ in self._selector.select(max(0.0, deadline - time.monotonic())):
            wire: Wire = key.data
            results += wire.progress()
            self._watch(wire)
        now = time.monotonic()
        if now >= deadline:
            for wire in self._busy():
                if wire.deadline <= now:
                    results += wire.end(LATE)
        return results

    def _settle(self, results: list[Result], queue: Queue) -> list[Settled]:
        """Those whose way ends here; another connection is to try the rest."""
        return [(each.message, each.error) for each in results if self._is_settled(each, queue)]

    def _is_settled(self, result: Result, queue: Queue) -> bool:
        if result.fate is Fate.SENT:
            self._concurrency.message_sent()
            return True
        if result.fate is not Fate.REFUSED or result.code in BUSY:
            self._concurrency.setback()
        message = result.message
        is_untouched = result.fate is Fate.NOT_SENT or (result.code in BUSY and result.error and result.error.pause)
        message.losses += bool(is_untouched)
        if is_untouched and message.losses < LOSSES_LIMIT:
            queue.give_back(message)
            return False
        return True

    def _watch(self, wire: Wire) -> None:
        """Ask for what the connection waits for now."""
        if wire.watched != wire.events and wire.is_open:
            wire.watched = wire.events
            self._selector.modify(wire.socket, wire.watched, wire)

    def _drop_stale(self) -> None:
        for wire in self._wires:
            if wire.is_stale():
                wire.end("stale")
        self._forget_closed()

    def _forget_closed(self) -> None:
        for wire in [wire for wire in self._wires if not wire.is_open]:
            self._selector.unregister(wire.socket)
            self._wires.remove(wire)


def _is_busy(wire: Wire) -> bool:
    return wire.is_open and (wire.owes_body or not wire.is_free)
