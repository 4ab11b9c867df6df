"""An alarm says where to look, and blames nobody for what something else explains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from canary import alarms, heartbeats
from canary.findings import explain_missing
from canary.models import Alarm, Probe
from delivery.ledger import outbox
from delivery.models import Delivery, Notice, Pause

if TYPE_CHECKING:
    from pages.models import Page
    from tests.canary.conftest import Wires

pytestmark = pytest.mark.django_db
MAIL = Probe.Destination.MAIL


@pytest.fixture
def missing(page: Page, wires: Wires) -> list[Probe]:
    """A heartbeat's messages by mail: in the ledger, and taken up by no worker."""
    heartbeat = heartbeats.publish()
    assert heartbeat
    for notice in Notice.objects.all():
        outbox.expand(notice.pk)
    return list(heartbeat.probes.filter(destination=MAIL))


def test_the_queue_whose_worker_takes_nothing_up_is_named(missing: list[Probe]):
    assert explain_missing(MAIL, missing) == "4 wait to be sent: look at the worker of the queue “delivery.email”."


def test_a_pause_explains_what_waits_and_is_told_once(missing: list[Probe]):
    Delivery.objects.update(error="535 wrong password")
    Pause.objects.begin("email", "535 wrong password")
    Pause.objects.begin("account:999", "somebody else's")

    said = explain_missing(MAIL, missing)

    assert said.startswith("4 wait to be sent. E-mail is paused since ")
    assert said.endswith(": 535 wrong password.")
    assert said.count("535") == 1
    assert "somebody" not in said


def test_the_overview_says_what_is_wrong_and_where_to_look():
    Alarm.objects.create(key="arrival.email", text="4 of 8 did not arrive.\nOf 20, 16 have.\nLook at the worker.")

    [sentence] = alarms.alarm_sentences()

    assert sentence.endswith(": 4 of 8 did not arrive. Look at the worker.")
