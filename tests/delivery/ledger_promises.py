"""What the ledger promises, checked after each step of the machine in test_ledger_machine.py."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

from delivery.ledger.counting import count_channels
from delivery.ledger.reconcile import differences
from delivery.models import Delivery, Notice
from tests.delivery.ledger_workers import World

State = Delivery.State
# Statements that change no row. Whatever is not one of these counts as a write.
READS = ("SELECT ", "SAVEPOINT ", "RELEASE SAVEPOINT ")
WAITING = {State.PENDING, State.SENDING}


class Row(NamedTuple):
    """What is looked at of a delivery."""

    pk: int
    notice_id: int
    channel: str
    address: str
    state: str
    ambiguous: bool
    attempts: int
    sent_at: object
    lease_until: object


class Writes:
    """Whether anything was written to the database; a wrapper of its statements."""

    def __init__(self) -> None:
        self.happened = True

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        self.happened = self.happened or not sql.startswith(READS)
        return execute(sql, params, many, context)


class Promises:
    """Remembers what was seen at the last step, and what the machine has done since."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.writes = Writes()
        self.told = 0
        self.steps = 0
        self.joined: dict[tuple[str, str], int] = {}
        """Since which step each subscription (address and thread, "" for all) has been active."""
        self.published: dict[int, int] = {}
        """At which step each notice was."""
        self.requeued: set[int] = set()
        """What staff have put back in this step."""
        self.known: dict[int, Row] = {}
        self.addressees: dict[int, str] = {}

    def forget_times(self) -> None:
        """They were moved."""
        self.known = {pk: row._replace(sent_at=None) for pk, row in self.known.items()}

    def check(self) -> None:
        """Where nothing was written and nobody was told since the last step, everything holds as it did then."""
        self.steps += 1
        assert self.world.faults == []
        if not self.writes.happened and self.told == self.world.told:
            self.requeued = set()
            return
        self.writes.happened, self.told = False, self.world.told
        rows = {row[0]: Row._make(row) for row in Delivery.objects.values_list(*Row._fields)}
        for pk, row in rows.items():
            self.addressees.setdefault(pk, row.address)
        notices = list(Notice.objects.filter(pk__in=self.published))
        self._everybody_is_accounted_for(notices, rows)
        self._nobody_was_forgotten(notices, rows)
        self._what_is_settled_stays(rows)
        self._nothing_is_called_sent_that_was_not(rows)
        self._repeats_can_be_recognised(rows)
        self.known, self.requeued = rows, set()

    def _everybody_is_accounted_for(self, notices: list[Notice], rows: dict[int, Row]) -> None:
        """Expected = sent + suppressed + dead + unknown + pending, on each channel, in the rows and as told to staff."""
        counted: dict[int, Counter[str]] = defaultdict(Counter)
        ended: dict[int, Counter[str]] = defaultdict(Counter)
        for row in rows.values():
            assert row.state in State
            assert row.state != State.SENDING or row.lease_until
            counted[row.notice_id][row.channel] += 1
            ended[row.notice_id][row.state] += row.state not in WAITING
        lines = count_channels(notices)
        for notice in notices:
            assert counted[notice.pk] == {line.channel: line.expected for line in lines[notice.pk]}
            assert not differences(notice.pk), "each sum of tallies is the count of rows, with reasons and marks"
            told: Counter[str] = Counter()
            for line in lines[notice.pk]:
                told.update(sent=line.sent, suppressed=line.suppressed, dead=line.dead, unknown=line.unknown)
            assert told == ended[notice.pk]

    def _nobody_was_forgotten(self, notices: list[Notice], rows: dict[int, Row]) -> None:
        """Who had joined before the notice and stayed has a row, once, when the fan-out says that it is done."""
        told = Counter((row.notice_id, row.address) for row in rows.values())
        assert set(told.values()) <= {1}
        for notice in notices:
            if notice.expanded_at and not notice.cancelled_at and notice.pk in self.published:
                since = self.published[notice.pk]
                for (address, thread), joined in self.joined.items():
                    is_addressed = joined < since and thread in ("", notice.thread)
                    assert not is_addressed or (notice.pk, address) in told, f"{address} was forgotten"

    def _what_is_settled_stays(self, rows: dict[int, Row]) -> None:
        assert self.known.keys() <= rows.keys()
        for pk, before in self.known.items():
            now = rows[pk]
            if before.state not in WAITING and pk not in self.requeued:
                assert (now.state, now.attempts) == (before.state, before.attempts)
                assert before.sent_at is None or now.sent_at == before.sent_at
            assert before.state != State.SENT or now.state == State.SENT
            assert now.ambiguous >= before.ambiguous

    def _nothing_is_called_sent_that_was_not(self, rows: dict[int, Row]) -> None:
        for row in rows.values():
            assert row.state != State.SENT or self.world.taken[row.pk], f"nobody has taken {row}"

    def _repeats_can_be_recognised(self, rows: dict[int, Row]) -> None:
        for pk, taken in self.world.taken.items():
            assert len(set(taken)) <= 1, "the same delivery goes to the same address under the same Message-ID"
            assert all(address == self.addressees[pk] for address, _ in taken)
            assert len(taken) < 2 or rows[pk].ambiguous, f"told twice, and not marked: {rows[pk]}"
