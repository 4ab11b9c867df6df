"""Where several incidents, maintenance and staff speak of one component, it shows the worst of what they say."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from components.effects import set_base_status
from components.models import Component, Effect
from components.status import Impact, Status
from delivery.models import Notice
from incidents.models import CLOSED, Affected, Incident, Phase, Post
from incidents.phases import phases_after
from pages.models import AuditEntry, Page

OK, WORK, SLOW, PARTIAL, DOWN = Status


class Story:
    """One component, and incidents by a letter; W is maintenance. Each step is (verb, letter, status)."""

    def __init__(self, chat: Component) -> None:
        self.chat, self.told = chat, {}

    def take(self, verb: str, letter: str = "", status: Status | None = None) -> Status:
        named = {} if status is None else {Component.objects.get(pk=self.chat.pk): status}
        getattr(self, f"_{verb}")(letter, named)
        self.chat.refresh_from_db()
        return Status(self.chat.status)

    def _open(self, letter: str, named: dict[Component, Status]) -> None:
        self.told[letter] = Incident.open(self.chat.page, letter, Post("x", components=named)).incident

    def _plan(self, letter: str, named: dict[Component, Status]) -> None:
        start = timezone.now() + timedelta(hours=1)
        post = Post("x", components=named, window=(start, start + timedelta(hours=1)))
        self.told[letter] = Incident.open(self.chat.page, letter, post, kind="maintenance").incident

    def _post(self, letter: str, phase: Phase | str, named: dict[Component, Status]) -> None:
        Incident.objects.get(pk=self.told[letter].pk).post(Post("x", phase, components=named))

    def _update(self, letter: str, named: dict[Component, Status]) -> None:
        self._post(letter, "", named)

    def _start(self, letter: str, named: dict[Component, Status]) -> None:
        self._post(letter, Phase.IN_PROGRESS, named)

    def _verify(self, letter: str, named: dict[Component, Status]) -> None:
        self._post(letter, Phase.VERIFYING, named)

    def _postpone(self, letter: str, named: dict[Component, Status]) -> None:
        self._post(letter, Phase.SCHEDULED, named)

    def _end(self, letter: str, named: dict[Component, Status]) -> None:
        self._post(letter, Phase.COMPLETED if letter == "W" else Phase.RESOLVED, named)

    def _reopen(self, letter: str, named: dict[Component, Status]) -> None:
        self._post(letter, Phase.IDENTIFIED, named)

    def _learn(self, letter: str, named: dict[Component, Status]) -> None:
        self._post(letter, Phase.POSTMORTEM, named)

    def _delete(self, letter: str, named: dict[Component, Status]) -> None:
        Incident.objects.get(pk=self.told[letter].pk).delete()

    def _base(self, letter: str, named: dict[Component, Status]) -> None:
        for component, status in named.items():
            set_base_status(component, status, actor="ada")


# Each step with the status that the component shows after it.
STORIES: dict[str, list[tuple[tuple[Any, ...], Status]]] = {
    "maintenance that began during an outage is what is left of both": [
        (("open", "A", DOWN), DOWN), (("plan", "W", WORK), DOWN), (("start", "W"), DOWN), (("end", "A"), WORK),
        (("end", "W"), OK),
    ],
    "an outage that began during maintenance ends first": [
        (("plan", "W", WORK), OK), (("start", "W"), WORK), (("open", "A", DOWN), DOWN), (("end", "A"), WORK),
        (("verify", "W"), WORK), (("end", "W"), OK),
    ],
    "an update that does not name the component goes on saying what was said": [
        (("open", "B", SLOW), SLOW), (("open", "A", DOWN), DOWN), (("update", "B"), DOWN), (("end", "A"), SLOW),
        (("end", "B"), OK),
    ],
    "a milder incident opened later makes nothing milder": [
        (("open", "A", DOWN), DOWN), (("open", "B", SLOW), DOWN), (("end", "B"), DOWN), (("end", "A"), OK),
    ],
    "what an incident takes back holds nothing": [
        (("open", "A", DOWN), DOWN), (("open", "B", PARTIAL), DOWN), (("update", "B", OK), DOWN), (("end", "A"), OK),
    ],
    "an incident gets milder and worse": [
        (("open", "A", DOWN), DOWN), (("update", "A", SLOW), SLOW), (("update", "A", PARTIAL), PARTIAL),
        (("end", "A"), OK),
    ],
    "maintenance frees a component early and does not take it again": [
        (("plan", "W", WORK), OK), (("start", "W"), WORK), (("update", "W", OK), OK), (("verify", "W"), OK),
        (("end", "W"), OK),
    ],
    "maintenance that is postponed frees its components": [
        (("plan", "W", WORK), OK), (("start", "W"), WORK), (("postpone", "W"), OK), (("start", "W"), WORK),
        (("delete", "W"), OK),
    ],
    "maintenance may say worse than under maintenance": [
        (("plan", "W", WORK), OK), (("start", "W", PARTIAL), PARTIAL), (("verify", "W"), PARTIAL), (("end", "W"), OK),
    ],
    "an incident that is opened again says what it names": [
        (("open", "A", DOWN), DOWN), (("end", "A"), OK), (("reopen", "A"), OK), (("update", "A", SLOW), SLOW),
        (("end", "A"), OK), (("learn", "A"), OK),
    ],
    "deleting an open incident ends what it said": [
        (("open", "A", DOWN), DOWN), (("open", "B", SLOW), DOWN), (("delete", "A"), SLOW), (("delete", "B"), OK),
    ],
    "the base status is shown while nobody says that something is wrong": [
        (("base", "", SLOW), SLOW), (("open", "A", DOWN), DOWN), (("base", "", PARTIAL), DOWN),
        (("update", "A", OK), PARTIAL), (("end", "A"), PARTIAL), (("base", "", OK), OK),
    ],
    "the base status gives way to a milder incident": [
        (("base", "", DOWN), DOWN), (("open", "A", SLOW), SLOW), (("end", "A"), DOWN),
    ],
    "what is said while an incident ends is said of the component itself": [
        (("open", "A", DOWN), DOWN), (("end", "A", SLOW), SLOW), (("open", "B", PARTIAL), PARTIAL),
        (("end", "B"), SLOW), (("learn", "B", OK), OK),
    ],
    "an end names a component that another incident still holds": [
        (("open", "A", DOWN), DOWN), (("open", "B", SLOW), DOWN), (("end", "A", OK), SLOW), (("end", "B"), OK),
    ],
}  # fmt: skip


@pytest.mark.parametrize("steps", STORIES.values(), ids=STORIES.keys())
def test_a_component_shows_the_worst_of_what_is_said(chat: Component, steps: Any) -> None:
    story = Story(chat)
    for step, shown in steps:
        assert story.take(*step) == shown, f"after {step}"
    check_spans(chat)


def check_spans(component: Component) -> None:
    """They touch, differ from their neighbours, and the last one is what is shown."""
    spans = list(component.spans.all())
    assert all(one.ended_at == two.started_at and one.status != two.status for one, two in pairwise(spans))
    assert (spans[-1].ended_at, spans[-1].status) == (None, component.status)


def test_an_update_tells_what_is_shown_and_keeps_what_the_incident_itself_says(acme: Page, chat: Component) -> None:
    Incident.open(acme, "A", Post("a", components={chat: DOWN}))
    milder = Incident.open(acme, "B", Post("b", components={chat: SLOW}))
    row = milder.affected.get()
    assert (row.effect, row.old_status, row.new_status) == (SLOW, DOWN, DOWN)
    assert milder.incident.impact == Impact.MINOR, "the impact is its own"


def test_the_end_of_an_incident_names_every_component_that_it_frees(
    acme: Page, chat: Component, website: Component
) -> None:
    incident = Incident.open(acme, "A", Post("a", components={chat: DOWN, website: SLOW})).incident
    end = incident.post(Post("Over.", Phase.RESOLVED))
    assert {(each.code, each.old_status, each.new_status) for each in end.affected.all()} == {
        (chat.code, DOWN, OK),
        (website.code, SLOW, OK),
    }
    learned = incident.post(Post("Why.", Phase.POSTMORTEM))
    assert not learned.affected.exists(), "it is about what is over"


def test_a_base_status_is_audited_and_raises_the_generation(acme: Page, chat: Component) -> None:
    before = Page.objects.get().generation
    set_base_status(chat, DOWN, actor="ada")
    set_base_status(chat, DOWN, actor="ada")
    assert Page.objects.get().generation == before + 1
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.target) == ("ada", "component.base_status", "Chat - Chat API")
    assert (entry.detail["before"], entry.detail["after"]) == ("operational", "major_outage")


class Everything(RuleBasedStateMachine):
    """Open, update, resolve, delete, reschedule, set base statuses: in any order, on shared components."""

    def __init__(self) -> None:
        super().__init__()
        self.transaction = transaction.atomic()
        self.transaction.__enter__()
        self.page = Page.objects.create(name="P", url="https://p.example")
        self.parts = [Component.objects.create(page=self.page, name=name) for name in "ab"]

    def named(self, data: Any) -> dict[Component, Status]:
        chosen = data.draw(st.dictionaries(st.integers(0, 1), st.sampled_from(list(Status))))
        return {Component.objects.get(pk=self.parts[number].pk): status for number, status in chosen.items()}

    def one(self, data: Any) -> Incident:
        return data.draw(st.sampled_from(list(Incident.objects.filter(page=self.page).order_by("pk"))))

    @rule(data=st.data())
    def open(self, data: Any) -> None:
        Incident.open(self.page, "x", Post("x", components=self.named(data)))

    @rule(data=st.data())
    def plan(self, data: Any) -> None:
        start = timezone.now()
        post = Post("x", components=self.named(data), window=(start, start + timedelta(hours=1)))
        Incident.open(self.page, "x", post, kind="maintenance")

    @precondition(lambda self: self.page.incidents.exists())
    @rule(data=st.data())
    def tell(self, data: Any) -> None:
        incident = self.one(data)
        phase = data.draw(st.sampled_from(phases_after(incident.kind, incident.status)))
        incident.post(Post("x", phase, components=self.named(data)))

    @precondition(lambda self: self.page.incidents.filter(kind="maintenance").exists())
    @rule(data=st.data(), hours=st.integers(1, 100))
    def reschedule(self, data: Any, hours: int) -> None:
        incident = data.draw(st.sampled_from(list(self.page.incidents.filter(kind="maintenance").order_by("pk"))))
        start = timezone.now() + timedelta(hours=hours)
        incident.post(Post("x", incident.status, window=(start, start + timedelta(hours=2))))

    @precondition(lambda self: self.page.incidents.exists())
    @rule(data=st.data())
    def delete(self, data: Any) -> None:
        self.one(data).delete()

    @rule(number=st.integers(0, 1), status=st.sampled_from(list(Status)))
    def set_base(self, number: int, status: Status) -> None:
        set_base_status(Component.objects.get(pk=self.parts[number].pk), status, actor="ada")

    @invariant()
    def what_is_shown_follows_from_what_was_told(self) -> None:
        for part in Component.objects.filter(page=self.page):
            said = [told for incident in self.page.incidents.all() if (told := _last_said(incident, part))]
            assert part.status == (max(said, default=OK) or part.base_status)
            check_spans(part)
        codes = set(self.page.incidents.exclude(status__in=[*CLOSED, Phase.SCHEDULED]).values_list("code", flat=True))
        assert set(Effect.objects.values_list("cause", flat=True)) <= codes

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.transaction.__exit__(None, None, None)


def _last_said(incident: Incident, part: Component) -> Status | None:
    """Read from the updates, not from the effects: what an incident under way last said of a component."""
    if incident.is_closed or incident.status == Phase.SCHEDULED:
        return None
    rows = Affected.objects.filter(update__incident=incident, component=part).order_by("-update_id")
    row = rows.first()
    return Status(row.effect) if row else None


def test_whatever_happens_in_whatever_order_the_worst_is_shown(db: None) -> None:
    is_long = hypothesis_settings.get_current_profile_name() == "long"
    size = {} if is_long else {"max_examples": 25, "stateful_step_count": 15}
    run_state_machine_as_test(
        Everything, settings=hypothesis_settings(deadline=None, suppress_health_check=list(HealthCheck), **size)
    )


def test_what_changed_while_a_post_was_written_is_seen(acme: Page, chat: Component, website: Component) -> None:
    """Deleted: the post is refused in words. Hidden: nobody is told its name."""
    stale = {Component.objects.get(pk=each.pk): DOWN for each in (chat, website)}
    Component.objects.filter(pk=website.pk).update(hidden=True)
    update = Incident.open(acme, "A", Post("a", components=stale))
    assert [each["name"] for each in Notice.objects.get(code=update.code).components] == [chat.full_name]
    chat.delete()
    with pytest.raises(ValidationError, match="was deleted meanwhile"):
        Incident.open(acme, "B", Post("b", components=stale))
    assert not Incident.objects.filter(name="B").exists()
