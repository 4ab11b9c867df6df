"""Senders that stop wherever the state machine of test_ledger_machine.py likes, and the providers they meet.

A worker is the real `drain()` in a greenlet. It stands still before each message and after it, until it is let go on
or is lost for good; so any two of them can be interleaved, and each can die at any moment. Real are the ledger, the
sender and the e-mail channel; the wire to the mail server is not.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone
from greenlet import getcurrent, greenlet

from delivery import registry
from delivery.channels import email
from delivery.contract import Channel, DeliveryError, Recipient, Remote, SendResult
from delivery.ledger import claims, outbox, recording, sender
from delivery.ledger.recording import Batch
from delivery.mail.smtp.outgoing_mail import OutgoingMail
from delivery.models import Delivery, Notice, Pause

if TYPE_CHECKING:
    from collections import Counter
    from datetime import timedelta

# What a provider may do with one message: whether it keeps it, and what the channel makes of that.
ANSWERS: dict[str, tuple[bool, Exception | None]] = {
    "taken": (True, None),
    "taken, the answer is lost": (True, DeliveryError("no answer", ambiguous=True)),
    "lost before it was taken": (False, DeliveryError("no answer", ambiguous=True)),
    "refused": (False, DeliveryError("550 no", permanent=True)),
    "no such user": (False, DeliveryError("550 5.1.1 no such user", gone=True)),
    "not now": (False, DeliveryError("450 later")),
    "in a minute": (False, DeliveryError("452 in a minute", retry_after=60)),
    "sign-in refused": (False, DeliveryError("535 no", pause=True)),
    "taken, then the channel breaks": (True, RuntimeError("a mistake")),
}
MESSAGE_ID = re.compile(rb"^Message-ID: (\S+)\r$", re.MULTILINE)


class World:
    """What the machine of the moment and its workers share."""

    def __init__(self) -> None:
        self.wake_ups: list[tuple[str, Any]] = []
        self.taken: dict[int, list[tuple[str, str]]] = defaultdict(list)
        """What providers got, by delivery: address and Message-ID of each time."""
        self.faults: list[str] = []
        """What must never happen, noted where raising would be caught by the code under test."""
        self.seconds = 0.0
        """What `time.monotonic()` says in workers."""
        self.skew: timedelta | None = None
        """How far the clocks of our hosts are ahead of the database's."""
        self.dies_in_chunk = 0
        """The fan-out that runs is lost in this chunk, counted from 1; 0 means that it is not."""
        self.unwelcome: Callable[[], set[str]] = set
        """Addresses, and codes of notices, that must not be told, or told of, from now on."""

    @property
    def told(self) -> int:
        """How many messages providers got."""
        return sum(map(len, self.taken.values()))

    def wake_worker(self, task: str, *args: Any) -> bool:
        self.wake_ups.append((task, *args))
        return True


class LostError(BaseException):
    """The process ends here."""


class Worker(greenlet):
    """One run of `drain()`."""

    def __init__(self, world: World, kind: str) -> None:
        super().__init__()
        self.world, self.kind = world, kind
        self.answers: deque[str] = deque()
        self.unwelcome: set[str] = set()
        """Who must not be told by the batch it holds: known before the claim."""

    def run(self) -> None:
        sender.drain(self.kind, 30.0)

    def go_on(self, answers: Iterable[str]) -> None:
        """So many messages further; then it stands still again, unless it has ended."""
        self.answers.extend(answers)
        self.switch()

    def end(self) -> None:
        """Lost: nothing of it is carried out any more."""
        self.throw()

    def _stand_still(self) -> None:
        assert self.parent
        self.parent.switch()

    def hand_over(self, notice_code: str, delivery_id: int, address: str, message_id: str) -> Exception | None:
        """The provider's part, for one message; what goes wrong."""
        while not self.answers:
            self._stand_still()
        is_kept, error = ANSWERS[self.answers.popleft()]
        if unwelcome := {notice_code, address} & self.unwelcome:
            self.world.faults.append(f"{unwelcome} was known when delivery {delivery_id} to {address} was claimed")
        if is_kept:
            self.world.taken[delivery_id].append((address, message_id))
        if not self.answers:
            self._stand_still()
        return error


def this_worker() -> Worker:
    worker = getcurrent()
    assert isinstance(worker, Worker)
    return worker


