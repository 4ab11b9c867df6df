"""Thousands of steps through the ledger in any order: what it promises holds after each of them.

More of it: `pytest tests/delivery/test_ledger_machine.py --hypothesis-profile=long`.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.db.models import F, Model
from django.utils import timezone
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from delivery.ledger import compaction, outbox
from delivery.ledger.retention import tidy
from delivery.models import Account, Delivery, Notice, Pause, Tally
from pages.models import Page
from subscribers.forgetting import forget
from subscribers.models import Subscriber, Suppression, address_hash
from tests.delivery.ledger import assert_ledger_balances
from tests.delivery.ledger_promises import WAITING, Promises
from tests.delivery.ledger_workers import ANSWERS, LostError, Stage, Worker, World

if TYPE_CHECKING:
    from tests.delivery.conftest import MakeNotice

State = Delivery.State
PEOPLE = [f"{name}@example.com" for name in ("ann", "bob", "cem", "dan", "eve", "fay", "gus")]
THREADS = ["incident0001", "incident0002"]
MOST_WORKERS, MOST_NOTICES = 4, 4
LEASE_SECONDS = 120
MINUTE, HOUR = 60, 3600

nth = st.integers(0, 9)
people = st.sampled_from(PEOPLE)
ticks = st.booleans()
kinds = st.sampled_from(["email", "email", "wall"])
answers = st.lists(st.sampled_from(["taken"] * 4 + list(ANSWERS)), max_size=6)
# Which worker, on which channel when it is a new one, what it meets, and whether that is its end.
turns = st.tuples(
    st.integers(0, MOST_WORKERS),
    st.sampled_from(["email", "email", "wall"]),
    answers,
    st.sampled_from([False] * 3 + [True]),
)


class LedgerMachine(RuleBasedStateMachine):
    """One page, seven people, an account; everything is taken back after each example."""

    def __init__(self, stage: Stage, page: Page, make_notice: MakeNotice) -> None:
        super().__init__()
        self.world = stage.world = World()
        self.world.unwelcome = self.unwelcome
        self.page, self.make_notice = page, make_notice
        self.promises = Promises(self.world)
        self.transaction = transaction.atomic()
        self.transaction.__enter__()
        self.noticing_writes = connection.execute_wrapper(self.promises.writes)
        self.noticing_writes.__enter__()
        self.account = Account.objects.create(page=page, channel="wall", name="@acme")
        self.notices: list[Notice] = []
        self.workers: list[Worker] = []
        self.turned_back_seconds = 0

    @initialize(first=st.sets(people, min_size=5))
    def begin(self, first: set[str]) -> None:
        for address in sorted(first):
            self._join(address, "")
        for thread in THREADS:
            self._publish(thread)
        outbox.expand(self.notices[0].pk)

    # People and staff

    @rule(address=people, what=st.sampled_from(["join", *THREADS, "unsubscribe", "be forgotten", "complain"]))
    def come_or_go(self, address: str, what: str) -> None:
        """Join for everything or for one incident, or leave. Who comes back after having been forgotten is new."""
        if what in ("join", *THREADS):
            self._join(address, "" if what == "join" else what)
        elif what == "complain":
            hashed = address_hash("email", address)
            Suppression.objects.get_or_create(channel="email", address_hash=hashed, defaults={"reason": "complaint"})
        else:
            if subscriber := Subscriber.objects.filter(address=address).first():
                subscriber.unsubscribe(timezone.now()) if what == "unsubscribe" else forget(subscriber)
            self.promises.joined = {key: since for key, since in self.promises.joined.items() if key[0] != address}

    def _join(self, address: str, thread: str) -> None:
        subscriber, _ = Subscriber.objects.get_or_create(page=self.page, address=address, incident_code=thread)
        if subscriber.confirm(timezone.now()):
            self.promises.joined[address, thread] = self.promises.steps

    @rule(nth=nth, what=st.sampled_from(["publish", "publish", "cancel", "try again", "switch", "end pauses"]))
    def staff_act(self, nth: int, what: str) -> None:
        notice = self.notices[nth % len(self.notices)]
        if what == "publish" and len(self.notices) < MOST_NOTICES:
            self._publish(THREADS[nth % len(THREADS)])
        elif what == "cancel":
            outbox.cancel(notice)
        elif what == "try again":
            failed = notice.deliveries.filter(state__in=(State.DEAD, State.UNKNOWN))
            self.promises.requeued = set(failed.values_list("pk", flat=True))
            assert outbox.requeue(notice.deliveries.all()) == len(self.promises.requeued)
        elif what == "end pauses":
            Pause.objects.all().delete()
        elif what == "switch":
            Account.objects.update(enabled=nth % 2 == 0)

    def _publish(self, thread: str) -> None:
        notice = self.make_notice(thread=thread, code=f"n{len(self.notices)}")
        outbox.publish(notice)
        self.notices.append(notice)
        self.promises.published[notice.pk] = self.promises.steps

    # Wake-ups and workers

    @precondition(lambda self: self.world.wake_ups)
    @rule(wake_ups=st.lists(st.tuples(nth, st.booleans(), st.integers(0, 3)), min_size=1, max_size=4))
    def wake(self, wake_ups: list[tuple[int, bool, int]]) -> None:
        """A wake-up may come again later, and whoever gets it may be lost in the middle of a chunk."""
        for nth, again, dies_in_chunk in wake_ups:
            if self.world.wake_ups:
                wake_up = self.world.wake_ups.pop(nth % len(self.world.wake_ups))
                if again:
                    self.world.wake_ups.append(wake_up)
                self._answer(*wake_up, dies_in_chunk=dies_in_chunk)
                self.the_ledger_keeps_its_promises()

    def _answer(self, task: str, about: Any, dies_in_chunk: int) -> None:
        if task == "delivery.tasks.fan_out":
            self.world.dies_in_chunk = dies_in_chunk
            with contextlib.suppress(LostError):
                outbox.expand(about)
            self.world.dies_in_chunk = 0
        elif len(self.workers) < MOST_WORKERS:
            self._go_on(self._start(about), [])

    @rule(are_lost=st.booleans(), tidies=st.booleans())
    def sweep(self, are_lost: bool, tidies: bool) -> None:
        """`are_lost`: and no wake-up of before reaches anybody. `tidies`: tallies are compacted."""
        if are_lost:
            self.world.wake_ups.clear()
        outbox.sweep()
        if tidies:
            tidy(60)

    @rule(turns=st.lists(turns, min_size=1, max_size=4))
    def work(self, turns: list[tuple[int, str, list[str], bool]]) -> None:
        """Workers go on in turns. A new one claims, and stands still before its first message; one may be lost
        there, or between handing over and writing down."""
        for nth, kind, answers, is_lost in turns:
            is_new = nth >= len(self.workers) and len(self.workers) < MOST_WORKERS
            worker = self._start(kind) if is_new else self.workers[nth % len(self.workers)]
            self._go_on(worker, answers)
            if is_lost and worker in self.workers:
                self.workers.remove(worker)
                worker.end()
            self.the_ledger_keeps_its_promises()

    @rule(turns=st.lists(turns, min_size=1, max_size=4))
    def work_on(self, turns: list[tuple[int, str, list[str], bool]]) -> None:
        """The same under a second name, so that it is chosen more often."""
        self.work(turns)

    def _start(self, kind: str) -> Worker:
        self.workers.append(Worker(self.world, kind))
        return self.workers[-1]

    def _go_on(self, worker: Worker, answers: list[str]) -> None:
        worker.go_on(answers)
        self.workers = [each for each in self.workers if not each.dead]

    # Time

    @rule(seconds=st.sampled_from([1, 11, 40, LEASE_SECONDS + 1, HOUR + 1, 25 * HOUR]), ticks=ticks)
    def time_passes(self, seconds: int, ticks: bool) -> None:
        self._pass(seconds)
        if ticks:
            outbox.sweep()

    @rule(kind=kinds, answers=answers)
    def leases_run_out(self, kind: str, answers: list[str]) -> None:
        """Of workers that stand still; another takes over, and the first of them wakes up."""
        self.time_passes(LEASE_SECONDS + 1, ticks=True)
        if len(self.workers) < MOST_WORKERS:
            self._go_on(self._start(kind), [])
            self.the_ledger_keeps_its_promises()
        if self.workers:
            self._go_on(self.workers[0], answers)

    def _pass(self, seconds: int) -> None:
        """For the database and everybody else; moving all that is stored back is the same."""
        self.world.seconds += max(0, seconds)
        self._shift(Delivery, seconds, "next_attempt_at", "lease_until", "sent_at", "queued_at")
        self._shift(Notice, seconds, "created_at", "cancelled_at", "expanded_at")
        self._shift(Tally, seconds, "created_at")
        self._shift(Pause, seconds, "since", "probe_at")
        self._shift(Subscriber, seconds, "created_at", "confirmed_at", "unsubscribed_at")
        self.promises.forget_times()

    @staticmethod
    def _shift(model: type[Model], seconds: int, *names: str) -> None:
        model._default_manager.update(**{name: F(name) - timedelta(seconds=seconds) for name in names})

    @rule(hours=st.sampled_from([-2, 0, 0, 0, 2, 25]), turned_back_seconds=st.sampled_from([0, 0, 30, 10 * MINUTE]))
    def clocks_are_wrong(self, hours: int, turned_back_seconds: int) -> None:
        """Those of our hosts are ahead of the database's, which itself is turned back."""
        self.world.skew = timedelta(hours=hours) if hours else None
        self.turned_back_seconds += turned_back_seconds
        self._pass(-turned_back_seconds)

    # What always holds

    def unwelcome(self) -> set[str]:
        """Who must not be told from now on, and the codes of notices that nobody must be told of."""
        active = set(Subscriber.objects.active().values_list("address", flat=True))
        suppressed = Suppression.objects.among("email", PEOPLE)
        accounts = {each.address for each in Account.objects.filter(enabled=False)}
        cancelled = set(Notice.objects.exclude(cancelled_at=None).values_list("code", flat=True))
        return (set(PEOPLE) - active) | suppressed | accounts | cancelled

    @invariant()
    def the_ledger_keeps_its_promises(self) -> None:
        self.promises.check()

    # The end

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self.everything_drains()
        finally:
            for worker in self.workers:
                worker.end()
            self.noticing_writes.__exit__(None, None, None)
            transaction.set_rollback(True)
            self.transaction.__exit__(None, None, None)

    def everything_drains(self) -> None:
        """With all workers lost and no wake-up, but a provider that works: by the sweep alone."""
        self.world.skew = None
        for worker in self.workers:
            worker.end()
        self.workers = []
        self.world.wake_ups.clear()
        self._pass(self.turned_back_seconds)
        for _ in range(20):
            self._pass(10 * MINUTE)
            outbox.sweep()
            while self.world.wake_ups:
                task, *about = self.world.wake_ups.pop()
                if task == "delivery.tasks.fan_out":
                    outbox.expand(*about)
                elif task == "delivery.tasks.send":
                    Worker(self.world, *about).go_on(["taken"] * 200)
            self.the_ledger_keeps_its_promises()
            if not Delivery.objects.filter(state__in=WAITING).exists():
                break
        assert not Delivery.objects.filter(state__in=WAITING).exists()
        for notice in Notice.objects.all():
            assert notice.expanded_at
            assert_ledger_balances(notice)
        self.everything_is_tried_again()

    def everything_is_tried_again(self) -> None:
        """What was compacted is put back by staff who try again."""
        tidy(60)
        self.the_ledger_keeps_its_promises()
        self.promises.requeued = set(
            Delivery.objects.filter(state__in=(State.DEAD, State.UNKNOWN)).values_list("pk", flat=True)
        )
        assert outbox.requeue(Delivery.objects.all()) == len(self.promises.requeued)
        self.the_ledger_keeps_its_promises()


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    from delivery import registry

    logging.disable(logging.CRITICAL)
    monkeypatch.setattr(settings, "DELIVERY_LEASE_SECONDS", LEASE_SECONDS)
    monkeypatch.setattr(compaction, "MOST_LOOSE", 3)
    yield Stage(monkeypatch)
    logging.disable(logging.NOTSET)
    registry.load.cache_clear()


@pytest.mark.timeout(600)  # what is found is made small before it is shown
def test_the_ledger_keeps_its_promises_whatever_happens_in_whatever_order(
    stage: Stage, page: Page, make_notice: MakeNotice
):
    is_long = hypothesis_settings.get_current_profile_name() == "long"
    size = {} if is_long else {"max_examples": 30, "stateful_step_count": 40}
    run_state_machine_as_test(
        lambda: LedgerMachine(stage, page, make_notice),
        settings=hypothesis_settings(deadline=None, suppress_health_check=list(HealthCheck), **size),
    )
