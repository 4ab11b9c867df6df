"""Claim a batch, act, record: the three steps by which workers share the ledger without meeting.

A claim gives each row a fresh `claimed_by` and a lease, in database time. Recording is fenced by it:
a worker that was away longer than its lease finds its rows taken and changes nothing.
"""

import logging
import os
import secrets
import socket
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import BooleanField, ExpressionWrapper, F, Max, OuterRef, Q, Subquery
from django.db.models.functions import Now
from django.utils import timezone

from delivery import registry
from delivery.contract import DeliveryError, Outcome, Recipient
from delivery.ledger import rates, retry
from delivery.ledger.patience import patiently
from delivery.models import Account, Delivery, Notice, Pause
from delivery.models.deliveries import DeliveryQuerySet
from subscribers.models import Subscriber, Suppression, address_hash

log = logging.getLogger(__name__)
State = Delivery.State
# How many rows try whether a paused channel works again.
PROBE_SIZE = 5
# Who was out of reach for longer hears how things stand now, not the whole story at once.
OVERTAKEN_AFTER = timedelta(hours=1)
LOST = "the worker was lost before it could say what became of this"


@dataclass
class Batch:
    """Rows of one channel that one worker holds, grouped by notice, longest due first."""

    channel: str
    token: str
    recipients: dict[int, Recipient] = field(default_factory=dict)
    """By delivery id: those still to be recorded."""
    work: list[tuple[Notice, list[Recipient]]] = field(default_factory=list)
    is_probe: bool = False
    """A pause stands, and this batch tries whether it can end."""


def claim(channel: str, size: int) -> Batch | None:
    """Take up to `size` due rows of a channel; None when nothing is due.

    Rows that must not be sent any more (left, suppressed, cancelled, too old) are recorded as such and
    are not in the batch, which may therefore be empty.
    """
    paused = set(Pause.objects.values_list("key", flat=True))
    batch = Batch(channel, token=_token())
    rows = _take(channel, min(size, PROBE_SIZE) if channel in paused else size, batch.token)
    if not rows:
        return None
    try:
        _load(batch, rows)
        limited = [each for notice, recipients in batch.work if not notice.heartbeat for each in recipients]
        _postpone(batch, rates.hold_back(channel, registry.load(channel), limited))
    except OperationalError:
        connection.close()
        # Nobody was told; when the lease ends that would not be known.
        patiently(lambda: release(batch, [row.pk for row in rows]))
        raise
    batch.is_probe = not paused.isdisjoint({channel} | {each.address for each in batch.recipients.values()})
    return batch


def _token() -> str:
    """Names the machine and the process for whoever looks into it; at most 64 characters."""
    return f"{socket.gethostname()[:38]}-{os.getpid()}-{secrets.token_hex(8)}"


class _Row(NamedTuple):
    """What is read of a delivery as it is claimed. No model instances: they would cost more than sending."""

    pk: int
    notice_id: int
    channel: str
    address: str
    account_id: int | None
    attempts: int
    """Without the one that begins."""
    ambiguous: bool
    is_late: bool
    is_too_old: bool
    subscriber_code: str | None
    subscriber_state: str | None


def _take(channel: str, size: int, token: str) -> list[_Row]:
    """The rows now held, longest due first. PostgreSQL steps over rows that others are taking; SQLite ignores the
    lock but lets one transaction write at a time. On both, the state in the UPDATE decides."""
    with transaction.atomic():
        due = Delivery.objects.due(channel).select_for_update(skip_locked=True)
        rows = [_Row(*values) for values in _columns_read(due, channel)[:size]]
        ids = {row.pk for row in rows}
        held = Delivery.objects.pending().filter(pk__any_of=ids)
        taken = held.update(
            state=State.SENDING, attempts=F("attempts") + 1, claimed_by=token, lease_until=Now() + _lease()
        )
        if taken != len(ids):
            ours = Delivery.objects.filter(pk__any_of=ids, claimed_by=token)
            ids = set(ours.values_list("pk", flat=True))
    return [row for row in rows if row.pk in ids]


