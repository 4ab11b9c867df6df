"""Mails over several pipelined connections, against a server that gives every wrong answer at every step.

The ledger's truth is compared with the server's: who is recorded as sent was taken, and nobody was taken
who is recorded as refused.
"""

from __future__ import annotations

import smtplib
import time
from collections.abc import Iterator

import pytest

from delivery.contract import DeliveryError
from delivery.mail.smtp.outgoing_mail import OutgoingMail, stuff
from delivery.mail.smtp.pool import Pool
from tests.delivery.scripted_smtp import CloseError, Moment, ScriptedServer, SilenceError, TakeAndCloseError
from tests.delivery.wrong_answers import REPLIES, TAKES_NOTHING, once_for, slow

pytestmark = pytest.mark.once
VICTIM = "p3@example.com"
POOLS: list[Pool] = []
PEOPLE = [f"p{key}@example.com" for key in range(1, 9)]


def message(address: str) -> OutgoingMail:
    body = f"To: <{address}>\r\nSubject: Ünïcode\r\n\r\n.dot\r\n..\r\n.\r\nlast\r\n".encode()
    return OutgoingMail(PEOPLE.index(address) if address in PEOPLE else 0, "status@acme.example", address, stuff(body))


def open_pool(server: ScriptedServer, *, limit: int = 1, timeout: float = 5) -> Pool:
    def connect(seconds: float) -> smtplib.SMTP:
        try:
            smtp = smtplib.SMTP("127.0.0.1", server.port, "test", timeout=min(seconds, timeout))
            smtp.ehlo_or_helo_if_needed()
        except OSError as error:
            raise DeliveryError(f"no connection: {type(error).__name__}", pause=True) from error
        return smtp

    pool = Pool(connect, timeout, limit)
    POOLS.append(pool)
    return pool


@pytest.fixture(autouse=True)
def _close_pools() -> Iterator[None]:
    yield
    while POOLS:
        POOLS.pop().close()


def carry(pool: Pool, people: list[str]) -> dict[str, DeliveryError | None]:
    """What became of each; fails when somebody has none, or two."""
    outcomes: dict[str, DeliveryError | None] = {}
    for each, error in pool.send_all(message(address) for address in people):
        assert each.address not in outcomes
        outcomes[each.address] = error
    assert sorted(outcomes) == sorted(people)
    return outcomes


def kind(error: DeliveryError | None) -> str:
    if error is None:
        return "sent"
    for name in ("pause", "ambiguous", "gone", "permanent"):
        if getattr(error, name):
            return name
    return "later"


def patience(answer: str) -> float:
    """Seconds: the whole of it is waited for the end of a line that has none."""
    return 1 if answer == "endless line" else 5


@pytest.mark.parametrize("limit", [1, 3])
@pytest.mark.parametrize("step", ["mail", "rcpt", "data", "body"])
@pytest.mark.parametrize("answer", REPLIES)
def test_any_wrong_answer_costs_at_most_its_own_recipient(step: str, answer: str, limit: int):
    with ScriptedServer(once_for(step, VICTIM, REPLIES[answer])) as server:
        pool = open_pool(server, limit=limit, timeout=patience(answer))
        outcomes = carry(pool, PEOPLE)
    for address, error in outcomes.items():
        assert kind(error) == "ambiguous" or server.times(address) == (error is None), (address, error)
    failed = {address: kind(error) for address, error in outcomes.items() if error}
    if step == "mail":
        # Refused senders and lost connections: tried again on another one, or left for all to wait.
        assert len(failed) <= 1
        assert set(failed.values()) <= {"pause"}
    else:
        assert set(failed) <= {VICTIM}
    if step == "body" and answer not in TAKES_NOTHING:
        assert failed == {VICTIM: "ambiguous"}


