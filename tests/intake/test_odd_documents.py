"""Small JSON documents that differ from today's in one thing, and what is right for each: what is kept and what is said."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from components.status import Status
from incidents.models import Affected, Incident, Update
from intake.recordings import Remarks
from intake.statuspage import store
from intake.statuspage_json import parse_json
from pages.models import Page
from public.documents import api_v2 as api
from public.snapshot import build

pytestmark = pytest.mark.django_db
Change = Callable[[Any, Any, Any], object]
"""Of the document, its incident and the incident's newest update."""
API = {"id": "acmecomp0001", "name": "API", "status": "operational", "created_at": "2025-01-01T00:00:00.000Z",
       "updated_at": "2026-01-02T00:00:00.000Z", "position": 1, "description": None, "showcase": True,
       "start_date": None, "group_id": None, "page_id": "acmepage0001", "group": False,
       "only_show_if_degraded": False}  # fmt: skip


def make_update(number: int, status: str, minute: int, **more: Any) -> dict[str, Any]:
    moment = f"2026-01-01T10:{minute:02}:00.000Z"
    return {"id": f"acmeupdate{number:02}", "status": status, "body": f"Text {number}.", "incident_id": "acmeinc00001",
            "created_at": moment, "updated_at": moment, "display_at": moment, "affected_components": None,
            "deliver_notifications": True, "custom_tweet": None, "tweet_id": None} | more  # fmt: skip


def make_document() -> dict[str, Any]:
    incident = {"id": "acmeinc00001", "name": "Errors", "status": "resolved", "created_at": "2026-01-01T10:00:00.000Z",
                "updated_at": "2026-01-01T10:20:00.000Z", "monitoring_at": None,
                "resolved_at": "2026-01-01T10:20:00.000Z", "impact": "minor",
                "shortlink": "https://status.acme.example/incidents/acmeinc00001",
                "started_at": "2026-01-01T10:00:00.000Z", "page_id": "acmepage0001",
                "incident_updates": [make_update(2, "resolved", 20), make_update(1, "investigating", 0)],
                "components": [], "reminder_intervals": None}  # fmt: skip
    page = {"id": "acmepage0001", "name": "Acme", "url": "https://status.acme.example", "time_zone": "Etc/UTC",
            "updated_at": "2026-01-02T00:00:00.000Z"}  # fmt: skip
    return {"page": page, "components": [API], "incidents": [incident], "scheduled_maintenances": []}


def changed(change: Change) -> bytes:
    document = make_document()
    incident = document["incidents"][0]
    change(document, incident, incident["incident_updates"][0])
    return json.dumps(document).encode()


def imported(change: Change) -> Remarks:
    return store(parse_json(changed(change)))[1].remarks


def served(name: str = "incidents") -> Any:
    return json.loads(api.to_json(api.DOCUMENTS[name](build(Page.objects.get()))))


def put(place: int, key: str, value: Any) -> Change:
    """`place`: 0 the document, 1 the incident, 2 its newest update."""
    return lambda *parts: parts[place].__setitem__(key, value)


def take(place: int, key: str) -> Change:
    return lambda *parts: parts[place].pop(key)


WHOLE = "incident acmeinc00001 “Errors”"
NEWEST = f"{WHOLE}, update acmeupdate02"
NOBODY = [{"name": "No components were affected by this update."}]
AFFECTED = {"code": "acmecomp0001", "name": "API", "old_status": "operational", "new_status": "partial_outage"}

