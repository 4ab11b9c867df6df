"""A sender: claims batches of one channel until nothing is due or its time is up.

Outcomes are recorded twice a second, so that a crash can repeat half a second's messages and no more; what an account
posts at once, unless the other side drops what it has already.
"""

import logging
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial

from django.conf import settings

from delivery import registry
from delivery.contract import Channel, DeliveryError, Outcome, Recipient
from delivery.ledger import claims, outcomes, rates
from delivery.ledger.outcomes import Batch
from delivery.ledger.patience import patiently
from delivery.models import Delivery, Notice, Pause

log = logging.getLogger(__name__)
RECORD_EVERY_SECONDS = 0.5
# How long to wait when a channel has had its share of this second.
TOKEN_WAIT_SECONDS = 0.1
# So many refused, and more than half of all: the other side refuses us, not them. Nobody else is to be lost to that.
REFUSED_LEAST = 50


def drain(kind: str, seconds: float) -> tuple[Counter[str], bool]:
    """Send what is due on a channel, for so many seconds at most.

    Returns how many deliveries ended in which state, and whether it stopped for lack of time.
    """
    until = time.monotonic() + seconds
    counts: Counter[str] = Counter()
    channel = registry.load(kind)()
    try:
        while time.monotonic() < until:
            size = rates.take(kind, type(channel), channel.batch_size)
            if not size:
                time.sleep(min(TOKEN_WAIT_SECONDS, max(0.0, until - time.monotonic())))
                continue
            batch = _claim(kind, channel, size)
            if batch is None:
                return counts, False
            counts += _Shift(channel, batch, until).work()
    finally:
        channel.close()
    return counts, True


def _claim(kind: str, channel: Channel, size: int) -> Batch | None:
    batch = claims.claim(kind, size)
    rates.give_back(kind, type(channel), size - len(batch.recipients) if batch else size)
    return batch