@pytest.mark.parametrize(
    ("step", "answer", "expected"),
    [
        ("rcpt", b"550 5.1.1 No such user\r\n", "gone"),
        ("rcpt", b"550 5.7.1 Refused\r\n", "permanent"),
        ("rcpt", b"450 4.2.1 Greylisted\r\n", "later"),
        ("data", b"451 4.3.0 Later\r\n", "later"),
        ("data", b"554 5.7.1 No\r\n", "permanent"),
        ("body", b"554 5.7.1 Spam\r\n", "permanent"),
        ("body", b"452 4.3.1 Full\r\n", "later"),
        ("body", b"421 4.3.2 Bye\r\n", "sent"),
        ("rcpt", b"421 4.3.2 Bye\r\n", "sent"),
        ("rcpt", CloseError, "sent"),
        ("data", CloseError, "sent"),
        ("body", CloseError, "ambiguous"),
        ("body", TakeAndCloseError, "ambiguous"),
    ],
)
def test_each_answer_means_one_thing(step: str, answer: bytes | type[Exception], expected: str):
    """“sent” where another connection could still hand the message over."""
    with ScriptedServer(once_for(step, VICTIM, answer)) as server:
        pool = open_pool(server)
        outcomes = carry(pool, PEOPLE)
    assert kind(outcomes.pop(VICTIM)) == expected
    assert set(map(kind, outcomes.values())) == {"sent"}


def test_a_refused_recipient_in_the_middle_costs_no_connection():
    with ScriptedServer(once_for("rcpt", VICTIM, b"550 5.1.1 No such user\r\n")) as server:
        pool = open_pool(server)
        carry(pool, PEOPLE)
    assert server.connections == 1


def test_everybody_refused_is_everybodys_own():
    def refuse(moment: Moment) -> bytes | None:
        return b"550 5.1.1 No such user\r\n" if moment.step == "rcpt" else None

    with ScriptedServer(refuse) as server:
        pool = open_pool(server, limit=3)
        outcomes = carry(pool, PEOPLE)
    assert set(map(kind, outcomes.values())) == {"gone"}
    assert server.taken == []


def test_mails_arrive_as_they_were_written():
    with ScriptedServer() as server:
        pool = open_pool(server, limit=3)
        carry(pool, PEOPLE)
    assert {each.address: each.data for each in server.taken} == {each: message(each).mail for each in PEOPLE}
    assert {each.sender for each in server.taken} == {"status@acme.example"}


def test_a_server_that_closes_after_each_message_gets_all_of_them():
    used: set[int] = set()

    def script(moment: Moment) -> bytes | None:
        if moment.step == "mail":
            if moment.connection in used:
                raise CloseError
            used.add(moment.connection)
        return None

    with ScriptedServer(script) as server:
        pool = open_pool(server)
        assert set(carry(pool, PEOPLE).values()) == {None}
    assert [server.times(address) for address in PEOPLE] == [1] * len(PEOPLE)


def test_connections_are_kept_between_calls_and_replaced_when_they_went_stale():
    with ScriptedServer() as server:
        pool = open_pool(server)
        carry(pool, PEOPLE[:2])
        carry(pool, PEOPLE[2:4])
        assert server.connections == 1
        server.hang_up()
        assert set(carry(pool, PEOPLE[4:]).values()) == {None}
        assert server.connections == 2


def test_an_answer_too_many_is_never_taken_for_the_next_recipients():
    """A second 250 to one body would make the next body count as taken before it left."""

    def script(moment: Moment) -> bytes | None:
        if moment.step == "body" and moment.address == VICTIM:
            return b"250 Ok\r\n250 Ok\r\n"
        if moment.step == "body" and moment.address == PEOPLE[3]:
            return b"550 5.7.1 No\r\n"
        return None

    with ScriptedServer(script) as server:
        pool = open_pool(server)
        outcomes = carry(pool, PEOPLE)
    assert server.times(PEOPLE[3]) == 0
    assert outcomes[PEOPLE[3]] is not None