def _columns_read(due: DeliveryQuerySet, channel: str) -> Any:
    """The columns of a _Row. What is asked of the subscriber are subqueries: PostgreSQL locks no outer join."""
    now = timezone.now()
    subscriber = Subscriber.objects.filter(pk=OuterRef("subscriber_id"))
    return due.annotate(
        is_late=_waiting_since(now - OVERTAKEN_AFTER),
        is_too_old=_waiting_since(now - registry.load(channel).max_age),
        subscriber_code=Subquery(subscriber.values("code")),
        subscriber_state=Subquery(subscriber.values("state")),
    ).values_list(*_Row._fields)


def _waiting_since(moment: datetime) -> Any:
    """Whether a row began to wait before that moment; for the database, because reading times costs more."""
    return ExpressionWrapper(Q(queued_at__lt=moment), output_field=BooleanField())


def _lease() -> timedelta:
    return timedelta(seconds=settings.DELIVERY_LEASE_SECONDS)


def _load(batch: Batch, rows: list[_Row]) -> None:
    """Fill the batch with what channels need, in a few queries whatever its size."""
    notices = Notice.objects.select_related("page").in_bulk({row.notice_id for row in rows})
    accounts = Account.objects.in_bulk({row.account_id for row in rows if row.account_id})
    suppressed = Suppression.objects.among(batch.channel, [row.address for row in rows if not row.account_id])
    overtaken = _overtaken(batch.channel, rows, notices)
    refused: list[Outcome] = []
    grouped: dict[int, list[Recipient]] = defaultdict(list)
    for row in rows:
        account = accounts.get(row.account_id or 0)
        recipient = Recipient(
            delivery_id=row.pk,
            address=row.address,
            subscriber_code=row.subscriber_code or "",
            account=account,
            attempts=row.attempts + 1,
            ambiguous=row.ambiguous,
        )
        batch.recipients[row.pk] = recipient
        error = _objection(row, notices[row.notice_id], account, suppressed)
        if error is None and row.pk in overtaken:
            error = DeliveryError("overtaken by a newer update", skip=True)
        if error:
            refused.append(Outcome(row.pk, error))
        else:
            grouped[row.notice_id].append(recipient)
    batch.work = [(notices[notice_id], recipients) for notice_id, recipients in grouped.items()]
    if refused:
        record(batch, refused)


def _objection(row: _Row, notice: Notice, account: Account | None, suppressed: set[str]) -> DeliveryError | None:
    """Why a claimed row must not be sent after all; asked at the last moment, because people leave."""
    if notice.cancelled_at:
        return DeliveryError("cancelled by staff", skip=True)
    if account is None and row.subscriber_state is None:
        return DeliveryError("deleted", skip=True)
    if row.subscriber_state not in (None, Subscriber.State.ACTIVE):
        return DeliveryError("unsubscribed", skip=True)
    if account and not account.enabled:
        return DeliveryError("account switched off", skip=True)
    if row.address in suppressed:
        return DeliveryError("the address is on the suppression list", skip=True)
    if row.is_too_old:
        hours = registry.load(row.channel).max_age / timedelta(hours=1)
        return DeliveryError(f"not sent within {hours:.0f} hours", permanent=True)
    return None


def _overtaken(channel: str, rows: list[_Row], notices: dict[int, Notice]) -> set[int]:
    """Rows that have waited for over an hour while their address got, or is about to get, a newer update of
    the same incident.

    The first post on an account counts only when a newer one is out already: until then the others would
    have nothing to reply to.
    """
    late = [row for row in rows if row.is_late]
    if not late:
        return set()
    threads = {notices[row.notice_id].thread for row in late}
    told = Delivery.objects.filter(
        channel=channel,
        notice__thread__in=threads,
        notice__cancelled_at=None,
        state__in=(*Delivery.WAITING, State.SENT),
    )
    newest = (
        told.filter(address__any_of={row.address for row in late})
        .values_list("notice__thread", "address")
        .annotate(newest=Max("notice_id"), newest_sent=Max("notice_id", filter=Q(state=State.SENT)))
        .order_by()
    )
    latest = {(thread, address): notice_ids for thread, address, *notice_ids in newest}

    def is_overtaken(row: _Row) -> bool:
        notice = notices[row.notice_id]
        coming, sent = latest.get((notice.thread, row.address), (0, 0))
        begins_thread = row.account_id is not None and notice.stage == Notice.Stage.FIRST
        return ((sent or 0) if begins_thread else coming) > notice.pk

    return {row.pk for row in late if is_overtaken(row)}


