"""The watch finds what is wrong, says it once, and says when it is over."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.db import OperationalError
from django.db.models import F
from django.utils import timezone

from canary import alarms, arrivals, heartbeats, watching
from canary.findings import Finding, check_ledger
from canary.models import Alarm, Heartbeat, Probe
from canary.watching import Watch
from delivery.models import Pause
from tests.http_servers import Reply

if TYPE_CHECKING:
    from pages.models import Page
    from tests.canary.conftest import Wires

pytestmark = pytest.mark.django_db
MAIL, WEBHOOK = Probe.Destination.MAIL, Probe.Destination.WEBHOOK


@pytest.fixture
def watch(page: Page, wires: Wires) -> Watch:
    """It has read the documents once; from now on nobody reads them."""
    watch = Watch()
    for reader in watch.readers:
        reader.run_round()
    return watch


def beat(*, arriving: int = 4) -> None:
    """A heartbeat of ten seconds ago; all by webhook, and so many by mail, arrived."""
    heartbeat = heartbeats.publish()
    assert heartbeat
    for destination, count in ((MAIL, arriving), (WEBHOOK, 4)):
        codes = heartbeat.probes.filter(destination=destination).values_list("code", flat=True)
        arrivals.record_arrivals(destination, list(codes)[:count])
    # At once, however slow the machine is that runs this.
    heartbeat.refresh_from_db()
    heartbeat.probes.exclude(arrived_at=None).update(arrived_at=heartbeat.published_at)
    past(10, heartbeat)


def past(seconds: float, heartbeat: Heartbeat) -> None:
    Heartbeat.objects.filter(pk=heartbeat.pk).update(published_at=F("published_at") - timedelta(seconds=seconds))
    heartbeat.probes.update(arrived_at=F("arrived_at") - timedelta(seconds=seconds))


def time_passes(seconds: float) -> None:
    delta = timedelta(seconds=seconds)
    Alarm.objects.update(seen_at=F("seen_at") - delta, claimed_until=F("claimed_until") - delta)
    for alarm in Alarm.objects.all():
        alarm.told = {name: [stage, _earlier(at, delta)] for name, (stage, at) in alarm.told.items()}
        alarm.save()


def _earlier(at: str, delta: timedelta) -> str:
    return (timezone.datetime.fromisoformat(at) - delta).isoformat()  # type: ignore[attr-defined]


def said(wires: Wires) -> list[str]:
    return [each.json["text"] for each in wires.slack.requests]


def test_the_dead_mans_switch_is_called_when_nothing_is_wrong(watch: Watch, wires: Wires):
    beat()

    assert watch.run_round()
    assert len(wires.deadman.requests) == 1
    assert said(wires) == []


def test_the_dead_mans_switch_is_not_called_before_documents_were_read(page: Page, wires: Wires):
    watch = Watch()
    assert not watch.run_round()

    wires.web.answer = lambda sent: Reply(503)
    watch.readers[0].run_round()
    assert not watch.run_round()
    assert wires.deadman.requests == []
    assert said(wires) == [], "once may be chance"


def test_one_lost_mail_raises_one_alarm_with_where_to_look(watch: Watch, wires: Wires, deliver: Callable[[], None]):
    beat(arriving=3)
    deliver()

    watch.run_round()
    watch.run_round()

    (text,) = said(wires)
    assert "1 of the last 4 heartbeats by mail did not arrive" in text
    assert "accepted by the other side: look at the relay" in text
    assert len(wires.pagerduty.requests) == 1
    assert wires.deadman.requests == [], "it must not hear that all is well"


def test_the_alarm_says_that_messages_wait_when_no_worker_sends_them(watch: Watch, wires: Wires):
    beat(arriving=0)

    watch.run_round()

    assert "4 wait for a worker" in said(wires)[0]


def test_the_alarm_says_that_mail_goes_to_files(watch: Watch, wires: Wires, settings, tmp_path, deliver):
    settings.MAIL_DIR = tmp_path
    beat(arriving=0)
    deliver()

    watch.run_round()

    assert "There is no mail server (EMAIL_URL)" in said(wires)[0]


def test_workers_that_know_nothing_of_a_destination_are_found(watch: Watch, wires: Wires, settings):
    watch.since -= timedelta(seconds=60)
    settings.CANARY_PERIOD_SECONDS, settings.CANARY_MAIL_TO = 60, ""
    for _ in range(3):
        beat()
    assert watch.run_round(), "nobody asks for mail"

    settings.CANARY_MAIL_TO = "canary@mailbox.example"
    assert not watch.run_round()
    assert "No heartbeat goes out by mail" in said(wires)[0]
    assert len(wires.deadman.requests) == 1


def test_heartbeats_from_before_the_watch_tell_nothing_of_its_settings(watch: Watch, settings):
    settings.CANARY_MAIL_TO = ""
    for _ in range(3):
        beat()
    settings.CANARY_MAIL_TO = "canary@mailbox.example"

    assert watch.run_round()


def test_what_is_not_due_yet_is_not_missed(watch: Watch):
    heartbeats.publish()

    assert watch.run_round()


def test_an_alarm_ends_after_three_heartbeats_that_arrived_whole(
    watch: Watch, wires: Wires, caplog: pytest.LogCaptureFixture
):
    beat(arriving=2)
    watch.run_round()
    for _ in range(2):
        beat()
        time_passes(10)
        watch.run_round()
    assert len(said(wires)) == 1, "one good heartbeat after a bad one proves little"

    beat()
    time_passes(10)
    with caplog.at_level(logging.INFO, logger="canary"):
        watch.run_round()
        watch.run_round()

    assert len(said(wires)) == 2
    assert "All clear" in said(wires)[1]
    assert caplog.text.count("alarm cleared: arrival.email") == 1
    assert [each.json["event_action"] for each in wires.pagerduty.requests] == ["trigger", "resolve"]
    assert watch.run_round()


def test_what_arrives_late_counts_as_missed(watch: Watch, wires: Wires):
    beat()
    Probe.objects.filter(destination=MAIL).update(arrived_at=timezone.now())

    watch.run_round()

    assert "did not arrive in time" in said(wires)[0]
    assert "4 have arrived by now (100 %)" in said(wires)[0]


def test_staff_are_reminded_each_hour(watch: Watch, wires: Wires):
    beat(arriving=0)
    watch.run_round()
    Alarm.objects.update(claimed_until=None)
    time_passes(3700)
    watch.run_round()
    watch.run_round()

    assert len(said(wires)) == 2
    assert "Still wrong" in said(wires)[1]


def test_a_stuck_clock_is_noticed(watch: Watch, wires: Wires):
    watch.since -= timedelta(seconds=60)

    watch.run_round()

    assert "No heartbeat was published" in said(wires)[0]


def test_a_watch_that_has_just_started_waits_for_its_first_heartbeat(watch: Watch):
    assert watch.run_round()


def test_a_paused_channel_is_told(watch: Watch, wires: Wires):
    beat()
    Pause.objects.begin("email", "535 wrong password")

    watch.run_round()

    assert "E-mail is paused" in said(wires)[0]
    assert "535 wrong password" in said(wires)[0]


def test_two_watchers_tell_once(watch: Watch, wires: Wires):
    beat(arriving=0)
    other = Watch()

    for each in (watch, other, watch, other):
        each.run_round()

    assert len(said(wires)) == len(wires.pagerduty.requests) == 1


def test_what_one_watcher_alone_sees_is_not_cleared_by_the_other(page: Page, wires: Wires, watch: Watch):
    beat()
    alarms.update_alarms([Finding("documents", "The page is old.")], watch.accounts)

    assert not watch.run_round()
    assert Alarm.objects.open().count() == 1


def test_an_alarm_channel_that_fails_stops_no_other_and_is_tried_again(watch: Watch, wires: Wires, admin_client):
    wires.pagerduty.answer = lambda sent: Reply(500)
    beat(arriving=0)

    watch.run_round()
    watch.run_round()

    assert len(said(wires)) == 1
    assert len(wires.pagerduty.requests) == 1, "not each few seconds"
    shown = admin_client.get("/staff/").text
    assert "could not be told by PagerDuty: the server has an error (500)" in shown
    assert "heartbeats by mail did not arrive" in shown

    wires.pagerduty.answer = lambda sent: Reply(202)
    time_passes(61)
    watch.run_round()

    assert len(wires.pagerduty.requests) == 2
    assert len(said(wires)) == 1
    assert Alarm.objects.get().trouble == ""


def test_a_mistake_in_one_alarm_channel_stops_no_other(watch: Watch, wires: Wires, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("delivery.channels.pagerduty.compose", lambda notice: 1 / 0)
    beat(arriving=0)

    watch.run_round()

    assert len(said(wires)) == 1
    assert "internal error" in Alarm.objects.get().trouble


def test_a_watcher_that_dies_while_telling_is_replaced(watch: Watch, wires: Wires):
    beat(arriving=0)
    alarm = Alarm.objects.create(key="arrival.email", text="…")
    assert Alarm.objects.claim(alarm.pk, alarms.CLAIM_LASTS)

    watch.run_round()
    assert said(wires) == []
    time_passes(61)
    watch.run_round()
    assert len(said(wires)) == 1


def test_a_lost_database_raises_one_alarm_and_clears_it_once(
    watch: Watch, wires: Wires, monkeypatch: pytest.MonkeyPatch
):
    def gone(*args: Any) -> Any:
        raise OperationalError("gone")

    monkeypatch.setattr(watching.connection, "close", lambda: None)  # the test's own transaction
    with monkeypatch.context() as patch:
        patch.setattr(watching, "check_ledger", gone)
        watch.run_round()
        assert said(wires) == [], "a restart of the database is no alarm"
        watch._database_gone_since -= timedelta(minutes=1)
        watch.run_round()
        watch.run_round()
    assert len(said(wires)) == 1
    assert "The database does not answer" in said(wires)[0]

    watch.run_round()
    watch.run_round()

    assert len(said(wires)) == 2
    assert "All clear" in said(wires)[1]


def test_a_bug_in_a_round_does_not_end_the_watch_and_does_not_ping(
    watch: Watch, wires: Wires, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(watching, "check_ledger", lambda since: 1 / 0)

    assert not watch.run_round()
    assert wires.deadman.requests == []


def test_a_dead_mans_switch_that_does_not_answer_harms_nothing(watch: Watch, settings):
    settings.ALARM_DEADMAN_URL = "http://127.0.0.1:1/ping"
    beat()

    assert watch.run_round()


def test_a_deployment_without_a_canary_is_not_asked_for_heartbeats(page: Page):
    assert check_ledger(timezone.now() - timedelta(days=1)) == []


@pytest.mark.django_db
def test_the_home_screen_says_once_what_is_late():
    Alarm.objects.create(key="delivery.late", text="Notifications are late.", trouble="Slack: refused")
    Alarm.objects.create(key="heartbeat.stuck", text="No heartbeat.\nLook.")

    first, second = alarms.alarm_sentences()
    assert first == "This alarm could not be told by Slack: refused."
    assert second.endswith(": No heartbeat. Look.")
