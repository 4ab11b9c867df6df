"""The only code that changes the state of deliveries: fenced, in bulk, with tallies in the same transaction.

When two changes compete for a row, the condition of the UPDATE decides, and only rows that it changed are tallied:

a sender records after its lease has ended           nothing changes, nothing is tallied
the sweep releases a row that was recorded already   nothing changes, nothing is tallied
staff cancel after a sender has claimed the row      the row is sent, and the sender tallies it
staff retry while a sender records                   rows that had ended when staff's query read them are retried
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from operator import itemgetter
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Case, F, Value, When
from django.db.models.sql import UpdateQuery

from delivery import registry
from delivery.models import Delivery, Tally
from delivery.models.deliveries import DeliveryQuerySet

State = Delivery.State
Outcome = Tally.Outcome
# Rows read and changed at once where their number is not known.
CHUNK = 5_000


class RowBefore(NamedTuple):
    """The columns of a delivery that receipts count, as they are before a change."""

    pk: int
    notice_id: int
    channel: str
    state: str
    error: str
    tries: int
    """Failed attempts, without the one that runs now."""
    ambiguous: bool
    again: bool


class Change(NamedTuple):
    """The new values of rows."""

    state: State
    error: str | None = None
    """None keeps the old one."""
    is_retrying: bool | None = None
    """Whether a pending row has a failed attempt behind it; None keeps the old value."""
    ambiguous: bool = False
    """True marks the row; False keeps the old mark."""

    @property
    def is_uncounted(self) -> bool:
        """Receipts do not count a claim, nor the release of an untried row: both leave it waiting."""
        return self == Change(self.state) and self.state in Delivery.WAITING


RowValues = tuple[Any, ...]
"""A RowBefore, or a longer tuple that begins with the same columns. A claim reads 500 of them, so none is converted."""
_Key = tuple[int, str, Outcome, str, bool]
_TALLIED = ("notice_id", "channel", "outcome", "reason", "is_timed", "count")
_INSERT = f"INSERT INTO {Tally._meta.db_table} ({', '.join(_TALLIED)})"
_UNLESS_ALL = "SELECT CASE WHEN COUNT(*) < %s THEN COALESCE(ARRAY_AGG(id), '{}') END FROM moved"
_without_pk = itemgetter(slice(1, len(RowBefore._fields)))


class Moves:
    """The state changes of one transaction, and the tallies to append at its end."""

    def __init__(self) -> None:
        self._counts: Counter[_Key] = Counter()

    def move(
        self,
        rows: Mapping[int, RowValues],
        ids: Iterable[int],
        held: DeliveryQuerySet,
        change: Change,
        **columns: Any,
    ) -> set[int]:
        """Apply `change` to those of `ids` that are still in `held`; returns the ids that changed.

        `rows`: by id, the values of each before the change. `columns`: further columns to write, which receipts do not
        count.
        """
        ids = set(ids)
        if not ids:
            return set()
        moved = _update(ids, held, _columns(change) | columns)
        if not change.is_uncounted:
            for standing, count in Counter(map(_without_pk, map(rows.__getitem__, moved))).items():
                self._tally(RowBefore(0, *standing), count, change)
        return moved

    def move_alike(self, rows: DeliveryQuerySet, row: RowBefore, change: Change) -> int:
        """Apply `change` to all of `rows` without reading them, since each has the values of `row`; returns how many."""
        count = rows.update(**_columns(change))
        self._tally(row, count, change)
        return count

    def count(self, notice_id: int, channel: str, outcome: Outcome, count: int, reason: str = "") -> None:
        self._counts[notice_id, channel, outcome, reason, False] += count

    def _tally(self, row: RowBefore, count: int, change: Change) -> None:
        """Count that `count` rows with the values of `row` got those of `change`."""
        before = _counted(row.channel, row.state, row.error, is_retrying=row.tries > 0, is_ambiguous=row.ambiguous)
        after = _counted(
            row.channel,
            change.state,
            row.error if change.error is None else change.error,
            is_retrying=row.tries > 0 if change.is_retrying is None else change.is_retrying,
            is_ambiguous=row.ambiguous or change.ambiguous,
        )
        for outcome, reason in before - after:
            self.count(row.notice_id, row.channel, outcome, -count, reason)
        if row.state not in Delivery.WAITING and change.state in Delivery.WAITING:
            self.count(row.notice_id, row.channel, Outcome.REQUEUED, count)
        for outcome, reason in after - before:
            is_timed = outcome == Outcome.SENT and not row.again
            self._counts[row.notice_id, row.channel, outcome, reason, is_timed] += count

    def append(self) -> None:
        """Insert one tally for each count that is not zero."""
        changed = [(*key, count) for key, count in self._counts.items() if count]
        if changed:
            values = ", ".join([f"({', '.join(['%s'] * len(_TALLIED))})"] * len(changed))
            with connection.cursor() as cursor:  # the ORM would take longer than the database does
                cursor.execute(f"{_INSERT} VALUES {values}", [value for row in changed for value in row])


@contextmanager
def moving() -> Iterator[Moves]:
    """Open a transaction; at its end the tallies of its state changes are appended."""
    with transaction.atomic():
        moves = Moves()
        yield moves
        moves.append()


def move_all(moves: Moves, rows: DeliveryQuerySet, change: Change, **columns: Any) -> int:
    """Apply `change` to all of `rows`, a query that must not match a row any more once it is changed; returns how many.

    Waits for rows that another transaction has locked, and checks them again afterwards.
    """
    total, last = 0, 0
    while chunk := read(rows.filter(pk__gt=last).order_by("pk").select_for_update(), CHUNK):
        total += len(moves.move(chunk, chunk, Delivery.objects.all(), change, **columns))
        last = max(chunk)
    return total


def read(rows: DeliveryQuerySet, most: int | None = None) -> dict[int, RowBefore]:
    """By id, the values of each row; at most `most` of them."""
    running = Case(When(state=State.SENDING, then=Value(1)), default=Value(0))
    found = rows.annotate(tries=F("attempts") - running).values_list(*RowBefore._fields)[:most]
    return {values[0]: RowBefore(*values) for values in found}


def _columns(change: Change) -> dict[str, Any]:
    columns: dict[str, Any] = {"state": change.state}
    if change.state != State.SENDING:
        columns |= {"claimed_by": "", "lease_until": None}
    if change.error is not None:
        columns["error"] = change.error
    if change.ambiguous:
        columns["ambiguous"] = True
    return columns


def _counted(
    channel: str, state: str, error: str, *, is_retrying: bool, is_ambiguous: bool
) -> set[tuple[Outcome, str]]:
    """The outcomes under which a receipt counts a row with these values, each with its reason."""
    counted: set[tuple[Outcome, str]] = set()
    if is_ambiguous:
        counted.add((Outcome.AMBIGUOUS, ""))
    if state == State.SENT:
        counted.add((Outcome.SENT, registry.load(channel).where() if channel in registry.CHANNELS else ""))
    elif state not in Delivery.WAITING:
        counted.add((Outcome(state), error))
    else:
        if error:
            counted.add((Outcome.TROUBLED, error))
        if is_retrying:
            counted.add((Outcome.RETRYING, ""))
    return counted


def _update(ids: set[int], rows: DeliveryQuerySet, columns: Mapping[str, Any]) -> set[int]:
    """Run UPDATE … RETURNING, which the ORM does not offer; returns those of `ids` that were in `rows` and changed."""
    query: Any = rows.filter(pk__any_of=ids).order_by().query.chain(UpdateQuery)  # as QuerySet.update does
    query.add_update_values(columns)
    statement, params = query.get_compiler(rows.db).as_sql()
    with connection.cursor() as cursor:
        # Usually all changed, and then their number is cheaper to read than their ids.
        if connection.vendor == "postgresql":
            cursor.execute(f"WITH moved AS ({statement} RETURNING id) {_UNLESS_ALL}", (*params, len(ids)))
            moved = cursor.fetchone()[0]
            return ids if moved is None else set(moved)
        cursor.execute(f"{statement} RETURNING id", params)
        return {pk for (pk,) in cursor.fetchall()}
