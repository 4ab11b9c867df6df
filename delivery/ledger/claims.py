"""Claiming a batch of due rows, so that no two workers send the same one.

A claim gives each row a new `claimed_by` and a lease in database time. recording.py ends it.
"""

import logging
import os
import secrets
import socket
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import OperationalError, connection
from django.db.models import BooleanField, ExpressionWrapper, F, Max, OuterRef, Q, Subquery, Value
from django.db.models.functions import Concat, Now
from django.utils import timezone

from delivery import registry
from delivery.contract import DeliveryError, Recipient, SendResult
from delivery.ledger import moves, rates, recording
from delivery.ledger.database_retry import retry_database
from delivery.ledger.moves import Change
from delivery.ledger.order import due_notices
from delivery.ledger.recording import Batch, lease
from delivery.models import Account, Delivery, Notice, Pause
from delivery.models.deliveries import DeliveryQuerySet
from subscribers.models import Subscriber, Suppression

log = logging.getLogger(__name__)
State = Delivery.State
# How many rows a probe of a paused channel sends.
PROBE_SIZE = 5
# The most heartbeats and letters in one claim: the letters of a flood of sign-ups must not delay an outage's notice.
AHEAD_SIZE = 10
NOBODY = "  "
# An address that could not be reached for longer gets the newest update only, not all of them at once.
OVERTAKEN_AFTER = timedelta(hours=1)


def claim(channel: str, size: int) -> Batch | None:
    """Take up to `size` due rows of a channel; None when nothing is due.

    Rows that must not be sent any more (unsubscribed, suppressed, cancelled, too old) are recorded as such and left out
    of the batch, which may therefore be empty.
    """
    paused = Pause.objects.by_key()
    batch = Batch(channel, token=_token())
    closed = [key for key, is_closed in paused.items() if is_closed]
    rows = _take(batch, min(size, PROBE_SIZE) if channel in paused else size, closed)
    if not rows:
        return None
    try:
        _load(batch, rows)
        limited = [each for notice, recipients in batch.work if not notice.is_heartbeat for each in recipients]
        _postpone(batch, rates.take_shared(channel, registry.load(channel), limited))
    except OperationalError:
        connection.close()
        # Release the rows now: when their lease expires, nobody can know that these messages were never sent.
        retry_database(lambda: recording.release(batch, [row.pk for row in rows]))
        raise
    batch.is_probe = not paused.keys().isdisjoint({channel} | {each.address for each in batch.recipients.values()})
    return batch


class _ClaimedRow(NamedTuple):
    """The columns read of a delivery when it is claimed. A model instance would cost more time than sending does."""

    pk: int
    notice_id: int
    channel: str
    state: str
    error: str
    tries: int
    """Failed attempts, without the one that begins now."""
    ambiguous: bool
    again: bool
    address: str
    account_id: int | None
    is_late: bool
    is_too_old: bool
    person: str | None
    """The subscriber's state, code and language, separated by blanks; None when there is no such subscriber."""


def _take(batch: Batch, size: int, closed: list[str]) -> list[_ClaimedRow]:
    """Claim the rows and return them, in the order of order.py.

    PostgreSQL skips rows that other workers have locked. SQLite ignores the lock but runs one writer at a time. On both,
    the condition on `state` in the UPDATE decides.
    """
    with moves.moving() as taking:
        due = Delivery.objects.due(batch.channel, closed).select_for_update(skip_locked=True)
        rows = _read_due(due, batch.channel, size)
        found = {row.pk: row for row in rows}
        claim = {"attempts": F("attempts") + 1, "claimed_by": batch.token, "lease_until": Now() + lease(batch.channel)}
        taken = taking.move(found, found, Delivery.objects.pending(), Change(State.SENDING), **claim)
    batch.rows = found
    return rows if len(taken) == len(rows) else [row for row in rows if row.pk in taken]


def _read_due(due: DeliveryQuerySet, channel: str, size: int) -> list[_ClaimedRow]:
    """Up to `size` rows, locked."""
    columns = _columns_read(due, channel)
    # Usually there are none, and a query for ids alone is quicker. A range of ranks, unlike a list, uses the index's order.
    one_by_one = due.filter(rank__lt=Delivery.Rank.SUBSCRIBER).exclude(rank=Delivery.Rank.ACCOUNT)
    ranks = dict(one_by_one.values_list("pk", "rank")[: min(size, AHEAD_SIZE)])
    rows: dict[int, list[_ClaimedRow]] = defaultdict(list)
    for values in columns.filter(pk__any_of=set(ranks)) if ranks else ():
        rows[ranks[values[0]]].append(_ClaimedRow(*values))
    room = size - len(ranks)
    for rank, notice_id in due_notices(channel):
        if not room:
            break
        found = [_ClaimedRow(*values) for values in columns.filter(rank=rank, notice=notice_id)[:room]]
        rows[rank] += found
        room -= len(found)
    return [row for rank in sorted(rows) for row in rows[rank]]


