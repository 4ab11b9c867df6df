"""20,000 mails over pipelined connections while workers die, Redis forgets and the mail server errs."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from email import message_from_bytes
from typing import TYPE_CHECKING

import pytest

from delivery.channels.email import Email
from tests.delivery.ledger import assert_ledger_balances
from tests.delivery.scripted_smtp import CloseError, Moment, ScriptedServer, TakeAndCloseError
from tests.faults.outcome import hurry

if TYPE_CHECKING:
    from delivery.models import Notice
    from tests.faults.conftest import Deployment

    Post = Callable[[int], Notice]

pytestmark = [pytest.mark.faults, pytest.mark.once, pytest.mark.timeout(300)]
PEOPLE = 20_000


def err_now_and_then(moment: Moment) -> bytes | None:
    """Each kind of fault a few times, in the middle of it all, and each only once for the same recipient."""
    if moment.nth > 1 or not moment.address:
        return None
    number = int(moment.address[6:11])
    if moment.step == "rcpt" and number % 1000 == 7:
        return b"550 5.1.1 No such user\r\n"
    if moment.step == "rcpt" and number % 4000 == 11:
        return b"450 4.2.0 Try again\r\n"
    if moment.step == "data" and number % 4000 == 13:
        return b"421 4.3.2 Going down\r\n"
    if moment.step == "body" and number % 4000 == 17:
        raise CloseError
    if moment.step == "body" and number % 4000 == 19:
        raise TakeAndCloseError
    return None


def test_every_fault_at_once_loses_nobody_among_20000(deployment: Deployment, post: Post):
    with ScriptedServer(err_now_and_then) as mail:
        deployment.env["EMAIL_URL"] = f"smtp://127.0.0.1:{mail.port}"
        doomed, _ = deployment.start_workers(2, processes=1)
        notice = post(PEOPLE)
        tend(deployment, notice, lambda: len(mail.taken) > PEOPLE // 4, within=90)
        doomed.kill()
        deployment.redis.restart()

        tend(deployment, notice, lambda: is_finished(notice), within=120)

        assert_all_accounted_for(notice, mail)
        deployment.stop()


def is_finished(notice: Notice) -> bool:
    notice.refresh_from_db()
    waiting = notice.deliveries.filter(state__in=("pending", "sending"))
    return notice.expanded_at is not None and not waiting.exists()


def tend(deployment: Deployment, notice: Notice, condition: Callable[[], bool], *, within: float) -> None:
    """What beat and time would do, until the condition holds."""
    deadline = time.monotonic() + within
    while not condition():
        states = list(notice.deliveries.values_list("state", "error").distinct())
        assert time.monotonic() < deadline, f"{states}\n{deployment.logs}"
        hurry(notice)
        deployment.tick()
        time.sleep(1)


def assert_all_accounted_for(notice: Notice, mail: ScriptedServer) -> None:
    sent = set(notice.deliveries.filter(state="sent").values_list("address", flat=True))
    dead = set(notice.deliveries.filter(state="dead").values_list("address", flat=True))
    got: dict[str, list[str]] = defaultdict(list)
    for each in mail.taken:
        got[each.address].append(message_from_bytes(each.data)["Message-ID"])
    assert_ledger_balances(notice)
    assert len(sent) + len(dead) == PEOPLE
    assert dead == {f"person{number:05}@example.com" for number in range(7, PEOPLE, 1000)}
    assert set(got) == sent, "who is on record as told was told, and nobody else"
    assert all(len(set(ids)) == 1 for ids in got.values()), "a repeat carries the same Message-ID"
    # At most what one worker held when it was killed, and those whose answer was lost.
    in_flight = Email.batch_size + PEOPLE // 4000
    assert sum(len(ids) > 1 for ids in got.values()) <= in_flight