class _Shift:
    """One batch's way through a channel, and that of the batches claimed while its last messages are under way."""

    def __init__(self, channel: Channel, batch: Batch, until: float) -> None:
        self.channel = channel
        self.kind = batch.channel
        self.batches = [batch]
        self.until = until
        self.taken: set[int] = set()
        self.finished: list[Outcome] = []
        self.paused: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.tried = 0
        self.refused = 0
        self.is_letter = False
        self.records_each = channel.replies or (channel.for_accounts and not channel.drops_repeats)
        self.next_record = time.monotonic() + RECORD_EVERY_SECONDS
        self.next_renewal = time.monotonic() + settings.DELIVERY_LEASE_SECONDS / 4
        channel.while_waiting = self._record_when_due

    def work(self) -> Counter[str]:
        for batch in self.batches:  # which become more meanwhile
            for notice, recipients in batch.work:
                self._send(notice, recipients)
        if self.batches[0].is_probe:
            self._pause_when_most_are_refused(least=1)
        self._record()
        for batch in self.batches:
            if untried := batch.recipients.keys() - self.taken:
                patiently(partial(outcomes.release, batch, untried))
        return self.counts

    def _send(self, notice: Notice, recipients: list[Recipient]) -> None:
        """Everything the channel took and gave no outcome for may have gone out: it counts as ambiguous."""
        self.is_letter = notice.is_letter
        try:
            for outcome in self.channel.send_many(notice, self._hand_over(notice, recipients)):
                self._note(outcome)
        except Exception as error:
            # A mistake in a channel's code must not stop the others of this batch, nor lose these rows.
            log.exception("channel failed: channel=%s notice=%s", self.kind, notice.code)
            reason = DeliveryError(f"internal error: {type(error).__name__}", ambiguous=True)
            noted = {outcome.delivery_id for outcome in self.finished}
            held = {delivery_id for batch in self.batches for delivery_id in batch.recipients}
            for delivery_id in (self.taken & held) - noted:
                self._note(Outcome(delivery_id, reason))

    def _hand_over(self, notice: Notice, recipients: list[Recipient]) -> Iterator[Recipient]:
        """Ends when time is up, or when the channel cannot reach anybody now."""
        while recipients:
            for recipient in recipients:
                if time.monotonic() >= self.until or self.kind in self.paused:
                    return
                if self.paused and self._pause_key(recipient) in self.paused:
                    continue
                self.taken.add(recipient.delivery_id)
                if recipient.account and self.channel.replies:
                    first_post = Delivery.objects.first_post(recipient.account, notice.thread)
                    recipient = recipient._replace(first_post=first_post)  # noqa: PLW2901 (the same, knowing more)
                yield recipient
            recipients = self._claim_more(notice) if self.channel.claims_ahead else []

    def _claim_more(self, notice: Notice) -> list[Recipient]:
        """The next recipients of this notice. Of any other, what was claimed is sent when this one has its outcomes."""
        size = rates.take(self.kind, type(self.channel), self.channel.batch_size)
        batch = _claim(self.kind, self.channel, size) if size else None
        if batch is None:
            return []
        self.batches.append(batch)
        return batch.work.pop(0)[1] if batch.work and batch.work[0][0] == notice else []

    def _batch_of(self, delivery_id: int) -> Batch:
        return next(batch for batch in self.batches if delivery_id in batch.recipients)

    def _pause_key(self, recipient: Recipient) -> str:
        """An account's trouble is its own; that of a channel that writes to people is everybody's."""
        return recipient.address if self.channel.for_accounts else self.kind

    def _pause_when_most_are_refused(self, least: int, reason: str = "the probe was refused") -> None:
        """A relay that calls everything spam, or all addresses unknown, must not use up a million people."""
        key = self.kind
        if self.channel.for_accounts or key in self.paused or self.refused < least or self.refused * 2 <= self.tried:
            return
        self._pause(key, f"{self.refused} of {self.tried} in a row were refused: {reason}")

    def _pause(self, key: str, reason: str, retry_after: float | None = None) -> None:
        self.paused.add(key)
        log.error("paused: %s: %s", key, reason)
        patiently(lambda: Pause.objects.begin(key, reason, retry_after))

    def _note(self, outcome: Outcome) -> None:
        self.finished.append(outcome)
        # Anybody can ask for letters to addresses that do not exist: those say nothing about the channel.
        self.tried += not self.is_letter
        if outcome.error:
            self._note_error(self._batch_of(outcome.delivery_id), outcome.delivery_id, outcome.error)
        if self.records_each:
            self._record()
        else:
            self._record_when_due()

    def _note_error(self, batch: Batch, delivery_id: int, error: DeliveryError) -> None:
        if self._counts_as_refused(error, is_probe=batch.is_probe):
            self.refused += 1
            self._pause_when_most_are_refused(REFUSED_LEAST, str(error))
        if error.pause:
            self._pause(self._pause_key(batch.recipients[delivery_id]), str(error), error.retry_after)

    def _counts_as_refused(self, error: DeliveryError, *, is_probe: bool) -> bool:
        """“Try again later” says something about one address or its host, as greylisting does, and such a try uses up
        nobody. Of a probe it says that the channel is not well yet."""
        if error.skip or error.pause or self.is_letter:
            return False
        return error.permanent or is_probe

    def _record_when_due(self) -> None:
        if time.monotonic() >= self.next_record:
            self._record()

    def _record(self) -> None:
        for batch in self.batches:
            finished = [each for each in self.finished if each.delivery_id in batch.recipients]
            if batch.is_probe:
                self._end_pauses(batch, finished)
            if finished:
                self.counts += patiently(partial(outcomes.record, batch, finished))
        self.finished = []
        now = time.monotonic()
        self.next_record = now + RECORD_EVERY_SECONDS
        # Renewing writes every row that is left: seldom, but well before the lease ends.
        if now >= self.next_renewal:
            for batch in self.batches:
                patiently(partial(outcomes.renew, batch))
            self.next_renewal = now + settings.DELIVERY_LEASE_SECONDS / 4

    def _end_pauses(self, batch: Batch, finished: list[Outcome]) -> None:
        sent = [batch.recipients[each.delivery_id] for each in finished if each.error is None]
        ended, _ = patiently(Pause.objects.filter(key__in={self._pause_key(each) for each in sent}).delete)
        if ended:
            log.info("pause over: %s", self.kind)
