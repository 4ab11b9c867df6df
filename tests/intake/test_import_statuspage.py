"""manage.py import_statuspage on documents of our own: what is stored, what is reported, what is refused."""

import json
from collections import Counter
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from components.models import Component, Group
from components.status import Status
from delivery.models import Notice
from incidents.models import Incident, Post, Update
from incidents.tasks import advance_due
from intake.management.commands.import_statuspage import describe
from pages.models import AuditEntry, Page
from public.documents import api_v2 as api
from public.documents import feeds
from public.snapshot import build

FIXTURES = Path(__file__).parent / "fixtures"
SUMMARY, ATOM = FIXTURES / "summary.json", FIXTURES / "history.atom"
pytestmark = pytest.mark.django_db


def run(*arguments: object) -> tuple[str, str]:
    output, errors = StringIO(), StringIO()
    call_command("import_statuspage", *map(str, arguments), stdout=output, stderr=errors)
    return output.getvalue(), errors.getvalue()


def refused(*arguments: object) -> str:
    with pytest.raises(CommandError) as refusal:
        run(*arguments)
    assert not Page.objects.exists()
    assert not Incident.objects.exists()
    return str(refusal.value)


def partly(*arguments: object) -> str:
    """What was said of an import that had to leave something out."""
    errors = StringIO()
    with pytest.raises(CommandError) as losses:
        call_command("import_statuspage", *map(str, arguments), stdout=StringIO(), stderr=errors)
    assert losses.value.returncode == 3
    return errors.getvalue()


@pytest.fixture
def changed(tmp_path: Path) -> Any:
    """The summary with something changed in it, as a file."""

    def write(change: Any) -> Path:
        document = json.loads(SUMMARY.read_text())
        change(document)
        path = tmp_path / "changed.json"
        path.write_text(json.dumps(document))
        return path

    return write


def test_a_summary_comes_back_key_by_key_and_value_by_value() -> None:
    run(SUMMARY)
    served = json.loads(api.to_json(api.summary(build(Page.objects.get()))))
    assert json.dumps(served) == json.dumps(json.loads(SUMMARY.read_text()))


def test_importing_again_changes_nothing() -> None:
    run(SUMMARY)
    before = Page.objects.get()
    output, _ = run(SUMMARY)
    assert "new" not in output
    assert " changed" not in output
    after = Page.objects.get()
    assert (after.generation, after.updated_at) == (before.generation, before.updated_at)


def test_one_import_is_one_generation_one_audit_entry_and_no_notice() -> None:
    run(SUMMARY)
    assert Page.objects.get().generation == 2
    assert AuditEntry.objects.get(action="page.import").detail["incident new"] == 1
    assert not Notice.objects.exists()


def test_imported_work_whose_time_has_come_does_not_begin_by_itself() -> None:
    run(SUMMARY)
    assert advance_due(datetime(2030, 1, 1, tzinfo=UTC)) == []
    assert Incident.objects.get(code="acme00mnt001").status == "scheduled"


def test_a_later_recording_brings_what_is_new(changed: Any) -> None:
    run(SUMMARY)

    def resolve(document: Any) -> None:
        incident = document["incidents"][0]
        incident |= {"status": "resolved", "resolved_at": "2026-03-10T12:00:00.000+01:00"}
        newest = incident["incident_updates"][0]
        incident["incident_updates"].insert(0, newest | {
            "id": "acme00upd009", "status": "resolved", "body": "All well.",
            "created_at": "2026-03-10T12:00:00.000+01:00", "updated_at": "2026-03-10T12:00:00.000+01:00",
            "display_at": "2026-03-10T12:00:00.000+01:00", "affected_components": [
                {"code": "acme00comp01", "name": "Chat - Chat API", "old_status": "partial_outage", "new_status": "operational"}
            ],
        })  # fmt: skip
        document["components"][1] |= {"status": "operational", "updated_at": "2026-03-10T12:00:00.000+01:00"}
        document["page"]["updated_at"] = "2026-03-10T12:00:01.000+01:00"

    output, _ = run(changed(resolve))
    assert "1 update new" in output
    assert Incident.objects.get(code="acme00inc001").status == "resolved"
    api_component = Component.objects.get(code="acme00comp01")
    assert Status(api_component.status) is Status.OPERATIONAL
    assert Page.objects.get().updated_at == datetime(2026, 3, 10, 11, 0, 1, tzinfo=UTC)


