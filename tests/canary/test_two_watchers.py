"""Two watchers at the same moment, each with a connection of its own, share their alarms."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.db import connection
from django.db.models import F

from canary.models import Alarm, Heartbeat
from canary.watching import Watch
from tests.http_servers import Reply

if TYPE_CHECKING:
    from pages.models import Page
    from tests.canary.conftest import Wires

WATCHERS = 4


@pytest.mark.django_db(transaction=True)
def test_watchers_that_look_at_once_raise_and_tell_once(page: Page, wires: Wires):
    from canary import heartbeats

    wires.slack.answer = lambda sent: Reply(seconds=0.3)
    heartbeats.publish()
    Heartbeat.objects.update(published_at=F("published_at") - timedelta(seconds=10))
    start = threading.Barrier(WATCHERS)

    def look() -> None:
        watch = Watch()
        try:
            start.wait(10)
            for _ in range(3):
                watch.run_round()
        finally:
            connection.close()

    watchers = [threading.Thread(target=look) for _ in range(WATCHERS)]
    for each in watchers:
        each.start()
    for each in watchers:
        each.join(30)

    told = [each.json["text"].splitlines()[0] for each in wires.slack.requests]
    assert len(told) == len(set(told)) == Alarm.objects.open().count() == 2, "one of mail, one of the webhook"
    assert len(wires.pagerduty.requests) == 2
