"""What one post changes: everything that belongs to it, or nothing."""

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from components.models import Component, StatusSpan
from components.status import Impact, Status
from delivery.models import Notice
from incidents.models import Affected, Incident, Kind, Phase, Post, StaleUpdateError, Update
from incidents.phases import PHASES, likely_next, phases_after
from pages.models import AuditEntry, Page

LATER = datetime(2020, 12, 13, 2, 0, tzinfo=UTC)
WINDOW = (LATER, LATER + timedelta(hours=1))


def test_opening_stores_the_incident_its_first_update_the_audit_entry_and_one_notice(acme, chat):
    generation = acme.generation
    update = Incident.open(
        acme,
        "Errors on the Chat API",
        Post("We see **errors**.", components={chat: Status.PARTIAL_OUTAGE}, actor="ada"),
    )

    incident = Incident.objects.get()
    assert (incident.status, incident.impact, incident.started_at <= update.created_at) == (
        Phase.INVESTIGATING,
        Impact.MAJOR,
        True,
    )
    assert update.body_html == "<p>We see <strong>errors</strong>.</p>"
    acme.refresh_from_db()
    assert acme.generation > generation
    chat.refresh_from_db()
    assert chat.status == Status.PARTIAL_OUTAGE
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action) == ("ada", "incident.open")
    assert entry.detail["components"] == {"Chat - Chat API": ["operational", "partial_outage"]}
    notice = Notice.objects.get()
    assert (notice.code, notice.thread, notice.stage) == (update.code, incident.code, Notice.Stage.FIRST)
    assert notice.components == [
        {
            "code": chat.code,
            "name": "Chat - Chat API",
            "label": "Chat API",
            "old_status": "operational",
            "new_status": "partial_outage",
        }
    ]
    assert notice.link == f"https://status.acme.example/incidents/{incident.code}"


def test_spans_follow_the_posts_without_a_gap(acme, chat):
    first = Incident.open(acme, "Errors", Post("Looking.", components={chat: Status.MAJOR_OUTAGE}))
    second = first.incident.post(Post("Better.", Phase.MONITORING, components={chat: Status.OPERATIONAL}))

    spans = list(chat.spans.values_list("status", "started_at", "ended_at"))
    assert spans == [
        (Status.OPERATIONAL, chat.created_at, first.created_at),
        (Status.MAJOR_OUTAGE, first.created_at, second.created_at),
        (Status.OPERATIONAL, second.created_at, None),
    ]


def test_every_touched_component_is_kept_with_its_name_then_even_when_unchanged(acme, chat):
    update = Incident.open(acme, "Errors", Post("Looking.", components={chat: Status.OPERATIONAL}))
    chat.name = "Messaging API"
    chat.save()
    affected = Affected.objects.get()
    assert (affected.name, affected.old_status, affected.new_status) == ("Chat - Chat API", 0, 0)
    assert update.incident.components.get() == chat


def test_the_same_token_gives_the_first_calls_update(acme, incident):
    generation = Page.objects.get().generation
    first = incident.post(Post("Found it.", Phase.IDENTIFIED, token="t1"))
    again = incident.post(Post("Found it, twice.", Phase.RESOLVED, token="t1"))
    assert again == first
    assert incident.updates.count() == 2
    assert Notice.objects.count() == 2
    assert Page.objects.get().generation == generation + 1


def test_opening_twice_with_one_token_gives_one_incident(acme):
    first = Incident.open(acme, "Errors", Post("Looking.", token="t1"))
    assert Incident.open(acme, "Errors", Post("Looking.", token="t1")) == first
    assert Incident.objects.count() == 1


def test_somebody_else_posted_meanwhile(incident):
    seen = incident.updates.get().code
    other = incident.post(Post("I found it.", Phase.IDENTIFIED, actor="grace"))
    with pytest.raises(StaleUpdateError) as caught:
        incident.post(Post("Me too.", Phase.IDENTIFIED, actor="ada", seen=seen))
    assert caught.value.newer == [other]
    assert incident.updates.count() == 2

    incident.post(Post("Me too.", Phase.IDENTIFIED, actor="ada", seen=other.code))
    assert incident.updates.count() == 3


def test_an_update_that_was_never_on_screen_makes_all_of_them_newer(incident):
    with pytest.raises(StaleUpdateError) as caught:
        incident.post(Post("Blind.", Phase.IDENTIFIED, seen=""))
    assert len(caught.value.newer) == 1