def test_a_silent_server_ends_within_its_time():
    def script(moment: Moment) -> bytes | None:
        if moment.step == "rcpt":
            raise SilenceError
        return None

    with ScriptedServer(script) as server:
        pool = open_pool(server, limit=4, timeout=0.3)
        began = time.monotonic()
        outcomes = carry(pool, PEOPLE[:3])
        assert time.monotonic() - began < 4
    assert set(map(kind, outcomes.values())) == {"pause"}


def test_silence_after_a_body_is_unclear_for_that_one():
    with ScriptedServer(once_for("body", VICTIM, SilenceError)) as server:
        pool = open_pool(server, timeout=0.3)
        outcomes = carry(pool, PEOPLE)
    assert {address: kind(error) for address, error in outcomes.items() if error} == {VICTIM: "ambiguous"}


def test_a_server_that_never_answers_is_tried_once_for_all():
    attempts = []

    def connect(seconds: float) -> smtplib.SMTP:
        attempts.append(seconds)
        raise DeliveryError("nobody there", pause=True)

    outcomes = carry(Pool(connect, 5, 8), PEOPLE)
    assert set(map(kind, outcomes.values())) == {"pause"}
    assert len(attempts) == 1


def test_more_connections_are_opened_while_messages_get_through():
    with ScriptedServer(slow(0.02)) as server:
        pool = open_pool(server, limit=4)
        carry(pool, [f"q{n}@example.com" for n in range(40)])
    assert server.most_at_once == 4


def test_a_server_that_bears_two_connections_gets_two():
    def script(moment: Moment) -> bytes | None:
        if moment.step == "greet" and server.at_once > 2:
            return b"421 4.7.0 Too many connections\r\n"
        return slow(0.02)(moment)

    with ScriptedServer(script) as server:
        pool = open_pool(server, limit=8)
        outcomes = carry(pool, [f"q{n}@example.com" for n in range(60)])
        assert set(outcomes.values()) == {None}
        assert server.connections < 8


@pytest.mark.parametrize("extensions", [(), ("8BITMIME",)])
def test_without_pipelining_one_command_waits_for_the_other(extensions: tuple[str, ...]):
    script = once_for("rcpt", VICTIM, b"550 5.1.1 No such user\r\n")
    with ScriptedServer(script, extensions=extensions) as server:
        pool = open_pool(server, limit=4)
        outcomes = carry(pool, PEOPLE)
    assert kind(outcomes.pop(VICTIM)) == "gone"
    assert set(outcomes.values()) == {None}
    assert server.connections == 1


@pytest.mark.parametrize("step", ["mail", "rcpt", "data", "body"])
@pytest.mark.parametrize("answer", REPLIES)
def test_without_pipelining_any_wrong_answer_costs_at_most_its_own_recipient(step: str, answer: str):
    with ScriptedServer(once_for(step, VICTIM, REPLIES[answer]), extensions=()) as server:
        pool = open_pool(server, timeout=patience(answer))
        outcomes = carry(pool, PEOPLE)
    for address, error in outcomes.items():
        assert kind(error) == "ambiguous" or server.times(address) == (error is None), (address, error)
    assert sum(error is not None for error in outcomes.values()) <= 1


def test_a_caller_that_leaves_in_the_middle_sends_no_half_message():
    with ScriptedServer() as server:
        pool = open_pool(server)
        given = []

        def messages() -> Iterator[OutgoingMail]:
            for address in PEOPLE:
                given.append(address)
                yield message(address)

        results = pool.send_all(messages())
        first, _ = next(results)
        results.close()  # type: ignore[attr-defined]
        time.sleep(0.05)
    assert {each.address for each in server.taken} <= set(given)
    assert server.times(first.address) == 1


def test_an_error_while_a_mail_is_built_closes_the_busy_connections():
    def broken() -> Iterator[OutgoingMail]:
        yield message(PEOPLE[0])
        yield message(PEOPLE[1])
        raise ValueError("no mail")

    with ScriptedServer() as server:
        pool = open_pool(server)
        with pytest.raises(ValueError, match="no mail"):
            list(pool.send_all(broken()))
        assert set(carry(pool, PEOPLE[2:]).values()) == {None}