def _columns_read(due: DeliveryQuerySet, channel: str) -> Any:
    """The query for the columns of a _ClaimedRow. The subscriber's columns come from one subquery, because PostgreSQL
    cannot lock rows of an outer join and each further subquery costs as much again."""
    now = timezone.now()
    subscriber = Subscriber.objects.filter(pk=OuterRef("subscriber_id"))
    return due.annotate(
        tries=F("attempts"),
        is_late=_waiting_since(now - OVERTAKEN_AFTER),
        is_too_old=_waiting_since(now - registry.load(channel).max_age),
        person=Subquery(subscriber.values(all=Concat("state", Value(" "), "code", Value(" "), "language"))),
    ).values_list(*_ClaimedRow._fields)


def _waiting_since(moment: datetime) -> Any:
    """Whether a row was queued before that moment. The database compares, because to read the times costs more."""
    return ExpressionWrapper(Q(queued_at__lt=moment), output_field=BooleanField())


def _load(batch: Batch, rows: list[_ClaimedRow]) -> None:
    """Fill the batch with its notices and recipients, in a number of queries that does not depend on its size."""
    notices = Notice.objects.select_related("page").in_bulk({row.notice_id for row in rows})
    accounts = Account.objects.in_bulk({row.account_id for row in rows if row.account_id})
    suppressed = Suppression.objects.among(batch.channel, [row.address for row in rows if not row.account_id])
    overtaken = _overtaken(batch.channel, rows, notices)
    groups = _groups(notices)
    refused: list[SendResult] = []
    grouped: dict[int, list[Recipient]] = defaultdict(list)
    for row in rows:
        account = accounts.get(row.account_id or 0)
        state, code, language = (row.person or NOBODY).split(" ")
        recipient = Recipient(
            delivery_id=row.pk,
            address=row.address,
            subscriber_code=code,
            language=language,
            account=account,
            attempts=row.tries + 1,
            ambiguous=row.ambiguous,
        )
        batch.recipients[row.pk] = recipient
        error = _objection(row, state, notices[row.notice_id], account, suppressed)
        if error is None and row.pk in overtaken:
            error = DeliveryError("overtaken by a newer update", skip=True)
        if error:
            refused.append(SendResult(row.pk, error))
        else:
            grouped[groups[row.notice_id]].append(recipient)
    batch.work = [(notices[group], recipients) for group, recipients in grouped.items()]
    if refused:
        recording.record(batch, refused)


def _groups(notices: dict[int, Notice]) -> dict[int, int]:
    """By notice, the notice that stands for its group when the channel sends.

    Letters of one page and kind form a group, so that a channel can send several at once although each is a notice of
    its own; the channel writes a letter from its recipient. Any other notice is its own group.
    """
    first: dict[tuple[int, str], int] = {}
    same = {pk: (each.page_id, each.letter) for pk, each in notices.items() if each.is_letter}
    return {pk: first.setdefault(same[pk], pk) if pk in same else pk for pk in notices}


def _objection(
    row: _ClaimedRow, subscriber_state: str, notice: Notice, account: Account | None, suppressed: set[str]
) -> DeliveryError | None:
    """Why a claimed row must not be sent; None if it may. Checked this late because people unsubscribe meanwhile."""
    if notice.cancelled_at:
        return DeliveryError("cancelled by staff", skip=True)
    if account is None and not subscriber_state and not notice.letter:
        return DeliveryError("deleted", skip=True)
    if subscriber_state not in ("", Subscriber.State.ACTIVE) and not notice.is_letter:
        return DeliveryError("unsubscribed", skip=True)
    if account and not account.enabled:
        return DeliveryError("account switched off", skip=True)
    if row.address in suppressed:
        return DeliveryError("the address is on the suppression list", skip=True)
    if row.is_too_old:
        hours = registry.load(row.channel).max_age / timedelta(hours=1)
        return DeliveryError(f"not sent within {hours:.0f} hours", permanent=True)
    return None


def _overtaken(channel: str, rows: list[_ClaimedRow], notices: dict[int, Notice]) -> set[int]:
    """Rows that have waited longer than OVERTAKEN_AFTER while a newer update of the same incident was sent, or waits, to
    the same address.

    An account's first post of an incident is overtaken only by an update that was sent: the later posts reply to it.
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

    def is_overtaken(row: _ClaimedRow) -> bool:
        notice = notices[row.notice_id]
        coming, sent = latest.get((notice.thread, row.address), (0, 0))
        begins_thread = row.account_id is not None and notice.stage == Notice.Stage.FIRST
        return ((sent or 0) if begins_thread else coming) > notice.pk

    return {row.pk for row in late if is_overtaken(row)}


def _postpone(batch: Batch, booked: Mapping[int, datetime]) -> None:
    """Release rows over a limit untried, each until the second that rates.py has booked for it."""
    seconds: dict[datetime, list[int]] = defaultdict(list)
    for delivery_id, moment in booked.items():
        seconds[moment.replace(microsecond=0) + timedelta(seconds=1)].append(delivery_id)
    for second, ids in seconds.items():
        recording.release(batch, ids, next_attempt_at=second)
    if booked:
        batch.work = [
            (notice, [each for each in recipients if each.delivery_id not in booked])
            for notice, recipients in batch.work
        ]


def _token() -> str:
    """A value for `claimed_by` that names machine and process for diagnosis; at most 64 characters."""
    return f"{socket.gethostname()[:38]}-{os.getpid()}-{secrets.token_hex(8)}"
