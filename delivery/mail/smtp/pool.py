"""Several connections to one SMTP server, run by one loop in one thread."""

import selectors
import smtplib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from delivery.contract import DeliveryError
from delivery.mail.smtp.concurrency import Concurrency
from delivery.mail.smtp.conversation import ResultKind, SmtpResult
from delivery.mail.smtp.meaning import BUSY
from delivery.mail.smtp.outgoing_mail import OutgoingMail
from delivery.mail.smtp.pipelined_connection import PipelinedConnection
from delivery.mail.smtp.sequential_connection import SequentialConnection

# A message whose connection was lost so often is given back to the caller, and the channel pauses.
LOSSES_LIMIT = 2
# The timeout of opening a further connection. It is short because the other connections are not served meanwhile.
EXTRA_TIMEOUT_SECONDS = 3.0
TIMED_OUT = "the SMTP server does not answer in time"

FinishedMail = tuple[OutgoingMail, DeliveryError | None]


class MailQueue:
    """The messages to send: first those that a lost connection gave back, then those of the caller."""

    def __init__(self, messages: Iterable[OutgoingMail]) -> None:
        self.unreachable: DeliveryError | None = None
        """Why no connection could be opened. It then holds for all remaining messages of this call."""
        self._messages = iter(messages)
        self._returned: deque[OutgoingMail] = deque()

    def take(self) -> OutgoingMail | None:
        if self._returned:
            return self._returned.popleft()
        return next(self._messages, None)

    @property
    def has_returned(self) -> bool:
        return bool(self._returned)

    def give_back(self, message: OutgoingMail) -> None:
        self._returned.append(message)


class Pool:
    """Connections stay open between calls of `send_all()`, until `close()`."""

    def __init__(self, connect: Callable[[float], smtplib.SMTP], timeout: float, limit: int) -> None:
        """`connect(timeout)` returns a connection ready for MAIL or raises DeliveryError. `limit`: the most connections."""
        self._connect = connect
        self._timeout = timeout
        self._concurrency = Concurrency(limit)
        self._connections: list[PipelinedConnection] = []
        self._selector = selectors.DefaultSelector()
        self._sequential: SequentialConnection | None = None

    def send_all(self, messages: Iterable[OutgoingMail]) -> Iterator[FinishedMail]:
        """Send messages; yields each one taken from `messages` once, with its error or None, in any order.

        A message is taken when a connection is free for it.
        """
        queue = MailQueue(messages)
        self._drop_stale()
        try:
            while True:
                yield from self._feed(queue)
                if not any(map(_is_busy, self._connections)):
                    if queue.has_returned:
                        continue
                    return
                yield from self._finish(self._wait(), queue)
        finally:
            # If the caller stops early, nobody records these messages any more, so the server must not get the rest of them.
            for connection in self._busy():
                connection.end("left")
            self._forget_closed()

    def close(self) -> None:
        for connection in self._connections:
            self._selector.unregister(connection.socket)
            connection.close()
        self._connections.clear()
        self._selector.close()
        if self._sequential:
            self._sequential.close()
            self._sequential = None

    def _busy(self) -> list[PipelinedConnection]:
        return list(filter(_is_busy, self._connections))

    def _feed(self, queue: MailQueue) -> Iterator[FinishedMail]:
        """Give a message to every free connection, and open more connections while they are allowed and needed."""
        for place, connection in enumerate(self._connections):
            while connection.is_free:
                message = queue.take() if place < self._concurrency.allowed else None
                if message is None and not connection.owes_body:
                    break
                yield from self._begin(connection, message, queue)
        self._forget_closed()
        while len(self._connections) < self._concurrency.allowed and (message := queue.take()):
            yield from self._open_for(message, queue)

    def _begin(
        self, connection: PipelinedConnection, message: OutgoingMail | None, queue: MailQueue
    ) -> list[FinishedMail]:
        if not connection.is_fit:
            if message:
                queue.give_back(message)
            results = connection.end("the SMTP server sends a reply to no command")
        else:
            results = connection.begin(message)
        self._watch(connection)
        return self._finish(results, queue)

    def _open_for(self, message: OutgoingMail, queue: MailQueue) -> Iterator[FinishedMail]:
        """Open one more connection for this message. If that fails, the open connections go on without it."""
        if self._sequential or queue.unreachable:
            yield message, self._sequential.hand_over(message) if self._sequential else queue.unreachable
            return
        try:
            smtp = self._connect(min(self._timeout, EXTRA_TIMEOUT_SECONDS) if self._connections else self._timeout)
        except DeliveryError as error:
            self._concurrency.stay_at(len(self._connections))
            if self._connections:
                queue.give_back(message)
            else:
                queue.unreachable = error
                yield message, error
            return
        if not smtp.has_extn("pipelining"):
            self._sequential = SequentialConnection(smtp, lambda: self._connect(self._timeout))
            yield message, self._sequential.hand_over(message)
            return
        connection = PipelinedConnection(smtp, self._timeout)
        self._connections.append(connection)
        self._selector.register(connection.socket, connection.watched, connection)
        yield from self._begin(connection, message, queue)
        self._forget_closed()

    def _wait(self) -> list[SmtpResult]:
        """Wait until a connection can read or write, and end those whose deadline has passed."""
        results: list[SmtpResult] = []
        deadline = min(connection.deadline for connection in self._busy())
        for key, _ in self._selector.select(max(0.0, deadline - time.monotonic())):
            connection: PipelinedConnection = key.data
            results += connection.progress()
            self._watch(connection)
        now = time.monotonic()
        if now >= deadline:
            for connection in self._busy():
                if connection.deadline <= now:
                    results += connection.end(TIMED_OUT)
        return results

    def _finish(self, results: list[SmtpResult], queue: MailQueue) -> list[FinishedMail]:
        """The messages with a final result; the others go back to the queue for another connection."""
        return [(each.message, each.error) for each in results if self._is_final(each, queue)]

    def _is_final(self, result: SmtpResult, queue: MailQueue) -> bool:
        if result.kind is ResultKind.SENT:
            self._concurrency.message_sent()
            return True
        if result.kind is not ResultKind.REFUSED or result.code in BUSY:
            self._concurrency.setback()
        message = result.message
        is_untouched = result.kind is ResultKind.NOT_SENT or (
            result.code in BUSY and result.error and result.error.pause
        )
        message.losses += bool(is_untouched)
        if is_untouched and message.losses < LOSSES_LIMIT:
            queue.give_back(message)
            return False
        return True

    def _watch(self, connection: PipelinedConnection) -> None:
        """Register the events that the connection waits for now."""
        if connection.watched != connection.events and connection.is_open:
            connection.watched = connection.events
            self._selector.modify(connection.socket, connection.watched, connection)

    def _drop_stale(self) -> None:
        for connection in self._connections:
            if connection.is_stale():
                connection.end("stale")
        self._forget_closed()

    def _forget_closed(self) -> None:
        for connection in [connection for connection in self._connections if not connection.is_open]:
            self._selector.unregister(connection.socket)
            self._connections.remove(connection)


def _is_busy(connection: PipelinedConnection) -> bool:
    return connection.is_open and (connection.owes_body or not connection.is_free)