def record(batch: Batch, outcomes: Iterable[Outcome]) -> Counter[str]:
    """Write down what became of rows: one UPDATE for each different verdict. Counts by state.

    Rows that are no longer held by this batch stay as they are.
    """
    channel = registry.load(batch.channel)
    verdicts: dict[tuple[retry.Verdict, str], list[int]] = defaultdict(list)
    gone: list[str] = []
    for outcome in outcomes:
        recipient = batch.recipients[outcome.delivery_id]
        verdict = retry.judge(channel, outcome.error, recipient.attempts, was_ambiguous=recipient.ambiguous)
        verdicts[verdict, outcome.remote_id].append(outcome.delivery_id)
        if outcome.error and outcome.error.gone:
            gone.append(recipient.address)
    counts: Counter[str] = Counter()
    with transaction.atomic():
        for (verdict, remote_id), ids in verdicts.items():
            counts[verdict.state] += _held(batch, ids).update(**_columns(verdict, remote_id))
        _suppress(batch.channel, gone)
    recorded = [delivery_id for ids in verdicts.values() for delivery_id in ids]
    if lost := len(recorded) - counts.total():
        log.warning("rows were taken over by another worker: channel=%s rows=%d", batch.channel, lost)
    for delivery_id in recorded:
        del batch.recipients[delivery_id]
    return counts


def _postpone(batch: Batch, turns: Mapping[int, datetime]) -> None:
    """Give rows back untried, each until the second in which it has its turn."""
    seconds: dict[datetime, list[int]] = defaultdict(list)
    for delivery_id, turn in turns.items():
        seconds[turn.replace(microsecond=0) + timedelta(seconds=1)].append(delivery_id)
    for second, ids in seconds.items():
        release(batch, ids, next_attempt_at=second)
    if turns:
        batch.work = [
            (notice, [each for each in recipients if each.delivery_id not in turns])
            for notice, recipients in batch.work
        ]


def release(batch: Batch, delivery_ids: Iterable[int], **columns: Any) -> None:
    """Give rows back untried, with their attempt. Those that are not held stay as they are."""
    ids = list(delivery_ids)
    _held(batch, ids).update(
        state=State.PENDING, attempts=F("attempts") - 1, claimed_by="", lease_until=None, **columns
    )
    for delivery_id in ids:
        batch.recipients.pop(delivery_id, None)


def renew(batch: Batch) -> None:
    """Prolong the lease of what is still held."""
    _held(batch, batch.recipients).update(lease_until=Now() + _lease())


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
    with transaction.atomic():
        lost = Delivery.objects.expired().filter(channel=kind).select_for_update(skip_locked=True)
        ids = list(lost.values_list("pk", flat=True))
        if not ids:
            return 0
        lost = Delivery.objects.filter(pk__any_of=ids, state=State.SENDING)
        given_up = lost.filter(attempts__gte=last_attempt).update(
            state=State.UNKNOWN, ambiguous=True, error=LOST, claimed_by="", lease_until=None
        )
        return given_up + lost.update(
            state=State.PENDING, ambiguous=True, error=LOST, claimed_by="", lease_until=None, next_attempt_at=Now()
        )


def _held(batch: Batch, ids: Iterable[int]) -> DeliveryQuerySet:
    return Delivery.objects.filter(pk__any_of=set(ids), claimed_by=batch.token, state=State.SENDING)


def _columns(verdict: retry.Verdict, remote_id: str) -> dict[str, Any]:
    """The columns that a verdict sets."""
    columns: dict[str, Any] = {"state": verdict.state, "error": verdict.error, "claimed_by": "", "lease_until": None}
    if verdict.state == State.SENT:
        columns |= {"sent_at": Now(), "remote_id": remote_id}
    if verdict.state == State.PENDING:
        columns["next_attempt_at"] = Now() + timedelta(seconds=verdict.wait_seconds)
    if not verdict.counts:
        columns["attempts"] = F("attempts") - 1
    if verdict.ambiguous:
        columns["ambiguous"] = True
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
