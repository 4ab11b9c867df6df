"""Maintenance begins and ends at its time without staff, once, and never against them."""

import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from components.models import Component
from components.status import Status
from delivery.models import Notice
from incidents import tasks
from incidents.effects import effects_after
from incidents.models import Incident, Phase, Post
from pages.models import Page

START = datetime(2030, 1, 6, 2, 0, tzinfo=UTC)
END = START + timedelta(hours=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def work(acme, chat):
    return Incident.open(
        acme,
        "Database work",
        Post("Read-only for a while.", components={chat: Status.UNDER_MAINTENANCE}, window=(START, END)),
        kind="maintenance",
    ).incident


def advance(at):
    with time_machine.travel(at, tick=False):
        return tasks.advance_due(at)


def test_work_starts_and_ends_at_its_time_and_moves_its_components(work, chat):
    assert advance(START - MINUTE) == []
    assert [update.status for update in advance(START)] == [Phase.IN_PROGRESS]
    chat.refresh_from_db()
    assert chat.status == Status.UNDER_MAINTENANCE
    assert advance(END - MINUTE) == []
    assert [update.status for update in advance(END)] == [Phase.COMPLETED]
    chat.refresh_from_db()
    assert chat.status == Status.OPERATIONAL
    work.refresh_from_db()
    assert (work.monitoring_at, work.resolved_at) == (START, END)
    assert list(work.updates.values_list("author", flat=True))[:2] == ["schedule", "schedule"]
    assert Notice.objects.count() == 3


def test_doing_it_twice_tells_nothing_twice(work):
    assert len(advance(START)) == 1
    generation = Page.objects.get().generation
    assert advance(START) == advance(START + MINUTE) == []
    assert Page.objects.get().generation == generation


def test_work_that_was_missed_begins_and_ends_in_one_go(work, chat):
    """All workers were down for the whole window."""
    assert [update.status for update in advance(END + MINUTE)] == [Phase.IN_PROGRESS, Phase.COMPLETED]
    chat.refresh_from_db()
    assert chat.status == Status.OPERATIONAL


def test_a_component_that_another_incident_holds_is_left_to_it(work, acme, chat):
    advance(START)
    with time_machine.travel(START + MINUTE):
        Incident.open(acme, "Errors", Post("x", components={chat: Status.MAJOR_OUTAGE}))
    advance(END)
    chat.refresh_from_db()
    assert chat.status == Status.MAJOR_OUTAGE


def test_work_without_the_switches_waits_for_staff(work):
    Incident.objects.update(auto_start=False)
    assert advance(END) == []
    Incident.objects.update(auto_start=True, auto_complete=False)
    assert [update.status for update in advance(END)] == [Phase.IN_PROGRESS]


def test_staff_who_go_on_after_the_end_are_not_overruled(work):
    advance(END)
    with time_machine.travel(END + MINUTE):
        work.post(Post("It takes longer.", Phase.IN_PROGRESS))
    assert advance(END + 2 * MINUTE) == []


def test_work_that_was_put_off_starts_again_at_its_new_time(work):
    advance(START)
    day = timedelta(days=1)
    with time_machine.travel(START + MINUTE):
        work.post(Post("Tomorrow.", Phase.SCHEDULED, window=(START + day, END + day)))
    assert advance(END) == []
    assert [update.status for update in advance(START + day)] == [Phase.IN_PROGRESS]


def test_staff_who_start_it_at_the_same_moment_win(work, monkeypatch):
    """They post between the look at what is due and the post."""
    real = tasks._due

    def look_then_staff_post(phase, now):
        rows = real(phase, now)
        if rows:
            work.post(Post("We begin.", Phase.IN_PROGRESS, actor="ada"))
        return rows

    monkeypatch.setattr(tasks, "_due", look_then_staff_post)
    assert advance(START) == []
    assert work.updates.count() == 2


def test_one_that_fails_keeps_no_other_from_its_time(work, acme, caplog, monkeypatch):
    other = Incident.open(acme, "B", Post("b", window=(START, END)), kind="maintenance").incident

    def fail_for_one(phase: str, cause: str, *args: Any) -> dict[Component, Status]:
        if cause == work.code:
            raise RuntimeError("whatever it is")
        return effects_after(phase, cause, *args)

    monkeypatch.setattr("incidents.posting.effects_after", fail_for_one)
    with caplog.at_level(logging.ERROR):
        assert [update.incident for update in advance(START)] == [other]
    assert work.code in caplog.text
