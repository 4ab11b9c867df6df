"""`manage.py canary`: the deploy gate opens only when all has arrived, and says where to look when it stays shut."""

from __future__ import annotations

import io
import threading
from typing import TYPE_CHECKING

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from canary import arrivals
from canary.models import Probe
from delivery.models import Pause
from tests.processes import wait_until

if TYPE_CHECKING:
    from tests.canary.conftest import Wires

MAIL, WEBHOOK = Probe.Destination.MAIL, Probe.Destination.WEBHOOK


def gate(seconds: float = 0.3) -> str:
    said = io.StringIO()
    call_command("canary", wait=seconds, stdout=said)
    return said.getvalue()


@pytest.mark.django_db(transaction=True)
def test_the_gate_opens_when_all_has_arrived(page, wires: Wires):
    def arrive() -> None:
        try:
            wait_until(lambda: Probe.objects.count() == 8, what="the heartbeat")
            for destination in (WEBHOOK, MAIL):
                arrivals.record_arrivals(destination, Probe.objects.values_list("code", flat=True))
        finally:
            connection.close()

    other_side = threading.Thread(target=arrive)
    other_side.start()
    said = gate(seconds=20)
    other_side.join()

    assert "Mail: 4 arrived, the last after 0" in said
    assert "Webhook: 4 arrived" in said
    assert "shows the page as it is now: /, /history.atom, /api/v2/summary.json, /api/banner.json." in said
    assert "Everything has arrived." in said


@pytest.mark.django_db
def test_the_gate_stays_shut_and_says_why(page, wires: Wires, deliver):
    with pytest.raises(CommandError) as caught:
        gate()
    assert "Mail: 4 of 4 did not arrive. 4 wait for a worker: look at Redis" in str(caught.value)
    assert "Webhook: 4 of 4 did not arrive." in str(caught.value)

    Pause.objects.begin("email", "535 wrong password")
    with pytest.raises(CommandError) as caught:
        gate()
    assert "535 wrong password" in str(caught.value)


@pytest.mark.django_db
def test_a_mailbox_that_cannot_be_read_is_said_so(page, wires: Wires, settings):
    settings.CANARY_WEBHOOK_URL, settings.CANARY_IMAP_URL = "", "imap://canary:hunter2@127.0.0.1:1/INBOX"

    with pytest.raises(CommandError) as caught:
        gate()

    assert "mailbox cannot be read. 127.0.0.1: could not connect: Connection refused." in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.django_db
def test_an_old_page_keeps_the_gate_shut(page, wires: Wires, settings):
    settings.CANARY_MAIL_TO = ""
    page.raise_generation()

    with pytest.raises(CommandError) as caught:
        gate()

    assert f"{wires.web.url}: 8 of 8 reads gave an old edition: /, /api/banner.json" in str(caught.value)


@pytest.mark.django_db
def test_without_a_canary_the_gate_stays_shut(page):
    with pytest.raises(CommandError, match="CANARY_MAIL_TO"):
        gate()


@pytest.mark.django_db
def test_without_a_page_the_gate_stays_shut(wires: Wires):
    with pytest.raises(CommandError, match="no page yet"):
        gate()
