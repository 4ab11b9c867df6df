"""Documents that would break more than their own import."""

import json
import time
import unicodedata
from html import escape
from typing import Any

import pytest
from django.db import OperationalError

from incidents.models import Incident, Update
from intake.recordings import RecordingError
from intake.statuspage import Importer, store
from intake.statuspage_feed import parse_feed
from intake.statuspage_json import parse_json
from pages.models import Page
from public.documents import feeds
from public.snapshot import build

NOW = "2026-01-01T00:00:00Z"
PAGE = {"id": "p" * 12, "name": "Acme", "url": "https://acme.example", "time_zone": "Asia/Tokyo", "updated_at": NOW}
OUT_OF_REACH = ["0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00"]


def make_document(page: dict[str, Any] | None = None, **incident: Any) -> bytes:
    fields = {"id": "i" * 12, "name": "Errors", "status": "investigating", "impact": "none", "created_at": NOW,
              "updated_at": NOW, "incident_updates": [], "components": []} | incident  # fmt: skip
    return json.dumps({"page": PAGE | (page or {}), "incidents": [fields]}).encode()


@pytest.mark.django_db
def test_an_incident_without_updates_can_be_shown() -> None:
    page, _ = store(parse_json(make_document()))
    snapshot = build(page)
    assert [incident.updates for incident in snapshot.incidents] == [[]]
    assert b"Errors" in feeds.rss(snapshot)


@pytest.mark.parametrize("moment", OUT_OF_REACH)
def test_a_time_at_the_ends_of_the_calendar_leaves_its_entry_out(moment: str) -> None:
    recording = parse_json(make_document(created_at=moment))
    assert recording.incidents == []
    assert any("not a time of our age" in loss for loss in recording.remarks.losses)
    page = parse_json(make_document(page={"updated_at": moment}))
    assert page.page.updated_at is None
    assert any("page" in loss and "not a time of our age" in loss for loss in page.remarks.losses)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "url", ["http://[", "javascript:alert(1)", "https://" + "a." * 2000 + "example", "\x00", "https://a b/"]
)
def test_a_page_with_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(RecordingError, match=r"No page can be made of it|tell the page's address"):
        store(parse_json(make_document(page={"url": url})))
    assert not Page.objects.exists()


def measure(document: bytes) -> float:
    began = time.process_time()
    parse_json(document)
    return time.process_time() - began


@pytest.mark.parametrize(
    "incidents",
    [
        [{"id": "i" * 12, "created_at": NOW, "incident_updates": [{"id": f"{n:012}", "created_at": NOW}]} for n in range(8_000)],
        [{"id": f"{n:012}", "created_at": NOW, "components": [{"id": f"{n:012}", "name": "x"}]} for n in range(8_000)],
        [{"id": "i" * 12, "created_at": NOW, "incident_updates": [{"id": "u" * 12, "created_at": NOW}] * 20_000}],
        [{"id": "i" * 12, "created_at": NOW, f"{n}": 1} for n in range(20_000)],
        [None, 7, "x", []] * 10_000,
    ],
    ids=["one incident", "components", "one update", "unknown keys", "no objects"],
)  # fmt: skip
def test_a_document_of_one_thing_over_and_over_is_read_in_time(incidents: list[Any]) -> None:
    assert measure(json.dumps({"page": PAGE, "incidents": incidents}).encode()) < 10


def test_what_is_said_of_foreign_words_is_fit_for_a_terminal() -> None:
    evil = "\x1b[31m\x07\r\u202e\ud800" + "x" * 5000
    update = UPDATE | {
        "id": evil,
        "status": evil,
        evil: evil,
        "display_at": evil,
        "affected_components": [{evil: 1}, evil],
    }
    recording = parse_json(make_document(id=evil, name=evil, impact=evil, incident_updates=[update], **{evil: 1}))
    said = "\n".join([*recording.remarks.losses, *recording.remarks.notes])
    said.encode()
    assert set(map(unicodedata.category, said.replace("\n", ""))) <= {
        "Ll",
        "Lu",
        "Nd",
        "Po",
        "Ps",
        "Pe",
        "Pi",
        "Pf",
        "Zs",
        "Pc",
        "Pd",
    }
    assert max(map(len, said.splitlines())) < 600


@pytest.mark.django_db
def test_what_the_database_refuses_is_told_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OperationalError("too many SQL variables")

    monkeypatch.setattr(Importer, "_store_incident", refuse)
    with pytest.raises(RecordingError, match=r"The database does not take it: too many SQL variables\."):
        store(parse_json(make_document()))
    assert not Page.objects.exists()


