"""A sender claims batches of one channel until nothing is due or its time is up.

Results are recorded twice a second, so that a crash can repeat at most the messages of half a second. A post of an
account is public, so its result is recorded at once, unless the other side drops repeats.
"""

import logging
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial

from django.conf import settings

from delivery import registry
from delivery.contract import Channel, DeliveryError, Recipient, SendResult
from delivery.ledger import claims, rates, recording
from delivery.ledger.database_retry import retry_database
from delivery.ledger.recording import Batch
from delivery.models import Delivery, Notice, Pause

log = logging.getLogger(__name__)
RECORD_EVERY_SECONDS = 0.5
# How long to wait when a channel has no tokens left (rates.py).
TOKEN_WAIT_SECONDS = 0.1
# When at least so many recipients, and more than half of all, are refused, the other side refuses us rather than them.
# The channel pauses, so that no more deliveries fail for good.
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
            counts += _BatchSender(channel, batch, until).run()
    finally:
        channel.close()
    return counts, True


def _claim(kind: str, channel: Channel, size: int) -> Batch | None:
    batch = claims.claim(kind, size)
    rates.give_back(kind, type(channel), size - len(batch.recipients) if batch else size)
    return batch


class _BatchSender:
    """Sends one batch, and the batches that are claimed while its last messages are under way."""

    def __init__(self, channel: Channel, batch: Batch, until: float) -> None:
        self.channel = channel
        self.kind = batch.channel
        self.batches = [batch]
        self.until = until
        self.taken: set[int] = set()
        self.results: list[SendResult] = []
        self.paused: set[str] = set()
        self.counts: Counter[str] = Counter()
        self.tried = 0
        self.refused = 0
        self.is_letter = False
        self.records_each = channel.replies or (channel.for_accounts and not channel.drops_repeats)
        self.next_record = time.monotonic() + RECORD_EVERY_SECONDS
        self.next_renewal = time.monotonic() + settings.DELIVERY_LEASE_SECONDS / 4
        channel.while_waiting = self._record_when_due

    def run(self) -> Counter[str]:
        """Send and record everything; returns counts by state."""
        for batch in self.batches:  # `_claim_more` appends to it
            for notice, recipients in batch.work:
                self._send(notice, recipients)
        if self.batches[0].is_probe:
            self._pause_when_most_are_refused(least=1)
        self._record()
        for batch in self.batches:
            if untried := batch.recipients.keys() - self.taken:
                retry_database(partial(recording.release, batch, untried))
        return self.counts

    def _send(self, notice: Notice, recipients: list[Recipient]) -> None:
        """Recipients that the channel took without giving a result may have been sent to: they count as ambiguous."""
        self.is_letter = notice.is_letter
        try:
            for result in self.channel.send_many(notice, self._recipients_to_send(notice, recipients)):
                self._add_result(result)
        except Exception as error:
            # A bug in a channel must not stop the other notices of this batch, nor lose these rows.
            log.exception("a bug in this channel: channel=%s notice=%s", self.kind, notice.code)
            reason = DeliveryError(f"internal error: {type(error).__name__}", ambiguous=True)
            with_result = {result.delivery_id for result in self.results}
            held = {delivery_id for batch in self.batches for delivery_id in batch.recipients}
            for delivery_id in (self.taken & held) - with_result:
                self._add_result(SendResult(delivery_id, reason))

    def _recipients_to_send(self, notice: Notice, recipients: list[Recipient]) -> Iterator[Recipient]:
        """The recipients that the channel is given; ends when time is up or the channel is paused."""
        while recipients:
            for recipient in recipients:
                if time.monotonic() >= self.until or self.kind in self.paused:
                    return
                if self.paused and self._pause_key(recipient) in self.paused:
                    continue
                self.taken.add(recipient.delivery_id)
                if recipient.account and self.channel.replies:
                    first_post = Delivery.objects.first_post(recipient.account, notice.thread)
                    recipient = recipient._replace(first_post=first_post)  # noqa: PLW2901 (the same recipient with one more field)
                yield recipient
            recipients = self._claim_more(notice) if self.channel.claims_ahead else []

    def _claim_more(self, notice: Notice) -> list[Recipient]:
        """Claim the next batch; returns its recipients of this notice. Those of other notices are sent after this one."""
        size = rates.take(self.kind, type(self.channel), self.channel.batch_size)
        batch = _claim(self.kind, self.channel, size) if size else None
        if batch is None:
            return []
        self.batches.append(batch)
        return batch.work.pop(0)[1] if batch.work and batch.work[0][0] == notice else []

    def _batch_of(self, delivery_id: int) -> Batch:
        return next(batch for batch in self.batches if delivery_id in batch.recipients)

    def _pause_key(self, recipient: Recipient) -> str:
        """What to pause for this recipient: its account, or the whole channel where the channel writes to people."""
        return recipient.address if self.channel.for_accounts else self.kind

    def _pause_when_most_are_refused(self, least: int, reason: str = "the probe was refused") -> None:
        """Pause a channel whose server refuses most recipients, such as a relay that calls everything spam: without a
        pause all remaining deliveries would fail for good."""
        key = self.kind
        if self.channel.for_accounts or key in self.paused or self.refused < least or self.refused * 2 <= self.tried:
            return
        self._pause(key, f"{self.refused} of {self.tried} in a row were refused: {reason}")

    def _pause(self, key: str, reason: str, retry_after: float | None = None) -> None:
        self.paused.add(key)
        log.error("sending is paused and will be tried again: %s: %s", key, reason)
        retry_database(lambda: Pause.objects.begin(key, reason, retry_after))

    def _add_result(self, result: SendResult) -> None:
        self.results.append(result)
        # Anybody can request letters to addresses that do not exist, so a refused letter says nothing about the channel.
        self.tried += not self.is_letter
        if result.error:
            self._handle_error(self._batch_of(result.delivery_id), result.delivery_id, result.error)
        if self.records_each:
            self._record()
        else:
            self._record_when_due()

    def _handle_error(self, batch: Batch, delivery_id: int, error: DeliveryError) -> None:
        if self._counts_as_refused(error, is_probe=batch.is_probe):
            self.refused += 1
            self._pause_when_most_are_refused(REFUSED_LEAST, str(error))
        if error.pause:
            self._pause(self._pause_key(batch.recipients[delivery_id]), str(error), error.retry_after)

    def _counts_as_refused(self, error: DeliveryError, *, is_probe: bool) -> bool:
        """Whether an error counts towards a pause of the channel.

        A temporary refusal, as greylisting gives, is about one address or its host, and that delivery is tried again.
        During a probe any refusal means that the channel does not work yet.
        """
        if error.skip or error.pause or self.is_letter:
            return False
        return error.permanent or is_probe

    def _record_when_due(self) -> None:
        if time.monotonic() >= self.next_record:
            self._record()

    def _record(self) -> None:
        for batch in self.batches:
            finished = [each for each in self.results if each.delivery_id in batch.recipients]
            if batch.is_probe:
                self._end_pauses(batch, finished)
            if finished:
                self.counts += retry_database(partial(recording.record, batch, finished))
        self.results = []
        now = time.monotonic()
        self.next_record = now + RECORD_EVERY_SECONDS
        # A renewal writes every remaining row, so it is rare, but it comes well before the lease ends.
        if now >= self.next_renewal:
            for batch in self.batches:
                retry_database(partial(recording.renew, batch))
            self.next_renewal = now + settings.DELIVERY_LEASE_SECONDS / 4

    def _end_pauses(self, batch: Batch, finished: list[SendResult]) -> None:
        sent = [batch.recipients[each.delivery_id] for each in finished if each.error is None]
        ended, _ = retry_database(Pause.objects.filter(key__in={self._pause_key(each) for each in sent}).delete)
        if ended:
            log.info("sending works again, the pause has ended: %s", self.kind)