def test_monitoring_and_resolved_times_are_kept_and_reopening_clears_the_end(incident):
    incident.post(Post("Fixed, watching.", Phase.MONITORING))
    watched = incident.monitoring_at
    incident.post(Post("Over.", Phase.RESOLVED))
    ended = incident.resolved_at
    assert incident.is_closed
    incident.post(Post("What we learned.", Phase.POSTMORTEM))
    assert (incident.monitoring_at, incident.resolved_at) == (watched, ended)

    incident.post(Post("It came back.", Phase.INVESTIGATING))
    assert (incident.is_closed, incident.resolved_at) == (False, None)
    incident.post(Post("Fixed again.", Phase.MONITORING))
    assert incident.monitoring_at == watched
    incident.post(Post("Over again.", Phase.RESOLVED))
    assert incident.resolved_at > ended


def test_a_postmortem_needs_a_resolved_incident(incident):
    with pytest.raises(ValidationError, match="once the incident is resolved"):
        incident.post(Post("What we learned.", Phase.POSTMORTEM))


def test_an_incident_cannot_begin_with_its_postmortem(acme):
    with pytest.raises(ValidationError, match="once the incident is resolved"):
        Incident.open(acme, "Errors", Post("What we learned.", status="postmortem"))


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": "\u202e "}, "name"),
        ({"body": " \x00\n"}, "body"),
        ({"status": "scheduled"}, "status"),
        ({"status": "on fire"}, "status"),
        ({"kind": "party"}, "kind"),
        ({"kind": "maintenance"}, "scheduled_for"),
        ({"kind": "maintenance", "window": (LATER, LATER)}, "scheduled_until"),
        ({"window": WINDOW}, "scheduled_for"),
        ({"kind": "maintenance", "status": "resolved", "window": WINDOW}, "status"),
        ({"at": datetime(2999, 1, 1, tzinfo=UTC)}, "at"),
    ],
)
def test_what_cannot_be_posted_is_refused_by_field_and_leaves_nothing(acme, fields, field):
    with pytest.raises(ValidationError) as caught:
        given = {"name": "Errors", "body": "Looking.", "kind": "incident"} | fields
        name, kind = given.pop("name"), given.pop("kind")
        Incident.open(acme, name, Post(**given), kind=kind)
    assert list(caught.value.message_dict) == [field]
    assert not Incident.objects.exists()
    assert not AuditEntry.objects.exists()


def test_the_refusal_names_what_can_be_posted(incident):
    with pytest.raises(ValidationError, match="investigating, identified, monitoring, resolved"):
        incident.post(Post("Hm.", "fixed"))


def test_a_component_of_another_page_is_refused(incident):
    other = Page.objects.create(name="Other", url="https://status.other.example")
    theirs = Component.objects.create(page=other, name="Theirs")
    with pytest.raises(ValidationError, match="same page"):
        incident.post(Post("Hm.", Phase.IDENTIFIED, components={theirs: Status.MAJOR_OUTAGE}))
    theirs.refresh_from_db()
    assert theirs.status == Status.OPERATIONAL


def test_hostile_text_is_cleaned_at_the_door(acme):
    update = Incident.open(acme, "A\x00B\r\nBcc: x\u202e", Post("one\x07\u2028two"))
    assert update.incident.name == "AB Bcc: x"
    assert update.body == "one\ntwo"


def test_markup_in_a_body_is_inert(incident):
    update = incident.post(Post('<img src=x onerror=alert(1)> <b hx-get="/x">b</b>', Phase.IDENTIFIED))
    assert "<img" not in update.body_html
    assert "<b" not in update.body_html


# Backdating


def test_backdating_dates_everything(acme, chat):
    Component.objects.filter(pk=chat.pk).update(created_at=LATER)
    chat.spans.update(started_at=LATER)
    at = LATER + timedelta(days=1)
    update = Incident.open(acme, "Errors", Post("Looking.", components={chat: Status.MAJOR_OUTAGE}, at=at))
    assert (update.created_at, update.display_at, update.incident.started_at) == (at, at, at)
    assert chat.spans.get(ended_at=None).started_at == at


def test_an_update_cannot_be_dated_before_what_was_told(acme, chat):
    with pytest.raises(ValidationError, match="Something newer was told"):
        Incident.open(acme, "Errors", Post("Looking.", components={chat: Status.MAJOR_OUTAGE}, at=LATER))
    incident = Incident.open(acme, "Errors", Post("Looking.")).incident
    with pytest.raises(ValidationError, match="Something newer was told"):
        incident.post(Post("Earlier.", Phase.IDENTIFIED, at=LATER))