NOTHING_LOST: dict[str, Change] = {
    "nothing odd": lambda *_: None,
    "a component by the words that there is none": put(2, "affected_components", NOBODY),
    "an empty list of components": put(2, "affected_components", []),
    "no key for components": take(2, "affected_components"),
    "no time of the page": lambda document, *_: document["page"].pop("updated_at"),
    "a page without time": lambda document, *_: document["page"].update(updated_at=None),
    "a page without name": lambda document, *_: document["page"].pop("name"),
    "a page without id": lambda document, *_: document["page"].pop("id"),
    "null and false of version 1": lambda _, incident, update: (
        incident.update(postmortem_body=None, backfilled=False, metadata={}, anything=None, something=False),
        update.update(wants_twitter_update=False, twitter_updated_at=None, else_=""),
    ),
    "no impact": take(1, "impact"),
    "no start": take(1, "started_at"),
    "no creation": take(1, "created_at"),
    "no change": take(1, "updated_at"),
    "no end": take(1, "resolved_at"),
    "end is null": put(1, "resolved_at", None),
    "empty text for a time": put(1, "monitoring_at", ""),
    "no status": take(1, "status"),
    "no id": take(1, "id"),
    "no name": take(1, "name"),
    "no components": take(1, "components"),
    "components by id": put(1, "components", ["acmecomp0001"]),
    "a name that is a number": put(1, "name", 503),
    "an update without id": take(2, "id"),
    "an update without status": take(2, "status"),
    "an update without text": put(2, "body", None),
    "an update without its shown time": take(2, "display_at"),
    "an update without times": lambda _, __, update: [update.pop(key) for key in ("created_at", "updated_at", "display_at")],
    "an update without flag": take(2, "deliver_notifications"),
    "two updates of one id": put(2, "id", "acmeupdate01"),
    "a time without offset": put(2, "display_at", "2026-01-01T10:20:00"),
    "an affected component without code": put(2, "affected_components", [AFFECTED | {"code": None}]),
    "an affected component with one status": put(2, "affected_components", [AFFECTED | {"old_status": None}]),
    "an affected component nobody lists": put(2, "affected_components", [AFFECTED | {"code": "acmecomp0009"}]),
    "the same affected component twice": put(2, "affected_components", [AFFECTED, AFFECTED]),
    "the same incident twice": lambda document, incident, _: document["incidents"].append(dict(incident)),
    "a component of 2016": lambda document, *_: document.update(
        components=[{key: API[key] for key in ("status", "name", "created_at", "updated_at", "position", "description", "id", "page_id", "group_id")}]
    ),
    "a component with little more than a name": lambda document, *_: document.update(
        components=[{"id": "acmecomp0001", "name": "API"}]
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", NOTHING_LOST.values(), ids=NOTHING_LOST)
def test_a_part_that_is_missing_costs_nothing_and_importing_again_changes_nothing(change: Change) -> None:
    assert imported(change).losses == {}
    assert sorted(Update.objects.values_list("body", flat=True)) in (["Text 1.", "Text 2."], ["", "Text 1."])
    assert Incident.objects.get().is_closed
    assert Incident.objects.get().resolved_at == datetime(2026, 1, 1, 10, 20, tzinfo=UTC)
    before = served()
    _, report = store(parse_json(changed(change)))
    assert report.changes == 0, report.counts
    assert served() == before


LOST: dict[str, tuple[Change, list[str]]] = {
    "status of an incident": (put(1, "status", "asleep"), [f"{WHOLE}: “status” is “asleep”, not one of"]),
    "impact": (put(1, "impact", "awful"), [f"{WHOLE}: “impact” is “awful”, not one of"]),
    "time": (put(1, "started_at", "at noon"), [f"{WHOLE}: “started_at” is not a time: at noon"]),
    "time of another age": (put(1, "started_at", "0001-01-01T00:00:00Z"), [f"{WHOLE}: “started_at” is not a time of our age"]),
    "updates": (put(2, "body", ["a", "list"]), [f"{NEWEST}: “body” is not a text"]),
    "status of an update": (put(2, "status", 7), [f"{NEWEST}: “status” is “7”, not one of"]),
    "flag": (put(2, "deliver_notifications", "yes"), [f"{NEWEST}: “deliver_notifications” is not true or false: yes"]),
    "affected components": (put(2, "affected_components", "API"), [f"{NEWEST}: “affected_components” is not a list"]),
    "affected component": (put(2, "affected_components", ["API", AFFECTED]), [f"{NEWEST}, affected component is not an object: API"]),
    "affected component by its name": (put(2, "affected_components", [{"name": "API"}]), [f"{NEWEST}, affected component “API”: it has no status"]),
    "status of a component": (put(2, "affected_components", [AFFECTED | {"new_status": "on_fire"}]), [f"{NEWEST}, affected component acmecomp0001 “API”: “new_status”: “on_fire” is not"]),
    "one of two states": (put(2, "affected_components", [AFFECTED, AFFECTED | {"new_status": "degraded_performance"}]), [f"{NEWEST}: it names the component acmecomp0001 twice"]),
    "a key": (put(1, "mood", "fine"), ["incident: unknown key “mood”"]),
    "components of an incident": (put(1, "components", [7, "acmecomp0001"]), [f"{WHOLE}: “7” in “components” is neither"]),
    "a component nobody lists": (put(1, "components", ["acmecomp0009"]), [f"{WHOLE}: its component acmecomp0009 is not in the document"]),
    "a window": (put(1, "scheduled_for", "2026-01-01T10:00:00Z"), [f"{WHOLE}: its window is not kept"]),
    "a zone": (lambda document, *_: document["page"].update(time_zone="Mars"), ["page acmepage0001 “Acme”: “time_zone” is not an IANA time zone: Mars"]),
    "a component": (lambda document, *_: document["components"].append({"id": "acmecomp0002"}), ["component acmecomp0002: “name” is not a text"]),
    "a position": (lambda document, *_: document.update(components=[API | {"position": -1}]), ["component acmecomp0001 “API”: “position” is not a whole number: -1"]),
    "a group": (lambda document, *_: document.update(components=[API | {"group_id": "acmegroup001"}]), ["component acmecomp0001 “API”: its group is not in the document"]),
    "a list": (put(0, "scheduled_maintenances", {"a": "b"}), ["document: “scheduled_maintenances” is not a list"]),
    "what is in a list": (lambda document, *_: document["incidents"].append("Errors"), ["incident is not an object: Errors"]),
    "the end of a long title": (put(1, "name", "Errors " + "x" * 300), ["“name” has 307 characters: cut after 255"]),
    "the end of a long text": (put(2, "body", "Text 2." + "x" * 25_000), [f"{NEWEST}: “body” has 25007 characters: cut after 25000"]),
}  # fmt: skip


@pytest.mark.parametrize(("change", "losses"), LOST.values(), ids=LOST)
def test_a_part_that_cannot_be_read_is_named_and_all_the_rest_is_kept(change: Change, losses: list[str]) -> None:
    said = list(imported(change).losses)
    assert len(said) == len(losses)
    assert all(expected in words for words, expected in zip(said, losses, strict=True)), said
    assert Update.objects.count() == 2
    assert Incident.objects.get().status == "resolved"
    assert store(parse_json(changed(change)))[1].changes == 0


def test_an_incident_that_tells_no_time_is_left_out_alone() -> None:
    def add(document: Any, *_: Any) -> None:
        document["incidents"].append({"id": "acmeinc00002", "name": "Half", "status": "resolved"})

    assert list(imported(add).losses) == ["incident acmeinc00002 “Half”: it tells no time"]
    assert Incident.objects.get().code == "acmeinc00001"


def test_an_affected_component_without_code_is_found_by_its_name() -> None:
    imported(put(2, "affected_components", [AFFECTED | {"code": None}]))
    row = Affected.objects.get()
    assert (row.code, row.component and row.component.name) == ("acmecomp0001", "API")


def test_a_known_component_keeps_what_a_later_document_does_not_tell() -> None:
    imported(lambda document, *_: document.update(components=[API | {"description": "Ours", "position": 7}]))
    imported(lambda document, *_: document.update(components=[{"id": "acmecomp0001", "name": "Our API"}]))
    [component] = served("components")["components"]
    assert (component["name"], component["description"], component["position"]) == ("Our API", "Ours", 7)
    assert component["created_at"] == API["created_at"]


# Older shapes


def add_maintenance(document: Any, *_: Any, **more: Any) -> None:
    incident = document["incidents"][0]
    updates = [make_update(4, "completed", 50), make_update(3, "scheduled", 1)]
    document["incidents"].append(
        incident
        | {"id": "acmemnt00001", "name": "Work", "status": "completed", "impact": "none", "incident_updates": updates,
           "scheduled_for": "2026-01-01T10:30:00.000Z", "scheduled_until": "2026-01-01T10:45:00.000Z",
           "resolved_at": "2026-01-01T10:50:00.000Z", "updated_at": "2026-01-01T10:50:00.000Z"} | more
    )  # fmt: skip


def test_maintenance_among_the_incidents_is_kept_as_maintenance() -> None:
    assert imported(add_maintenance).losses == {}
    [work] = served("scheduled-maintenances")["scheduled_maintenances"]
    assert (work["id"], work["status"], work["impact"]) == ("acmemnt00001", "completed", "none")
    assert (work["scheduled_for"], work["scheduled_until"]) == ("2026-01-01T10:30:00.000Z", "2026-01-01T10:45:00.000Z")
    assert [update["body"] for update in work["incident_updates"]] == ["Text 4.", "Text 3."]
    assert [each["id"] for each in served()["incidents"]] == ["acmeinc00001"]


def test_maintenance_that_stands_in_both_lists_is_kept_once() -> None:
    def add(document: Any, *_: Any) -> None:
        add_maintenance(document)
        document["scheduled_maintenances"].append(document["incidents"][1])

    assert imported(add).losses == {}
    assert sorted(Incident.objects.values_list("code", flat=True)) == ["acmeinc00001", "acmemnt00001"]


@pytest.mark.parametrize(
    ("window", "expected", "losses"),
    [
        ((None, None), ("10:50", "11:50"), 0),
        (("2026-01-01T10:30:00Z", None), ("10:30", "10:50"), 0),
        (("2026-01-01T10:30:00Z", "2026-01-01T10:30:00Z"), ("10:30", "11:30"), 1),
    ],
)
def test_maintenance_without_a_window_gets_the_one_it_had(
    window: tuple[Any, Any], expected: tuple[str, str], losses: int
) -> None:
    remarks = imported(lambda *parts: add_maintenance(*parts, scheduled_for=window[0], scheduled_until=window[1]))
    assert len(remarks.losses) == losses
    work = Incident.objects.get(code="acmemnt00001")
    assert work.window
    assert tuple(f"{moment:%H:%M}" for moment in work.window) == expected


def test_a_postmortem_is_kept_as_a_last_update_that_moves_nothing() -> None:
    remarks = imported(
        lambda _, incident, __: incident.update(
            postmortem_body="What went *wrong*.", postmortem_published_at="2026-01-05T09:00:00.000Z"
        )
    )
    assert remarks.losses == {}
    [incident] = served()["incidents"]
    assert (incident["status"], incident["resolved_at"]) == ("resolved", "2026-01-01T10:20:00.000Z")
    assert incident["updated_at"] == "2026-01-01T10:20:00.000Z"
    newest = incident["incident_updates"][0]
    assert (newest["status"], newest["body"]) == ("postmortem", "What went *wrong*.")
    assert newest["display_at"] == "2026-01-05T09:00:00.000Z"
    assert newest["deliver_notifications"] is False


def test_a_postmortem_that_is_an_update_already_is_kept_once() -> None:
    def add(_: Any, incident: Any, update: Any) -> None:
        incident.update(status="postmortem", postmortem_body="What went wrong.")
        incident["incident_updates"].insert(0, make_update(3, "postmortem", 59, body="What went wrong."))

    imported(add)
    assert list(Update.objects.values_list("body", flat=True)) == ["What went wrong.", "Text 2.", "Text 1."]


@pytest.mark.parametrize("shown_at", ["2026-01-01T09:00:00.000Z", "2026-01-01T10:00:00.000Z"])
def test_a_backdated_update_comes_back_in_its_place(shown_at: str) -> None:
    def backdate(_: Any, incident: Any, update: Any) -> None:
        update["display_at"] = shown_at
        incident["incident_updates"].insert(0, make_update(3, "resolved", 40))

    imported(backdate)
    expected = ["acmeupdate03", "acmeupdate02", "acmeupdate01"]
    assert [update["id"] for update in served()["incidents"][0]["incident_updates"]] == expected
    assert served()["incidents"][0]["incident_updates"][1]["display_at"] == shown_at
    again = json.dumps(served()).encode()
    assert store(parse_json(again))[1].changes == 0


def test_double_white_space_in_a_name_is_folded_and_said() -> None:
    remarks = imported(put(1, "name", "Errors  in   the API"))
    assert remarks.losses == {}
    expected = "incident acmeinc00001 “Errors in the API”: white space in “name” is folded: “Errors in the API”"
    assert list(remarks.notes) == [expected]


# The command


def run(path: Path, content: bytes, *options: str) -> tuple[int, str]:
    """Its exit status, and what it said."""
    path.write_bytes(content)
    output, errors = StringIO(), StringIO()
    try:
        call_command("import_statuspage", str(path), *options, stdout=output, stderr=errors)
    except CommandError as error:
        return error.returncode, errors.getvalue() + str(error)
    return 0, errors.getvalue()


def test_the_exit_status_says_whether_all_was_kept(tmp_path: Path) -> None:
    assert run(tmp_path / "a.json", changed(lambda *_: None)) == (0, f"[1/1] {tmp_path}/a.json\n")
    status, words = run(tmp_path / "b.json", changed(put(2, "status", "asleep")))
    assert status == 3
    assert "left out: incident acmeinc00001 “Errors”, update acmeupdate02: “status” is “asleep”" in words
    assert "1 thing was left out, as listed above. The rest is stored." in words
    assert run(tmp_path / "c.json", b"{}")[0] == 1


def test_strictly_nothing_is_stored_when_something_would_be_left_out(tmp_path: Path) -> None:
    status, words = run(tmp_path / "a.json", changed(put(2, "status", "asleep")), "--strict")
    assert status == 1
    assert words.endswith("1 thing was left out, as listed above. Nothing is stored (--strict).")
    assert not Page.objects.exists()
    assert run(tmp_path / "a.json", changed(lambda *_: None), "--strict")[0] == 0
    assert Page.objects.get().incidents.count() == 1


def test_a_document_that_cannot_be_read_does_not_keep_others_out(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    broken, absent = str(tmp_path / "broken.json"), str(tmp_path / "absent.json")
    status, words = run(tmp_path / "a.json", changed(lambda *_: None), broken, absent, "--strict")
    assert (status, Page.objects.exists()) == (1, False)
    status, words = run(tmp_path / "a.json", changed(lambda *_: None), broken, absent)
    assert status == 3
    assert "This is not JSON." in words
    assert "absent.json cannot be read: No such file or directory." in words
    assert Incident.objects.count() == 1


def test_the_time_zone_of_a_document_that_does_not_tell_it_can_be_said(tmp_path: Path) -> None:
    content = changed(lambda document, *_: document["page"].pop("time_zone"))
    assert run(tmp_path / "a.json", content, "--time-zone", "Europe/Berlin") == (0, f"[1/1] {tmp_path}/a.json\n")
    assert Page.objects.get().time_zone == "Europe/Berlin"
    assert served()["incidents"][0]["created_at"] == "2026-01-01T11:00:00.000+01:00"


def test_without_being_said_utc_is_assumed_and_told(tmp_path: Path) -> None:
    status, words = run(tmp_path / "a.json", changed(lambda document, *_: document["page"].pop("time_zone")))
    assert (status, Page.objects.get().time_zone) == (0, "Etc/UTC")
    assert "its time zone is not told: UTC is assumed; to say it, use --time-zone" in words


def test_a_time_without_offset_is_of_the_pages_zone() -> None:
    def change(document: Any, _: Any, update: Any) -> None:
        document["page"]["time_zone"] = "America/Denver"
        update["display_at"] = "2026-01-01T03:20:00"

    remarks = imported(change)
    assert Update.objects.get(code="acmeupdate02").display_at == datetime(2026, 1, 1, 10, 20, tzinfo=UTC)
    assert any("“display_at” has no offset: it is taken as America/Denver" in note for note in remarks.notes)


def test_a_page_without_an_address_asks_for_it(tmp_path: Path) -> None:
    content = changed(lambda document, *_: document["page"].pop("url"))
    status, words = run(tmp_path / "a.json", content)
    assert (status, "say it with --page" in words) == (1, True)
    assert run(tmp_path / "a.json", content, "--page", "https://status.acme.example")[0] == 0
    assert run(tmp_path / "a.json", content)[0] == 0  # its id is known now


def test_an_older_document_does_not_set_an_incident_back() -> None:
    imported(lambda *_: None)
    imported(lambda _, incident, __: incident.update(status="investigating", updated_at="2026-01-01T10:05:00.000Z"))
    assert Incident.objects.get().status == "resolved"


def test_the_worst_that_updates_say_is_the_impact_of_an_incident_without_one() -> None:
    imported(lambda _, incident, update: (incident.pop("impact"), update.update(affected_components=[AFFECTED])))
    assert Incident.objects.get().impact == "major"
    assert Status(Affected.objects.get().new_status) is Status.PARTIAL_OUTAGE