def test_the_past_of_a_component_is_told_by_its_updates() -> None:
    run(SUMMARY)
    spans = Component.objects.get(code="acme00comp01").spans.values_list("status", "started_at")
    assert [(Status(status), f"{started:%Y-%m-%d %H:%M}") for status, started in spans] == [
        (Status.OPERATIONAL, "2025-01-01 08:00"),
        (Status.MAJOR_OUTAGE, "2026-03-10 10:00"),
        (Status.PARTIAL_OUTAGE, "2026-03-10 10:30"),
    ]


def test_once_staff_have_posted_an_import_leaves_the_past_alone(changed: Any) -> None:
    run(SUMMARY)
    component = Component.objects.get(code="acme00comp03")
    posted = Incident.open(Page.objects.get(), "Ours", Post("Words.", components={component: Status.MAJOR_OUTAGE}))
    posted.incident.post(Post("Well again.", "resolved", components={component: Status.OPERATIONAL}))
    before = list(component.spans.values_list("pk", flat=True))
    run(changed(lambda document: document["components"][3].update(name="Web")))
    assert list(component.spans.values_list("pk", flat=True)) == before
    assert Incident.objects.filter(name="Ours").exists()


def test_a_feed_comes_back_with_its_years_and_dates() -> None:
    run(ATOM, "--time-zone", "Europe/Berlin")
    page = Page.objects.get()
    assert (page.name, page.url, page.time_zone) == ("Acme", "https://status.acme.example", "Europe/Berlin")
    old = Incident.objects.get(code="acme00inc000")
    assert (old.feed_number, old.name, old.status) == (900, "Slow &amp; steady <b>", "postmortem")
    told = [(update.status, update.display_at, update.body) for update in old.updates.all()]
    assert told == [
        ("postmortem", datetime(2026, 1, 9, 9, 0, tzinfo=UTC), "What went wrong."),
        ("resolved", datetime(2026, 1, 1, 23, 20, 15, tzinfo=UTC), "Done."),
        (
            "investigating",
            datetime(2025, 12, 31, 22, 50, tzinfo=UTC),
            "Still looking.\nSee [more](https://acme.example/x).",
        ),
        ("investigating", datetime(2025, 12, 31, 22, 40, tzinfo=UTC), "Looking."),
    ]
    assert old.resolved_at == datetime(2026, 1, 1, 23, 20, 15, tzinfo=UTC)
    planned = Incident.objects.get(code="acme00mnt001")
    assert planned.scheduled_until == datetime(2026, 4, 1, 1, 0, tzinfo=UTC)
    listed = feeds.feed_items(build(page), feeds.Dates.STATUSPAGE)
    assert [feeds.item_date(each, feeds.Dates.STATUSPAGE).isoformat() for each in listed] == [
        "2026-04-01T00:00:00+00:00",
        "2026-01-01T23:20:15+00:00",
    ]


def test_json_after_a_feed_completes_it_without_doubling_updates() -> None:
    run(ATOM, "--time-zone", "Europe/Berlin")
    run(SUMMARY)
    assert Page.objects.count() == 1
    planned = Incident.objects.get(code="acme00mnt001")
    assert [update.code for update in planned.updates.all()] == ["acme00upd003"]
    assert planned.feed_number == 901


def test_given_together_the_json_goes_first_and_the_feed_adds_to_it() -> None:
    output, errors = run(ATOM, SUMMARY)
    assert Page.objects.get().code == "acme00page01"
    assert Update.objects.count() == 3 + 4
    assert "[1/2]" in errors
    assert "In all:" in output


def test_a_page_can_be_taken_to_another_address() -> None:
    run(SUMMARY, "--page", "https://status.new.example")
    page = Page.objects.get()
    assert (page.url, page.host) == ("https://status.new.example", "status.new.example")
    run(SUMMARY, "--page", "https://status.new.example")
    assert Page.objects.count() == 1


