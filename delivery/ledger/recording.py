"""Ending a claim: recording results, releasing rows untried, and releasing the rows of lost workers.

Every change is fenced by the claim: a worker that returns after its lease has ended changes nothing, because its rows
belong to nobody or to another worker.
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
from delivery.contract import Recipient, Remote, SendResult
from delivery.ledger import moves, retry
from delivery.ledger.moves import Change
from delivery.models import Delivery, Notice
from delivery.models.deliveries import DeliveryQuerySet
from subscribers.models import Suppression, address_hash

log = logging.getLogger(__name__)
State = Delivery.State
LOST = "the worker was lost before it recorded a result"


@dataclass
class Batch:
    """Rows of one channel that one worker has claimed, grouped by notice, longest due first."""

    channel: str
    token: str
    rows: Mapping[int, moves.RowValues] = field(default_factory=dict)
    """By delivery id: the columns of each before it was claimed."""
    recipients: dict[int, Recipient] = field(default_factory=dict)
    """By delivery id: those without a recorded result."""
    work: list[tuple[Notice, list[Recipient]]] = field(default_factory=list)
    is_probe: bool = False
    """This batch tries whether a paused channel or account works again."""


def record(batch: Batch, results: Iterable[SendResult]) -> Counter[str]:
    """Record results with one UPDATE for each distinct verdict; returns counts by state.

    Rows that this batch no longer holds are not changed.
    """
    channel = registry.load(batch.channel)
    verdicts: dict[tuple[retry.Verdict, str], list[int]] = defaultdict(list)  # ids of the other side as JSON
    gone: list[str] = []
    handed_over = verdicts[retry.HANDED_OVER, "{}"]  # usually all of them, and these need no verdict
    for result in results:
        if result.error is None and not result.remote:
            handed_over.append(result.delivery_id)
            continue
        recipient = batch.recipients[result.delivery_id]
        verdict = retry.judge(channel, result.error, recipient.attempts, was_ambiguous=recipient.ambiguous)
        verdicts[verdict, json.dumps(result.remote) if result.remote else "{}"].append(result.delivery_id)
        if result.error and result.error.gone:
            gone.append(recipient.address)
    counts: Counter[str] = Counter()
    with moves.moving() as changes:
        for (verdict, remote), ids in verdicts.items():
            change = Change(verdict.state, verdict.error, True if verdict.counts else None, verdict.ambiguous)
            columns = _columns(verdict, json.loads(remote))
            counts[verdict.state] += len(changes.move(batch.rows, ids, _held(batch), change, **columns))
        if gone:
            _suppress(batch.channel, gone)
    recorded = [delivery_id for ids in verdicts.values() for delivery_id in ids]
    _warn_of_rows_taken(batch, len(recorded) - counts.total())
    for delivery_id in recorded:
        del batch.recipients[delivery_id]
    return counts


def _warn_of_rows_taken(batch: Batch, count: int) -> None:
    if count:
        log.warning(
            "results came after the lease had ended and were not recorded: channel=%s rows=%d", batch.channel, count
        )


def release(batch: Batch, delivery_ids: Iterable[int], **columns: Any) -> None:
    """Return rows to pending untried; the attempt is not counted. Rows that this batch no longer holds stay."""
    ids = list(delivery_ids)
    columns["attempts"] = F("attempts") - 1
    with moves.moving() as releasing:
        released = releasing.move(batch.rows, ids, _held(batch), Change(State.PENDING), **columns)
    _warn_of_rows_taken(batch, len(ids) - len(released))
    for delivery_id in ids:
        batch.recipients.pop(delivery_id, None)


def renew(batch: Batch) -> None:
    """Prolong the lease of the rows without a recorded result."""
    _held(batch).filter(pk__any_of=set(batch.recipients)).update(lease_until=Now() + lease(batch.channel))


def release_expired() -> int:
    """Return rows whose lease has ended, because their worker died or hangs, to pending; returns how many.

    They may have been sent, so they are marked ambiguous. After the last attempt, or on a channel with
    `resend_ambiguous = False`, they become unknown, and staff decide.
    """
    released = sum(_release_expired(kind) for kind in registry.CHANNELS)
    if released:
        log.warning("deliveries of lost workers released: rows=%d", released)
    return released


def _release_expired(kind: str) -> int:
    """Skips locked rows: a worker that hangs in a transaction holds their locks, and the sweep would hang with it.
    PostgreSQL ends such a transaction after a minute (statuspage/environment.py)."""
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
    """The columns that a verdict writes beside the state; receipts do not count them."""
    columns: dict[str, Any] = {}
    if verdict.state == State.SENT:
        columns |= {"sent_at": Now(), "remote": remote}
    if verdict.state == State.PENDING:
        columns["next_attempt_at"] = Now() + timedelta(seconds=verdict.wait_seconds)
    if not verdict.counts:
        columns["attempts"] = F("attempts") - 1
    return columns


def _suppress(channel: str, addresses: list[str]) -> None:
    """Add addresses that do not exist to the suppression list."""
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
    """How long a claim on rows of a channel lasts unless it is renewed."""
    return timedelta(seconds=max(settings.DELIVERY_LEASE_SECONDS, 2 * registry.load(kind).seconds_each))