class Wire:
    """Takes the place of the connections to a mail server."""

    def send_all(self, messages: Iterable[OutgoingMail]) -> Iterator[tuple[OutgoingMail, DeliveryError | None]]:
        for message in messages:
            found = MESSAGE_ID.search(message.mail)
            assert found
            message_id = found[1].decode()
            notice_code = message_id.split("-")[1]
            error = this_worker().hand_over(notice_code, message.key, message.address, message_id)
            if error and not isinstance(error, DeliveryError):
                raise error
            yield message, error

    def close(self) -> None:
        pass


class Wall(Channel):
    """A channel of accounts where a repeat would be worse than silence."""

    label = "Wall"
    for_accounts = True
    resend_ambiguous = False
    max_attempts = 3
    batch_size = 2

    def send(self, notice: Notice, recipient: Recipient) -> Remote:
        if error := this_worker().hand_over(notice.code, recipient.delivery_id, recipient.address, "post"):
            raise error
        return {"id": "post"}


class Stage:
    """The patches of one test; `world` is the one of the example that runs."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.world = World()
        wall = registry.Registered(f"{__name__}.{Wall.__name__}", queue="delivery.wall")
        patch.setattr(registry, "CHANNELS", {"email": registry.CHANNELS["email"], "wall": wall})
        registry.load.cache_clear()
        patch.setattr(email, "open_transport", Wire)
        # Small enough that a handful of people fills several chunks and batches.
        patch.setattr(outbox, "CHUNK", 3)
        patch.setattr(email.Email, "batch_size", 4)
        patch.setattr(email.Email, "max_attempts", 3)
        patch.setattr(sender, "REFUSED_LEAST", 4)
        patch.setattr(sender, "time", self)
        for name in ("wake_worker", "wake_on_commit"):
            patch.setattr(outbox, name, self._wake)
        real_now = timezone.now
        patch.setattr(timezone, "now", lambda: real_now() + self.world.skew if self.world.skew else real_now())
        self._real_insert = outbox._insert_subscribers
        patch.setattr(outbox, "_insert_subscribers", self._insert)
        self._real_claim = claims.claim
        patch.setattr(claims, "claim", self._claim)
        for name in ("record", "release", "renew"):
            patch.setattr(recording, name, self._fenced(getattr(recording, name)))

    def monotonic(self) -> float:
        return self.world.seconds

    def sleep(self, seconds: float) -> None:
        self.world.seconds += seconds

    def _wake(self, task: str, *args: Any) -> bool:
        return self.world.wake_worker(task, *args)

    def _insert(self, notice: Notice, channel: str, end: int) -> int:
        """Its worker may be lost when the rows are there and nothing else is written."""
        rows = self._real_insert(notice, channel, end)
        if self.world.dies_in_chunk:
            self.world.dies_in_chunk -= 1
            if not self.world.dies_in_chunk:
                raise LostError
        return rows

    def _claim(self, channel: str, size: int) -> Batch | None:
        """Notes what was known when the claim began."""
        worker = this_worker()
        worker.unwelcome = self.world.unwelcome()
        closed = set(Pause.objects.closed().values_list("key", flat=True))
        batch = self._real_claim(channel, size)
        if batch and closed & ({channel} | {each.address for each in batch.recipients.values()}):
            self.world.faults.append(f"claimed although paused: {closed}")
        return batch

    def _fenced(self, change: Callable[..., Any]) -> Callable[..., Any]:
        """Watches that a batch changes no rows but those that it holds."""

        def watched(batch: Batch, rows: Iterable[SendResult | int] = (), **columns: Any) -> Counter[str] | None:
            rows = list(rows)
            ids = [row.delivery_id if isinstance(row, SendResult) else row for row in rows] or list(batch.recipients)
            others = Delivery.objects.filter(pk__in=ids).exclude(claimed_by=batch.token, state=Delivery.State.SENDING)
            before = list(others.order_by("pk").values_list())
            result = change(batch, rows, **columns) if change.__name__ != "renew" else change(batch)
            after = Delivery.objects.filter(pk__in=[row[0] for row in before]).order_by("pk")
            if list(after.values_list()) != before:
                self.world.faults.append(f"{change.__name__} of a batch changed rows that it does not hold")
            return result

        return watched
