"""Posting from a terminal: what the command prints, what it posts, and errors that say what would be right."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command

from components.models import Component, Group
from components.status import Status
from delivery.models import Account, Notice
from incidents.models import Incident, Phase, Post, Update
from pages.models import AuditEntry, Page
from subscribers.models import Subscriber

WORK = ("open", "E", "--body", "x", "--kind", "maintenance")


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: "oncall")

    def run(*args: str) -> str:
        output = io.StringIO()
        call_command("incident", *args, stdout=output)
        return output.getvalue()

    return run


def test_open_prints_the_code_alone(run, chat, website):
    printed = run(
        *("open", "Errors", "--status", "identified", "--body", "We *see* it."),
        *("--component", "Chat API=partial_outage", "--component", "website = degraded_performance"),
    )
    update = Update.objects.get()
    assert printed == f"{update.incident.code}\n"
    assert (update.status, update.author) == (Phase.IDENTIFIED, "cli:oncall")
    assert AuditEntry.objects.get().actor == "cli:oncall"
    assert Notice.objects.count() == 1
    chat.refresh_from_db()
    website.refresh_from_db()
    assert (chat.status, website.status) == (Status.PARTIAL_OUTAGE, Status.DEGRADED_PERFORMANCE)


def test_open_without_a_status_begins_at_the_first(run, chat):
    run("open", "Errors", "--body", "x", "--no-notify")
    assert Incident.objects.get().status == Phase.INVESTIGATING
    assert not Notice.objects.exists()


def test_a_body_of_dash_is_read_from_standard_input(run, chat, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("From\na pipe.\n"))
    run("open", "Errors", "--body", "-")
    assert Update.objects.get().body == "From\na pipe."


def test_maintenance_is_given_in_the_pages_zone_or_with_an_offset(run, acme, chat):
    acme.time_zone = "Asia/Singapore"
    acme.save()
    run(
        *("open", "Work", "--body", "x", "--kind", "maintenance"),
        *("--from", "2030-01-06T10:00", "--until", "2030-01-06T03:00+00:00"),
        *("--component", "Chat - Chat API=under_maintenance"),
    )
    planned = Incident.objects.get()
    assert planned.window == (datetime(2030, 1, 6, 2, tzinfo=UTC), datetime(2030, 1, 6, 3, tzinfo=UTC))
    assert list(planned.components.all()) == [chat]


def test_update_keeps_status_and_components_that_it_does_not_name(run, acme, chat):
    incident = Incident.open(acme, "A", Post("a", status="identified", components={chat: Status.MAJOR_OUTAGE})).incident
    assert run("update", incident.code, "--body", "Still.") == "A: Identified (nobody to tell)\n"
    assert incident.updates.first().affected.get().new_status == Status.MAJOR_OUTAGE
    run(
        "update",
        incident.code,
        "--status",
        "monitoring",
        "--body",
        "Better.",
        "--component",
        f"{chat.code}=operational",
    )
    chat.refresh_from_db()
    assert chat.status == Status.OPERATIONAL


def test_an_update_says_how_many_will_be_told(run, acme, chat, website):
    incident = Incident.open(acme, "A", Post("a", components={chat: Status.MAJOR_OUTAGE}, notify=False)).incident
    for number in range(3):
        Subscriber.objects.create(page=acme, address=f"p{number}@x.example", state=Subscriber.State.ACTIVE)
    Account.objects.create(page=acme, channel="x", name="@acme")  # not connected: it will not be told
    assert run("update", incident.code, "--body", "Still.") == "A: Investigating (3 will be told)\n"


def test_resolve_frees_components_that_no_other_open_incident_holds(run, acme, chat, website):
    incident = Incident.open(
        acme, "A", Post("a", components={chat: Status.MAJOR_OUTAGE, website: Status.MAJOR_OUTAGE})
    ).incident
    Incident.open(acme, "B", Post("b", components={website: Status.PARTIAL_OUTAGE}))
    assert run("resolve", incident.code, "--no-notify") == "A: Resolved (nobody told, as you chose)\n"
    chat.refresh_from_db()
    website.refresh_from_db()
    assert (chat.status, website.status) == (Status.OPERATIONAL, Status.PARTIAL_OUTAGE)
    with pytest.raises(CommandError, match="is resolved already"):
        run("resolve", incident.code)


def test_resolve_completes_maintenance(run, acme, chat):
    window = datetime(2030, 1, 6, 2, tzinfo=UTC), datetime(2030, 1, 6, 3, tzinfo=UTC)
    work = Incident.open(acme, "W", Post("w", status="in_progress", window=window), kind="maintenance").incident
    run("resolve", work.code)
    work.refresh_from_db()
    assert work.status == Phase.COMPLETED


def test_list_shows_what_is_open_and_all_on_demand(run, acme, chat):
    assert run("list") == "Nothing is open or planned.\n"
    first = Incident.open(acme, "Errors on the Chat API", Post("a")).incident
    second = Incident.open(acme, "B", Post("b")).incident
    second.post(Post("Over.", Phase.RESOLVED))
    assert [line.split()[0] for line in run("list").splitlines()] == [first.code]
    assert first.name in run("list")
    assert len(run("list", "--all").splitlines()) == 2


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["open", "E", "--body", "x", "--component", "Chat APJ=major_outage"], "Did you mean Chat - Chat API"),
        (["open", "E", "--body", "x", "--component", "zzzzzz=major_outage"], "There is no component “zzzzzz”.$"),
        (["open", "E", "--body", "x", "--component", "Chat API=broken"], "use one of operational, under_maintenance"),
        (["open", "E", "--body", "x", "--component", "Chat API"], "write NAME=STATUS"),
        (["open", "E", "--body", "x", "--status", "fixed"], "use one of investigating, identified"),
        (["open", "E", "--body", " "], "Write what visitors should know"),
        (["open", " ", "--body", "x"], r"^Write a title\.$"),
        (["open", "E", "--body", "x", "--kind", "maintenance"], "needs a start and an end"),
        (["open", "E", "--body", "x", "--from", "2030-01-06T02:00"], "add --kind maintenance"),
        (["open", "E", "--body", "x", "--until", "2030-01-06T02:00"], "add --kind maintenance"),
        ([*WORK, "--from", "tomorrow"], "is not a time; write one such as"),
        ([*WORK, "--from", "2030-02-31T10:00"], "is not a time; write one such as"),
        (["open", "E", "--body", "x", "--page", "no.example"], "There is no page “no.example”. Pages: status.acme"),
        (["open", "E", "--body", "x", "--kind", "party"], "invalid choice"),
        (["open", "E"], "--body"),
        (["update", "nosuchcode00", "--body", "x"], "“manage.py incident list” shows the codes"),
        (["resolve", "nosuchcode00"], "There is no incident"),
        ([], "the following arguments are required: {open,update,resolve,list}"),
    ],
)
def test_a_mistake_is_answered_with_what_would_be_right_and_posts_nothing(run, acme, chat, args, message):
    with pytest.raises(CommandError, match=message):
        run(*args)
    assert not Incident.objects.exists()


def test_a_name_that_two_components_have_must_be_made_clear(run, acme, chat):
    Component.objects.create(page=acme, group=Group.objects.create(page=acme, name="Video"), name="Chat API")
    with pytest.raises(CommandError, match="Chat - Chat API, Video - Chat API"):
        run("open", "E", "--body", "x", "--component", "Chat API=major_outage")
    run("open", "E", "--body", "x", "--component", "Video - Chat API=major_outage")


def test_with_several_pages_one_is_named(run, acme, chat):
    other = Page.objects.create(name="Other", url="https://status.other.example")
    with pytest.raises(CommandError, match=r"Name it with --page\. Pages: status\.acme\.example, status\.other"):
        run("open", "E", "--body", "x")
    run("open", "E", "--body", "x", "--page", "status.other.example")
    assert Incident.objects.get().page == other


@pytest.mark.parametrize("where", [[], ["--page", "status.example.org"]])
@pytest.mark.django_db
def test_where_there_is_no_page_it_says_where_to_make_one(run, where):
    with pytest.raises(CommandError, match="no page yet: sign in at /staff/"):
        run("open", "Down", "--body", "x", *where)


def test_a_postmortem_follows_a_resolved_incident_only(run, acme, incident):
    with pytest.raises(CommandError, match="once the incident is resolved"):
        run("update", incident.code, "--status", "postmortem", "--body", "x")
    run("resolve", incident.code)
    run("update", incident.code, "--status", "postmortem", "--body", "What we learned.")
    incident.refresh_from_db()
    assert incident.status == Phase.POSTMORTEM


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ("2027-03-28T02:30", "does not exist in Europe/Berlin"),
        ("2027-10-31T02:30", r"2027-10-31T02:30\+02:00 \(CEST\) or 2027-10-31T02:30\+01:00 \(CET\)"),
    ],
)
def test_a_time_that_clocks_skip_or_double_is_refused_in_words(run, acme, start, words):
    acme.time_zone = "Europe/Berlin"
    acme.save()
    end = start.replace("T02:30", "T05:00")
    with pytest.raises(CommandError, match=words):
        run("open", "W", "--kind", "maintenance", "--from", start, "--until", end, "--body", "w")
    if "10-31" in start:
        run("open", "W", "--kind", "maintenance", "--from", f"{start}+01:00", "--until", end, "--body", "w")
        assert Incident.objects.get().scheduled_for == datetime(2027, 10, 31, 1, 30, tzinfo=UTC)
