"""What becomes of claimed rows: recorded, given back, or taken from a worker that was lost.

Every change is fenced by the claim: a worker that was away longer than its lease finds its rows taken and changes
nothing.
"""

import json
import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now

from delivery import registry
from delivery.contract import Outcome, Recipient, Remote
from delivery.ledger import moves, retry
from delivery.ledger.moves import Change
from delivery.models import Delivery, Notice
from delivery.models.deliveries import DeliveryQuerySet
from subscribers.models import Suppression, address_hash

log = logging.getLogger(__name__)
State = Delivery.State
LOST = "the worker was lost before it could say what became of this"


@dataclass
class Batch:
    """Rows of one channel that one worker holds, grouped by notice, longest due first."""

    channel: str
    token: str
    rows: Mapping[int, moves.Standing] = field(default_factory=dict)
    """By delivery id: how each stood when it was claimed."""
    recipients: dict[int, Recipient] = field(default_factory=dict)
    """By delivery id: those still to be recorded."""
    work: list[tuple[Notice, list[Recipient]]] = field(default_factory=list)
    is_probe: bool = False
    """A pause stands, and this batch tries whether it can end."""


def record(batch: Batch, outcomes: Iterable[Outcome]) -> Counter[str]:
    """Write down what became of rows: one UPDATE for each different verdict. Counts by state.

    Rows that are no longer held by this batch stay as they are.
    """
    channel = registry.load(batch.channel)
    verdicts: dict[tuple[retry.Verdict, str], list[int]] = defaultdict(list)  # ids of the other side as JSON
    gone: list[str] = []
    handed_over = verdicts[retry.HANDED_OVER, "{}"]  # mostly all of them, of which there is nothing to judge
    for outcome in outcomes:
        if outcome.error is None and not outcome.remote:
            handed_over.append(outcome.delivery_id)
            continue
        recipient = batch.recipients[outcome.delivery_id]
        verdict = retry.judge(channel, outcome.error, recipient.attempts, was_ambiguous=recipient.ambiguous)
        verdicts[verdict, json.dumps(outcome.remote) if outcome.remote else "{}"].append(outcome.delivery_id)
        if outcome.error and outcome.error.gone:
            gone.append(recipient.address)
    counts: Counter[str] = Counter()
    with moves.moving() as recording:
        for (verdict, remote), ids in verdicts.items():
            change = Change(verdict.state, verdict.error, True if verdict.counts else None, verdict.ambiguous)
            columns = _columns(verdict, json.loads(remote))
            counts[verdict.state] += len(recording.move(batch.rows, ids, _held(batch), change, **columns))
        if gone:
            _suppress(batch.channel, gone)
    recorded = [delivery_id for ids in verdicts.values() for delivery_id in ids]
    _warn_of_rows_taken(batch, len(recorded) - counts.total())
    for delivery_id in recorded:
        del batch.recipients[delivery_id]
    return counts


def _warn_of_rows_taken(batch: Batch, count: int) -> None:
    if count:
        log.warning("rows were taken over by another worker: channel=%s rows=%d", batch.channel, count)


def release(batch: Batch, delivery_ids: Iterable[int], **columns: Any) -> None:
    """Give rows back untried, with their attempt. Those that are not held stay as they are."""
    ids = list(delivery_ids)
    columns["attempts"] = F("attempts") - 1
    with moves.moving() as releasing:
        released = releasing.move(batch.rows, ids, _held(batch), Change(State.PENDING), **columns)
    _warn_of_rows_taken(batch, len(ids) - len(released))
    for delivery_id in ids:
        batch.recipients.pop(delivery_id, None)


def renew(batch: Batch) -> None:
    """Prolong the lease of what is still held."""
    _held(batch).filter(pk__any_of=set(batch.recipients)).update(lease_until=Now() + lease(batch.channel))


def release_expired() -> int:
    """Put rows of workers that died or hang back in the queue; how many.

    They may have been sent, so they are marked ambiguous; where a repeat would be worse than silence,
    or after the last attempt, they end as unknown, for staff to decide.
    """
    released = sum(_release_expired(kind) for kind in registry.CHANNELS)
    if released:
        log.warning("deliveries of lost workers released: rows=%d", released)
    return released


def _release_expired(kind: str) -> int:
    """A worker that hangs in the middle of a transaction locks its rows: those are stepped over, else the sweep
    would hang with it. PostgreSQL ends such a transaction after a minute (statuspage/environment.py)."""
    channel = registry.load(kind)
    last_attempt = channel.max_attempts if channel.resend_ambiguous else 0
    sending = Delivery.objects.filter(state=State.SENDING)
    with moves.moving() as releasing:
        expired = Delivery.objects.expired().filter(channel=kind).select_for_update(skip_locked=True)
        lost = moves.read(expired)
        over = {pk for pk, row in lost.items() if row.tries + 1 >= last_attempt}
        releasing.move(lost, over, sending, Change(State.UNKNOWN, LOST, ambiguous=True))
        again = Change(State.PENDING, LOST, is_retrying=True, ambiguous=True)
        releasing.move(lost, lost.keys() - over, sending, again, next_attempt_at=Now())
    return len(lost)


def _held(batch: Batch) -> DeliveryQuerySet:
    return Delivery.objects.filter(claimed_by=batch.token, state=State.SENDING)


def _columns(verdict: retry.Verdict, remote: Remote) -> dict[str, Any]:
    """What a verdict writes that no receipt counts."""
    columns: dict[str, Any] = {}
    if verdict.state == State.SENT:
        columns |= {"sent_at": Now(), "remote": remote}
    if verdict.state == State.PENDING:
        columns["next_attempt_at"] = Now() + timedelta(seconds=verdict.wait_seconds)
    if not verdict.counts:
        columns["attempts"] = F("attempts") - 1
    return columns


def _suppress(channel: str, addresses: list[str]) -> None:
    """Never write again to addresses that do not exist."""
    Suppression.objects.bulk_create(
        [
            Suppression(
                channel=channel, address_hash=address_hash(channel, each), reason=Suppression.Reason.HARD_BOUNCE
            )
            for each in addresses
        ],
        ignore_conflicts=True,
    )


def lease(kind: str) -> timedelta:
    """How long a sender may be silent about rows of a channel."""
    return timedelta(seconds=max(settings.DELIVERY_LEASE_SECONDS, 2 * registry.load(kind).seconds_each))
