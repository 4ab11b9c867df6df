"""What every channel must keep to. A new channel needs a rig in channel_rigs.py, and passes."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING

import pytest
from pytest_django import Settings

from delivery import registry
from delivery.contract import DeliveryError
from delivery.ledger import outbox, sender
from delivery.models import Delivery, Notice, Pause
from tests.delivery.channel_rigs import HOSTILE, NO_ACCESS, OK, REFUSED, RIGS, SILENCE, TROUBLE, Fixtures, Rig
from tests.delivery.ledger import assert_ledger_balances

if TYPE_CHECKING:
    from tests.delivery.conftest import AddSubscribers

State = Delivery.State


@pytest.fixture
def rigs(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    add_subscribers: AddSubscribers,
) -> dict[str, Callable[[str], AbstractContextManager[Rig]]]:
    fixtures = Fixtures(settings, monkeypatch, request, add_subscribers)
    return {kind: partial(open_rig, fixtures=fixtures) for kind, open_rig in RIGS.items()}


@pytest.fixture(params=[*registry.CHANNELS, "toy"])
def kind(request: pytest.FixtureRequest) -> str:
    """The toy channel stands for one that somebody will add."""
    if request.param == "toy":
        request.getfixturevalue("toy")
    return str(request.param)


def deliver(kind: str, notice: Notice) -> Delivery:
    outbox.expand(notice.pk)
    sender.drain(kind, 20)
    assert_ledger_balances(notice)
    return notice.deliveries.get(channel=kind)


def test_what_is_accepted_is_sent(kind: str, rigs, notice: Notice):
    with rigs[kind](OK) as rig:
        row = deliver(kind, notice)

    assert row.state == State.SENT
    assert row.sent_at
    assert len(rig.texts()) == 1
    assert notice.title in rig.texts()[0]


def test_what_is_refused_is_dead_and_says_why(kind: str, rigs, notice: Notice):
    with rigs[kind](REFUSED) as rig:
        row = deliver(kind, notice)

    assert row.state == State.DEAD
    assert "no" in row.error
    assert rig.texts() == []


def test_trouble_on_the_other_side_is_tried_again_later(kind: str, rigs, notice: Notice):
    with rigs[kind](TROUBLE):
        row = deliver(kind, notice)

    assert (row.state, row.attempts) == (State.PENDING, 1)
    assert row.next_attempt_at > row.queued_at


def test_silence_ends_in_a_time_out_and_is_ambiguous(kind: str, rigs, notice: Notice):
    with rigs[kind](SILENCE):
        row = deliver(kind, notice)

    assert (row.state, row.ambiguous) == (State.PENDING, True)


def test_refused_credentials_pause_and_do_not_count_an_attempt(kind: str, rigs, notice: Notice):
    with rigs[kind](NO_ACCESS):
        row = deliver(kind, notice)

    assert (row.state, row.attempts) == (State.PENDING, 0)
    assert Pause.objects.get().reason


def test_hostile_text_arrives_as_text(kind: str, rigs, make_notice):
    notice = make_notice(title=HOSTILE)
    with rigs[kind](OK) as rig:
        deliver(kind, notice)

    (text,) = rig.texts()
    for words in rig.hostile:
        assert words in text
    assert ("<script" in text) == ("<script" in "".join(rig.hostile))


@pytest.mark.parametrize("answer", [OK, REFUSED, SILENCE, NO_ACCESS])
def test_secrets_are_neither_logged_nor_stored(
    answer: str, kind: str, rigs, notice: Notice, caplog: pytest.LogCaptureFixture
):
    with caplog.at_level(logging.DEBUG, logger="delivery"), rigs[kind](answer) as rig:
        row = deliver(kind, notice)

    stored = " ".join([row.error, json.dumps(row.remote), *Pause.objects.values_list("reason", flat=True)])
    for secret in rig.secrets:
        assert secret not in caplog.text
        assert secret not in stored


@pytest.mark.parametrize(
    ("asked", "right"), [(None, None), (30.0, 30.0), (-5.0, 0.0), (float("inf"), 86_400.0), (1e300, 86_400.0)]
)
def test_the_other_side_may_ask_for_a_day_at_most(asked: float | None, right: float | None) -> None:
    assert DeliveryError("later", retry_after=asked).retry_after == right
