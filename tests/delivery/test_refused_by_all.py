"""A relay that refuses everybody pauses mail before it has used everybody up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pytest_django import Settings

from delivery.ledger import outbox, sender
from delivery.models import Notice, Pause
from tests.delivery.ledger import assert_ledger_balances
from tests.delivery.scripted_smtp import Moment, ScriptedServer

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers


def states(notice: Notice) -> dict[str, int]:
    found: dict[str, int] = {}
    for state in notice.deliveries.values_list("state", flat=True):
        found[state] = found.get(state, 0) + 1
    return found


@pytest.mark.parametrize("reply", [b"554 5.7.1 Spam\r\n", b"550 5.1.1 No such user\r\n"])
def test_a_relay_that_refuses_everybody_pauses_mail(
    reply: bytes, notice: Notice, add_subscribers: AddSubscribers, settings: Settings
):
    add_subscribers(300)
    outbox.expand(notice.pk)
    refuses = True

    def script(moment: Moment) -> bytes | None:
        return reply if refuses and moment.step == "rcpt" else None

    with ScriptedServer(script) as server:
        settings.MAIL_DIR, settings.EMAIL_HOST, settings.EMAIL_PORT = None, "127.0.0.1", server.port
        sender.drain("email", 30)
        lost = states(notice)["dead"]
        assert sender.REFUSED_LEAST <= lost <= sender.REFUSED_LEAST + settings.EMAIL_CONNECTIONS
        assert "in a row were refused" in Pause.objects.get(key="email").reason

        Pause.objects.update(probe_at=notice.created_at)
        sender.drain("email", 30)
        assert states(notice)["dead"] <= lost + 5, "a probe that is refused goes no further"
        assert Pause.objects.get(key="email").failures == 2

        refuses = False
        Pause.objects.update(probe_at=notice.created_at)
        sender.drain("email", 30)
    assert not Pause.objects.exists()
    assert set(states(notice)) == {"dead", "sent"}
    assert_ledger_balances(notice)


def test_a_few_refused_recipients_do_not_pause_the_channel(
    notice: Notice, add_subscribers: AddSubscribers, settings: Settings
):
    add_subscribers(200)
    outbox.expand(notice.pk)

    def script(moment: Moment) -> bytes | None:
        gone = moment.step == "rcpt" and int(moment.address[6:10]) % 3 == 0
        return b"550 5.1.1 No such user\r\n" if gone else None

    with ScriptedServer(script) as server:
        settings.MAIL_DIR, settings.EMAIL_HOST, settings.EMAIL_PORT = None, "127.0.0.1", server.port
        sender.drain("email", 30)

    assert states(notice) == {"sent": 134, "dead": 66}
    assert not Pause.objects.exists()


@pytest.mark.parametrize("share", [1, 5])
def test_greylisting_does_not_pause_the_channel(
    share: int, notice: Notice, add_subscribers: AddSubscribers, settings: Settings
):
    """A host that puts off whom it has not met: all of them, or all but each fifth."""
    add_subscribers(200)
    outbox.expand(notice.pk)
    met: set[str] = set()

    def script(moment: Moment) -> bytes | None:
        if moment.step != "rcpt" or moment.address in met or (share > 1 and int(moment.address[6:10]) % share == 0):
            return None
        met.add(moment.address)
        return b"450 4.2.0 Greylisted, come back in five minutes\r\n"

    with ScriptedServer(script) as server:
        settings.MAIL_DIR, settings.EMAIL_HOST, settings.EMAIL_PORT = None, "127.0.0.1", server.port
        sender.drain("email", 30)
        assert not Pause.objects.exists()
        assert states(notice).get("sent", 0) == (200 // share if share > 1 else 0)
        assert notice.deliveries.filter(state="pending", attempts=1).count() == 200 - states(notice).get("sent", 0)
        notice.deliveries.filter(state="pending").update(next_attempt_at=notice.created_at)
        sender.drain("email", 30)
    assert states(notice) == {"sent": 200}
    assert_ledger_balances(notice)