UPDATE = {"id": "u" * 12, "status": "investigating", "body": "Looking.", "created_at": NOW, "updated_at": NOW,
          "display_at": NOW, "affected_components": []}  # fmt: skip


@pytest.mark.django_db
def test_two_updates_of_one_id_are_both_kept_and_said() -> None:
    document = make_document(incident_updates=[UPDATE, UPDATE | {"body": "Another."}])
    report = store(parse_json(document))[1]
    assert report.remarks.losses == {}
    assert any("2 updates have the id uuuuuuuuuuuu: all are kept" in note for note in report.remarks.notes)
    assert list(Update.objects.values_list("body", flat=True)) == ["Looking.", "Another."]
    assert store(parse_json(document))[1].changes == 0


@pytest.mark.django_db
def test_of_two_incidents_of_one_id_the_later_is_kept_and_all_updates() -> None:
    first, second = (UPDATE | {"id": letter * 12, "body": letter} for letter in "uv")
    document = json.loads(make_document(incident_updates=[first]))
    later = {"name": "Renamed", "updated_at": "2026-01-02T00:00:00Z", "incident_updates": [second]}
    document["incidents"].insert(0, document["incidents"][0] | later)
    content = json.dumps(document).encode()
    report = store(parse_json(content))[1]
    assert list(report.remarks.losses) == [
        "incident iiiiiiiiiiii “Renamed”: it stands twice; where they differ, the later counts"
    ]
    assert Incident.objects.get().name == "Renamed"
    assert sorted(Update.objects.values_list("body", flat=True)) == ["u", "v"]
    assert store(parse_json(content))[1].changes == 0


@pytest.mark.django_db
def test_an_update_whose_id_another_incident_has_already_is_kept_under_another() -> None:
    store(parse_json(make_document(incident_updates=[UPDATE])))
    document = make_document(id="j" * 12, incident_updates=[UPDATE])
    report = store(parse_json(document))[1]
    assert any("its id is another incident's" in note for note in report.remarks.notes)
    assert sorted(Update.objects.values_list("incident__code", "body")) == [
        ("i" * 12, "Looking."),
        ("j" * 12, "Looking."),
    ]
    assert store(parse_json(document))[1].changes == 0


def make_feed(body: str, updated: str = NOW) -> bytes:
    entry = (
        f"<entry><id>tag:acme.example,2005:Incident/1</id><title>Errors</title><published>{updated}</published>"
        f"<updated>{updated}</updated><link rel='alternate' href='https://acme.example/incidents/{'i' * 12}'/>"
        f"<content type='html'>{escape(body)}</content></entry>"
    )
    head = f"<title>Acme</title><updated>{NOW}</updated><link rel='alternate' href='https://acme.example'/>"
    return f"<feed xmlns='http://www.w3.org/2005/Atom'>{head}{entry}</feed>".encode()


HEAD = "<p><small>Jan  1, 00:00 UTC</small><br><strong>Investigating</strong> - "


@pytest.mark.parametrize(
    "body",
    ["<p>" * 70_000, ("<p><small>Jan  1, 00:01 UTC</small><br><strong>Update</strong> - x</p>" * 3000) + (HEAD + "x</p>") * 3000, "<var" * 50_000, "x" * 200_000, f"{HEAD}{'<a href=x' * 20_000}</p>",
     HEAD + '<a href="x">' * 15_000 + "</p>", f"{HEAD}{' ' * 200_000}x</p>", f"{HEAD}{'<b' * 70_000}</p>"],
    ids=["paragraphs", "updates of one minute", "variables", "one word", "broken links", "open links", "spaces", "tags"],
)  # fmt: skip
def test_a_feed_of_one_thing_over_and_over_is_read_in_time(body: str) -> None:
    began = time.process_time()
    parse_feed(make_feed(body), lambda url: None)
    assert time.process_time() - began < 3


@pytest.mark.parametrize("moment", OUT_OF_REACH)
def test_a_feeds_time_at_the_ends_of_the_calendar_leaves_its_entry_out(moment: str) -> None:
    recording = parse_feed(make_feed(f"{HEAD}Looking.</p>", moment), lambda url: None)
    assert recording.incidents == []
    assert any("not a time of our age" in loss for loss in recording.remarks.losses)
    assert len(parse_feed(make_feed(f"{HEAD}Looking.</p>"), lambda url: None).incidents) == 1