def test_a_clock_that_runs_behind_does_not_fail_a_post(acme, chat):
    """Another server, some milliseconds ahead, moved the component last."""
    ahead = timezone.now() + timedelta(seconds=2)
    chat.spans.update(started_at=ahead)
    update = Incident.open(acme, "Errors", Post("Looking.", components={chat: Status.MAJOR_OUTAGE}))
    assert update.created_at == ahead


# Notices


def test_the_notice_says_where_in_its_thread_it_stands(incident):
    incident.post(Post("Found.", Phase.IDENTIFIED))
    incident.post(Post("Over.", Phase.RESOLVED))
    assert list(Notice.objects.order_by("pk").values_list("stage", flat=True)) == ["first", "middle", "last"]


def test_without_notify_nobody_is_told(acme):
    update = Incident.open(acme, "Errors", Post("Looking.", notify=False))
    assert not Notice.objects.exists()
    assert not update.deliver_notifications


def test_a_rolled_back_update_sends_nothing(incident, django_capture_on_commit_callbacks):
    before = Notice.objects.count()
    with django_capture_on_commit_callbacks() as rung, pytest.raises(RuntimeError), transaction.atomic():
        incident.post(Post("Found.", Phase.IDENTIFIED))
        raise RuntimeError
    assert rung == []
    assert Notice.objects.count() == before


def test_the_bell_rings_once_per_post(incident, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks() as rung:
        incident.post(Post("Found.", Phase.IDENTIFIED))
    assert len(rung) == 1


# Correcting a posted text


def test_correcting_a_text_renders_it_anew_and_tells_nobody(incident, acme, django_capture_on_commit_callbacks):
    update = incident.updates.get()
    generation, notices = Page.objects.get().generation, Notice.objects.count()
    with django_capture_on_commit_callbacks() as rung:
        update.rewrite("We are looking *into* it.", actor="ada")
    update.refresh_from_db()
    assert update.body_html == "<p>We are looking <em>into</em> it.</p>"
    assert update.updated_at > update.created_at
    assert Page.objects.get().generation == generation + 1
    assert (rung, Notice.objects.count()) == ([], notices)
    entry = AuditEntry.objects.first()
    assert (entry.actor, entry.action, entry.detail["before"]) == ("ada", "update.rewrite", "We are looking into it.")


def test_a_text_cannot_be_corrected_to_nothing(incident):
    update = incident.updates.get()
    with pytest.raises(ValidationError, match="Write what visitors"):
        update.rewrite(" \n", actor="ada")
    update.refresh_from_db()
    assert update.body == "We are looking into it."


# Phases


def test_a_form_offers_the_likely_next_phase():
    assert likely_next("incident", None) == Phase.INVESTIGATING
    assert likely_next("incident", "identified") == Phase.MONITORING
    assert likely_next("incident", "resolved") == Phase.POSTMORTEM
    assert likely_next("maintenance", "completed") == Phase.COMPLETED


@given(st.sampled_from(list(Kind)), st.sampled_from([None, *Phase]))
def test_the_likely_next_phase_can_always_be_posted(kind, current):
    if current is None or current in PHASES[kind]:
        assert likely_next(kind, current) in phases_after(kind, current)


@settings(deadline=None, max_examples=40)
@given(st.data())
@pytest.mark.django_db
def test_whatever_is_posted_spans_stay_whole_and_states_agree(data):
    """Any sequence of posts by two incidents leaves each component with one unbroken line of spans."""
    with transaction.atomic():
        page = Page.objects.create(name="P", url="https://p.example")
        parts = [Component.objects.create(page=page, name=name) for name in "ab"]
        incidents = [Incident.open(page, name, Post("x")).incident for name in "xy"]
        touch = st.dictionaries(st.sampled_from(parts), st.sampled_from(list(Status)))
        for _ in range(data.draw(st.integers(1, 6))):
            incident = data.draw(st.sampled_from(incidents))
            incident.refresh_from_db()
            phase = data.draw(st.sampled_from(phases_after(incident.kind, incident.status)))
            incident.post(Post("x", phase, components=data.draw(touch)))
            assert (incident.resolved_at is not None) == incident.is_closed
        for component in parts:
            component.refresh_from_db()
            spans = list(StatusSpan.objects.filter(component=component))
            assert [span.ended_at for span in spans] == [span.started_at for span in spans[1:]] + [None]
            assert spans[-1].status == component.status
            assert all(one.status != two.status for one, two in itertools.pairwise(spans))
        transaction.set_rollback(True)
    assert not Update.objects.exists()
