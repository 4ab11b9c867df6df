"""Workers and web servers die, hang or are replaced in the middle of 20,000 mails. Everybody is accounted for."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import psutil
import pytest
from django.db import OperationalError, connection, transaction

from delivery.models import Delivery, Notice
from delivery.receipt import build_receipt
from tests.faults.conftest import PEOPLE, subscribe
from tests.faults.outcome import IN_FLIGHT, assert_nothing_was_lost
from tests.processes import wait_until

if TYPE_CHECKING:
    from pages.models import Page
    from tests.delivery.scripted_smtp import ScriptedServer
    from tests.faults.conftest import Deployment
    from tests.faults.nursery import Grown
    from tests.faults.visitor import Visitor

    Post = Callable[[int], Notice]

pytestmark = [pytest.mark.faults, pytest.mark.once, pytest.mark.timeout(300)]


def who_is_sending(workers: list[Grown], relay: ScriptedServer) -> Grown | None:
    """A worker that has a connection to the mail server."""
    for worker in workers:
        for pid in worker.children():
            try:
                connections = psutil.Process(pid).net_connections("tcp")
            except psutil.Error:
                continue
            if any(
                each.raddr and each.raddr.port == relay.port and each.status == "ESTABLISHED" for each in connections
            ):
                return worker
    return None


def says_it_is_late(worker: Grown) -> bool:
    """That its rows are another's by now; or, frozen for longer than a task may last, that its time is up."""
    return any(words in worker.output for words in ("after the lease had ended", "time limit"))


def holds_rows(pid: int, notice: Notice) -> bool:
    held = notice.deliveries.filter(state="sending", claimed_by__contains=f"-{pid}-")
    try:
        with transaction.atomic():
            return bool(held.select_for_update(nowait=True).values_list("pk", flat=True))
    except OperationalError:
        return False


def freeze_one_that_holds_rows(find: Callable[[], Grown], notice: Notice) -> Grown:
    """Between two batches it would have nothing to lose; then it goes on, and another moment is tried. So it does while
    the database still works for it: what it asked for just before would be done after all."""
    while True:
        worker = find()
        (child,) = worker.children()
        worker.send_all(signal.SIGSTOP)
        if holds_rows(child, notice):
            return worker
        worker.send_all(signal.SIGCONT)


@pytest.fixture
def deaf(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tasks that the post itself sends never arrive."""
    monkeypatch.setattr("delivery.ledger.outbox.wake_on_commit", lambda *words: False)


def test_workers_that_die_or_freeze_while_the_clock_alone_wakes_them_lose_nobody(
    deployment: Deployment, post: Post, relay: ScriptedServer, deaf: None
):
    """A1, A2, A13, A15, A16, B28: two clocks, three workers, and each fault hits one that is sending."""
    workers = deployment.start_workers(3, processes=1, mute=True)
    clocks = [deployment.start_clock(), deployment.start_clock()]
    notice = post(PEOPLE)

    def one_that_sends_after(share: float, among: list[Grown]) -> Grown:
        deployment.wait(lambda: len(relay.taken) > share * PEOPLE, ticking=False)
        return wait_until(lambda: who_is_sending(among, relay), within=30, what="a worker that sends")

    bereaved = one_that_sends_after(0.1, workers)
    (child,) = bereaved.children()
    os.kill(child, signal.SIGKILL)
    doomed = one_that_sends_after(0.3, [each for each in workers if each is not bereaved])
    doomed.kill()
    clocks[0].kill()
    workers.remove(doomed)
    frozen = freeze_one_that_holds_rows(lambda: one_that_sends_after(0.5, workers), notice)
    deployment.settle(notice, within=90, ticking=False)

    recorded = list(notice.deliveries.order_by("pk").values_list("pk", "sent_at", "attempts"))
    frozen.send_all(signal.SIGCONT)
    wait_until(lambda: says_it_is_late(frozen), within=40, what="the late worker's answer")
    assert list(notice.deliveries.order_by("pk").values_list("pk", "sent_at", "attempts")) == recorded
    assert bereaved.running()
    assert_nothing_was_lost(notice, relay, workers_lost=3)
    in_doubt = notice.deliveries.filter(ambiguous=True)
    assert in_doubt.exists(), "whoever died was sending"
    assert in_doubt.count() <= 3 * IN_FLIGHT, "no more than what each of them held is in doubt"
    assert not in_doubt.filter(attempts__lt=2).exists()


@pytest.fixture
def next_schema(deployment: Deployment) -> Iterator[Callable[[], None]]:
    """Adds a column as a migration of the next version would, with everything running; takes it away afterwards."""
    tables = (Delivery._meta.db_table, Notice._meta.db_table)

    def alter(change: str) -> None:
        with connection.cursor() as cursor:
            for table in tables:
                cursor.execute(f"ALTER TABLE {table} {change}")

    yield lambda: alter("ADD COLUMN region varchar(8) NOT NULL DEFAULT ''")
    deployment.stop()
    alter("DROP COLUMN IF EXISTS region")


def test_a_new_version_rolled_out_over_the_old_one_tells_everybody_once(
    deployment: Deployment, page: Page, staff: Visitor, relay: ScriptedServer, next_schema: Callable[[], None]
):
    """A14, A19: no clock ticks; the table grows a column, then web and workers are replaced one by one."""
    (web,) = deployment.started
    old = deployment.start_workers(2, processes=1)
    subscribe(page, PEOPLE)
    assert staff.post_update("Errors", "We are looking into it.").status_code == 302
    notice = Notice.objects.get()
    deployment.wait(lambda: len(relay.taken) > 0.1 * PEOPLE, ticking=False)

    next_schema()
    for number, worker in enumerate(old):
        deployment.start_workers(1, processes=1, newer=True)
        worker.send(signal.SIGTERM)
        deployment.wait(lambda number=number: len(relay.taken) > (0.2 + 0.2 * number) * PEOPLE, ticking=False)
    web.send(signal.SIGTERM)
    web.wait(20)
    deployment.start_web(newer=True)
    assert staff.get("/").status_code == 200
    deployment.settle(notice, within=90, ticking=False)

    for worker in old:
        worker.wait(40)
    assert_nothing_was_lost(notice, relay)
    assert build_receipt(notice).expected == PEOPLE
    assert set(notice.deliveries.values_list("attempts", flat=True)) == {1}
