"""Claiming a batch of due rows: the first of the three steps by which workers share the ledger without meeting.

A claim gives each row a fresh `claimed_by` and a lease, in database time. What becomes of the rows: outcomes.py.
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
from delivery.contract import DeliveryError, Outcome, Recipient
from delivery.ledger import moves, outcomes, rates
from delivery.ledger.moves import Change
from delivery.ledger.order import due_notices
from delivery.ledger.outcomes import Batch, lease
from delivery.ledger.patience import patiently
from delivery.models import Account, Delivery, Notice, Pause
from delivery.models.deliveries import DeliveryQuerySet
from subscribers.models import Subscriber, Suppression

log = logging.getLogger(__name__)
State = Delivery.State
# How many rows try whether a paused channel works again.
PROBE_SIZE = 5
# So many heartbeats and letters at most are in one claim: letters of a flood of sign-ups must not hold up an outage's
# notice.
AHEAD_SIZE = 10
NOBODY = "  "
# Who was out of reach for longer hears how things stand now, not the whole story at once.
OVERTAKEN_AFTER = timedelta(hours=1)


def claim(channel: str, size: int) -> Batch | None:
    """Take up to `size` due rows of a channel; None when nothing is due.

    Rows that must not be sent any more (left, suppressed, cancelled, too old) are recorded as such and
    are not in the batch, which may therefore be empty.
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
        _postpone(batch, rates.hold_back(channel, registry.load(channel), limited))
    except OperationalError:
        connection.close()
        # Given back now, because the next sender could not know that these messages were never sent.
        patiently(lambda: outcomes.release(batch, [row.pk for row in rows]))
        raise
    batch.is_probe = not paused.keys().isdisjoint({channel} | {each.address for each in batch.recipients.values()})
    return batch


class _Row(NamedTuple):
    """What is read of a delivery as it is claimed. No model instances: they would cost more than sending."""

    pk: int
    notice_id: int
    channel: str
    state: str
    error: str
    tries: int
    """Attempts that failed, without the one that begins."""
    ambiguous: bool
    again: bool
    address: str
    account_id: int | None
    is_late: bool
    is_too_old: bool
    person: str | None
    """The subscriber's state, code and language, with blanks between them; None when there is no such subscriber."""


def _take(batch: Batch, size: int, closed: list[str]) -> list[_Row]:
    """The rows now held, in the order of order.py. PostgreSQL steps over rows that others are taking; SQLite ignores the
    lock but lets one transaction write at a time. On both, the state in the UPDATE decides."""
    with moves.moving() as taking:
        due = Delivery.objects.due(batch.channel, closed).select_for_update(skip_locked=True)
        rows = _read_due(due, batch.channel, size)
        found = {row.pk: row for row in rows}
        claim = {"attempts": F("attempts") + 1, "claimed_by": batch.token, "lease_until": Now() + lease(batch.channel)}
        taken = taking.move(found, found, Delivery.objects.pending(), Change(State.SENDING), **claim)
    batch.rows = found
    return rows if len(taken) == len(rows) else [row for row in rows if row.pk in taken]


def _read_due(due: DeliveryQuerySet, channel: str, size: int) -> list[_Row]:
    """Up to `size` rows, locked."""
    columns = _columns_read(due, channel)
    # Mostly there are none, and looking for ids alone is quicker. A range of ranks, unlike a list, keeps the index's order.
    one_by_one = due.filter(rank__lt=Delivery.Rank.SUBSCRIBER).exclude(rank=Delivery.Rank.ACCOUNT)
    ranks = dict(one_by_one.values_list("pk", "rank")[: min(size, AHEAD_SIZE)])
    rows: dict[int, list[_Row]] = defaultdict(list)
    for values in columns.filter(pk__any_of=set(ranks)) if ranks else ():
        rows[ranks[values[0]]].append(_Row(*values))
    room = size - len(ranks)
    for rank, notice_id in due_notices(channel):
        if not room:
            break
        found = [_Row(*values) for values in columns.filter(rank=rank, notice=notice_id)[:room]]
        rows[rank] += found
        room -= len(found)
    return [row for rank in sorted(rows) for row in rows[rank]]


def _columns_read(due: DeliveryQuerySet, channel: str) -> Any:
    """The columns of a _Row. What is asked of the subscriber is one subquery: PostgreSQL locks no outer join, and a
    second one would cost as much again."""
    now = timezone.now()
    subscriber = Subscriber.objects.filter(pk=OuterRef("subscriber_id"))
    return due.annotate(
        tries=F("attempts"),
        is_late=_waiting_since(now - OVERTAKEN_AFTER),
        is_too_old=_waiting_since(now - registry.load(channel).max_age),
        person=Subquery(subscriber.values(all=Concat("state", Value(" "), "code", Value(" "), "language"))),
    ).values_list(*_Row._fields)


def _waiting_since(moment: datetime) -> Any:
    """Whether a row began to wait before that moment; for the database, because reading times costs more."""
    return ExpressionWrapper(Q(queued_at__lt=moment), output_field=BooleanField())


def _load(batch: Batch, rows: list[_Row]) -> None:
    """Fill the batch with what channels need, in a few queries whatever its size."""
    notices = Notice.objects.select_related("page").in_bulk({row.notice_id for row in rows})
    accounts = Account.objects.in_bulk({row.account_id for row in rows if row.account_id})
    suppressed = Suppression.objects.among(batch.channel, [row.address for row in rows if not row.account_id])
    overtaken = _overtaken(batch.channel, rows, notices)
    groups = _groups(notices)
    refused: list[Outcome] = []
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
            refused.append(Outcome(row.pk, error))
        else:
            grouped[groups[row.notice_id]].append(recipient)
    batch.work = [(notices[group], recipients) for group, recipients in grouped.items()]
    if refused:
        outcomes.record(batch, refused)


def _groups(notices: dict[int, Notice]) -> dict[int, int]:
    """Under which notice the channel gets the rows of each. Letters of one page and kind go together, so that a channel which
    can send several at once does; it takes what a letter says from its recipient."""
    first: dict[tuple[int, str], int] = {}
    same = {pk: (each.page_id, each.letter) for pk, each in notices.items() if each.is_letter}
    return {pk: first.setdefault(same[pk], pk) if pk in same else pk for pk in notices}


def _objection(
    row: _Row, subscriber_state: str, notice: Notice, account: Account | None, suppressed: set[str]
) -> DeliveryError | None:
    """Why a claimed row must not be sent after all; asked at the last moment, because people leave."""
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


def _postpone(batch: Batch, turns: Mapping[int, datetime]) -> None:
    """Give rows back untried, each until the second in which it has its turn."""
    seconds: dict[datetime, list[int]] = defaultdict(list)
    for delivery_id, turn in turns.items():
        seconds[turn.replace(microsecond=0) + timedelta(seconds=1)].append(delivery_id)
    for second, ids in seconds.items():
        outcomes.release(batch, ids, next_attempt_at=second)
    if turns:
        batch.work = [
            (notice, [each for each in recipients if each.delivery_id not in turns])
            for notice, recipients in batch.work
        ]


def _token() -> str:
    """Names the machine and the process for whoever looks into it; at most 64 characters."""
    return f"{socket.gethostname()[:38]}-{os.getpid()}-{secrets.token_hex(8)}"
