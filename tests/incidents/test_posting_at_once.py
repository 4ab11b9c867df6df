"""Two people press the button in the same moment; the broker is gone; a callback raises. Real threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction

from components.models import Component
from components.status import Status
from delivery.models import Notice
from incidents.models import Incident, Phase, Post, StaleUpdateError, Update
from pages.models import AuditEntry, Page

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """The results of `calls`, begun together in threads of their own; an exception is a result too."""
    start = threading.Barrier(len(calls), timeout=10)

    def run(call: Callable[[], Any]) -> Any:
        try:
            start.wait()
            return call()
        except Exception as error:  # whatever it is, the test looks at it
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return [future.result(timeout=30) for future in [pool.submit(run, call) for call in calls]]


def post(incident: Incident, body: str, **fields: Any) -> Update:
    return Incident.objects.get(pk=incident.pk).post(Post(body, Phase.IDENTIFIED, **fields))


def test_two_posts_at_once_are_both_kept_in_turn(incident, chat):
    component = {chat: Status.MAJOR_OUTAGE}, {chat: Status.DEGRADED_PERFORMANCE}
    results = at_once(*[lambda each=each: post(incident, "Found.", components=each) for each in component])
    assert all(isinstance(result, Update) for result in results), results
    first, second = incident.updates.order_by("pk")[1:]
    assert first.affected.get().new_status == second.affected.get().old_status
    chat.refresh_from_db()
    spans = list(chat.spans.all())
    assert [span.ended_at for span in spans] == [span.started_at for span in spans[1:]] + [None]
    assert spans[-1].status == chat.status == second.affected.get().new_status


def test_of_two_who_saw_the_same_state_the_second_is_told(incident):
    seen = incident.updates.get().code
    results = at_once(*[lambda body=body: post(incident, body, seen=seen) for body in ("one", "two")])
    posted = next(result for result in results if isinstance(result, Update))
    refused = next(result for result in results if isinstance(result, StaleUpdateError))
    assert refused.newer == [posted]
    assert incident.updates.count() == 2


def test_a_doubled_submit_gives_one_update_one_notice_and_one_audit_entry(incident):
    results = at_once(*[lambda: post(incident, "Found.", token="same") for _ in range(4)])
    assert len(set(results)) == 1
    assert isinstance(results[0], Update)
    assert (incident.updates.count(), Notice.objects.count(), AuditEntry.objects.count()) == (2, 2, 2)


def test_a_doubled_new_incident_is_one_incident(acme):
    results = at_once(*[lambda: Incident.open(acme, "Errors", Post("Looking.", token="same")) for _ in range(4)])
    assert len(set(results)) == 1
    assert Incident.objects.count() == 1


def test_every_post_raises_the_generation(incident):
    before = Page.objects.get().generation
    at_once(*[lambda: post(incident, "Found.") for _ in range(4)])
    assert Page.objects.get().generation == before + 4


def test_posts_on_two_pages_do_not_fail_each_other(incident):
    other = Page.objects.create(name="Other", url="https://status.other.example")
    part = Component.objects.create(page=other, name="Part")
    results = at_once(
        lambda: post(incident, "Found."),
        lambda: Incident.open(other, "Errors", Post("Looking.", components={part: Status.MAJOR_OUTAGE})),
    )
    assert all(isinstance(result, Update) for result in results), results


def test_a_raising_callback_neither_fails_the_post_nor_silences_the_bell(incident, monkeypatch):
    rung: list[tuple[Any, ...]] = []
    monkeypatch.setattr("core.wake.wake_worker", lambda task, *args: rung.append((task, *args)))

    def explode() -> None:
        raise RuntimeError("boom")

    with transaction.atomic():
        transaction.on_commit(explode, robust=True)
        update = incident.post(Post("Found.", Phase.IDENTIFIED))
    assert rung == [("delivery.tasks.fan_out", Notice.objects.get(code=update.code).pk)]


def test_a_post_that_fails_half_way_leaves_nothing(incident, chat, monkeypatch):
    before = (Page.objects.get().generation, AuditEntry.objects.count(), Notice.objects.count())

    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("the very last step")

    monkeypatch.setattr("incidents.posting.publish_notice", fail)
    with pytest.raises(RuntimeError):
        post(incident, "Found.", components={chat: Status.MAJOR_OUTAGE})
    chat.refresh_from_db()
    assert chat.status == Status.OPERATIONAL
    assert incident.updates.count() == 1
    assert (Page.objects.get().generation, AuditEntry.objects.count(), Notice.objects.count()) == before
