"""The one way in which deliveries change their state: fenced, in bulk, and tallied in the same transaction.

Where two of these meet, the UPDATE's own condition decides, and only rows that it changed are tallied:

a sender records, its lease has run out        nothing moves, nothing is tallied
the sweep takes back, the sender has recorded  nothing moves, nothing is tallied
staff cancel, a sender claims first            the row is sent, and tallied by the sender
staff try again, a sender records meanwhile    what ended before the look is put back, the rest is not
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
# Rows looked at and changed in one go where their number is not known.
CHUNK = 5_000


class Row(NamedTuple):
    """How a delivery stands before it is moved: what receipts count of it."""

    pk: int
    notice_id: int
    channel: str
    state: str
    error: str
    tries: int
    """Attempts that failed, without the one that runs."""
    ambiguous: bool
    again: bool


class Change(NamedTuple):
    """What becomes of rows."""

    state: State
    error: str | None = None
    """None leaves it as it is."""
    is_retrying: bool | None = None
    """Whether an attempt has failed, where the row waits again; None leaves that as it is."""
    ambiguous: bool = False
    """True marks the row; False leaves the mark as it is."""

    @property
    def is_uncounted(self) -> bool:
        """Claiming what waits and giving it back untried: no receipt changes."""
        return self == Change(self.state) and self.state in Delivery.WAITING


Standing = tuple[Any, ...]
"""A Row, or one with more behind it: a claim reads half a thousand of them at once."""
_Key = tuple[int, str, Outcome, str, bool]
_TALLIED = ("notice_id", "channel", "outcome", "reason", "is_timed", "count")
_INSERT = f"INSERT INTO {Tally._meta.db_table} ({', '.join(_TALLIED)})"
_UNLESS_ALL = "SELECT CASE WHEN COUNT(*) < %s THEN COALESCE(ARRAY_AGG(id), '{}') END FROM moved"
_without_pk = itemgetter(slice(1, len(Row._fields)))


class Moves:
    """The moves of one transaction, and what they add to the tallies."""

    def __init__(self) -> None:
        self._counts: Counter[_Key] = Counter()

    def move(
        self,
        rows: Mapping[int, Standing],
        ids: Iterable[int],
        held: DeliveryQuerySet,
        change: Change,
        **columns: Any,
    ) -> set[int]:
        """Change those of `ids` that still are among `held`; which those were.

        `rows`: how each stands. `columns`: what else to write, of what no receipt counts.
        """
        ids = set(ids)
        if not ids:
            return set()
        moved = _update(ids, held, _columns(change) | columns)
        if not change.is_uncounted:
            for standing, count in Counter(map(_without_pk, map(rows.__getitem__, moved))).items():
                self._tally(Row(0, *standing), count, change)
        return moved

    def move_alike(self, rows: DeliveryQuerySet, row: Row, change: Change) -> int:
        """Change all of `rows`, each of which stands like `row`: its ids are not even read; how many."""
        count = rows.update(**_columns(change))
        self._tally(row, count, change)
        return count

    def count(self, notice_id: int, channel: str, outcome: Outcome, count: int, reason: str = "") -> None:
        self._counts[notice_id, channel, outcome, reason, False] += count

    def _tally(self, row: Row, count: int, change: Change) -> None:
        """`count` rows that stood like this one have become what `change` says."""
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
        """Write down what has changed on balance, in as few rows as that takes."""
        changed = [(*key, count) for key, count in self._counts.items() if count]
        if changed:
            values = ", ".join([f"({', '.join(['%s'] * len(_TALLIED))})"] * len(changed))
            with connection.cursor() as cursor:  # the ORM takes longer than the database
                cursor.execute(f"{_INSERT} VALUES {values}", [value for row in changed for value in row])


@contextmanager
def moving() -> Iterator[Moves]:
    """One transaction; at its end the tallies of what was moved in it are appended."""
    with transaction.atomic():
        moves = Moves()
        yield moves
        moves.append()


def move_all(moves: Moves, rows: DeliveryQuerySet, change: Change, **columns: Any) -> int:
    """Change all of `rows`, which must no longer be among them once they are changed; how many.

    Rows that others hold are waited for, and looked at again then.
    """
    total, last = 0, 0
    while chunk := read(rows.filter(pk__gt=last).order_by("pk").select_for_update(), CHUNK):
        total += len(moves.move(chunk, chunk, Delivery.objects.all(), change, **columns))
        last = max(chunk)
    return total


def read(rows: DeliveryQuerySet, most: int | None = None) -> dict[int, Row]:
    """How each row stands, by id; `most` at once."""
    running = Case(When(state=State.SENDING, then=Value(1)), default=Value(0))
    found = rows.annotate(tries=F("attempts") - running).values_list(*Row._fields)[:most]
    return {values[0]: Row(*values) for values in found}


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
    """Under what a receipt counts such a row, with the reason."""
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
    """UPDATE … RETURNING, which the ORM does not offer: which of `ids` were among `rows`, and are changed."""
    query: Any = rows.filter(pk__any_of=ids).order_by().query.chain(UpdateQuery)  # as QuerySet.update does
    query.add_update_values(columns)
    statement, params = query.get_compiler(rows.db).as_sql()
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # mostly all of them are, and reading so many ids costs more than that
            cursor.execute(f"WITH moved AS ({statement} RETURNING id) {_UNLESS_ALL}", (*params, len(ids)))
            moved = cursor.fetchone()[0]
            return ids if moved is None else set(moved)
        cursor.execute(f"{statement} RETURNING id", params)
        return {pk for (pk,) in cursor.fetchall()}