def test_unknown_keys_and_entries_are_reported_and_the_rest_is_kept(changed: Any) -> None:
    def spoil(document: Any) -> None:
        document["components"][3]["mood"] = "fine"
        document["components"].append({"id": "acme00comp09", "group": False})
        document["incidents"].append({"id": "acme00inc009", "name": "No impact", "status": "asleep"})
        document["weather"] = "rain"
        document["incidents"][0]["incident_updates"][0]["tweet_id"] = "123"

    errors = partly(changed(spoil))
    assert "left out: component: unknown key “mood”" in errors
    assert "left out: document: unknown key “weather”" in errors
    assert "left out: component acme00comp09: “name” is not a text" in errors
    assert "left out: incident acme00inc009 “No impact”: it tells no time" in errors
    assert "  update: “tweet_id” is not kept" in errors
    assert (Component.objects.count(), Group.objects.count(), Incident.objects.count()) == (3, 1, 2)


def test_longer_ids_of_other_vendors_become_codes_that_stay(changed: Any) -> None:
    path = changed(lambda document: document["incidents"][0].update(id="01FCNDV6P870EA6S7TK1DSYDG0"))
    _, errors = run(path)
    assert "a code derived from it is used" in errors
    output, _ = run(path)
    assert "new" not in output


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"not json", "This is not JSON"),
        (b"", "This is not JSON"),
        (b"[" * 100_000, "This is not JSON"),
        (b'{"page": ' + b"9" * 5000 + b"}", "This is not JSON"),
        (b"[]", "no “page”"),
        (b'{"page": {}}', "neither components nor incidents"),
        (b'{"page": {}, "components": []}', "neither its “id” nor its “url”"),
        (b'{"page": [], "components": []}', "page is not an object"),
        (b'{"page": {"id": "x"}, "components": 7}', "say it with --page"),
        (b"<!doctype html><html><body>502 Bad Gateway</body></html>", "an HTML page"),
        (b"<rss><channel></channel></rss>", "no <title>"),
        (b"<?xml version='1.0'?><opml/>", "neither an RSS nor an Atom feed"),
        (b"<!DOCTYPE a [<!ENTITY b SYSTEM 'file:///etc/passwd'>]><rss><channel>&b;</channel></rss>", "no <title>"),
        (b"\xff\xfe\x00", "This is not JSON"),
    ],
)
def test_what_is_no_such_document_is_refused_whole(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "document"
    path.write_bytes(content)
    assert words in refused(path)


def test_a_feed_whose_zone_nobody_knows_asks_for_it() -> None:
    assert "--time-zone" in refused(ATOM)


def test_a_missing_file_and_an_unknown_zone_are_told() -> None:
    assert "No such file" in refused(FIXTURES / "absent.json")
    assert "not an IANA time zone" in refused(SUMMARY, "--time-zone", "Mars/Olympus")


def test_a_document_that_fails_half_way_leaves_nothing(changed: Any) -> None:
    other = Page.objects.create(name="Other", url="https://other.example")
    Incident.objects.create(
        page=other, code="acme00mnt001", name="Taken", status="resolved", started_at=datetime.now(UTC)
    )
    with pytest.raises(CommandError, match="on another page already"):
        run(SUMMARY)
    assert list(Page.objects.all()) == [other]
    assert not Component.objects.exists()


def test_a_new_page_comes_with_what_to_do_next() -> None:
    Page.objects.create(name="Ours", url="http://localhost:8000")
    output, _ = run(SUMMARY)
    host = Page.objects.exclude(name="Ours").get().host
    assert f"answers on the host {host}; set ALLOWED_HOSTS so that it holds this name too" in output
    assert "--page http://localhost:8000" in output
    assert "Next:" not in run(SUMMARY)[0]


def test_counts_are_told_in_plain_english() -> None:
    counts = Counter({("update", "new"): 2, ("page", "new"): 1, ("component status", "changed"): 3})
    assert describe(counts) == "3 component statuses changed, 1 page new, 2 updates new"
