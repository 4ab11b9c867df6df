"""The public JSON API, v2: keys, order, times, which incident is in which document."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from incidents.models import Incident, Post
from pages.models import Page
from public.documents import api_v2 as api
from public.documents.timestamps import timestamp
from tests.public.examples import HOST, NOW, Example, at, frozen, make_example
from tests.render_cache import start_empty

INCIDENT_KEYS = [
    "id", "name", "status", "created_at", "updated_at", "monitoring_at", "resolved_at", "impact", "shortlink",
    "started_at", "page_id", "incident_updates", "components", "reminder_intervals",
]  # fmt: skip
UPDATE_KEYS = [
    "id", "status", "body", "incident_id", "created_at", "updated_at", "display_at", "affected_components",
    "deliver_notifications", "custom_tweet", "tweet_id",
]  # fmt: skip
COMPONENT_KEYS = [
    "id", "name", "status", "created_at", "updated_at", "position", "description", "showcase", "start_date",
    "group_id", "page_id", "group", "only_show_if_degraded",
]  # fmt: skip


@pytest.fixture
def example(db: None) -> Iterator[Example]:
    with frozen():
        yield make_example()


def get(client: Client, path: str) -> Any:
    response = client.get(path, headers={"host": HOST})
    assert response.status_code == 200, response.content
    assert response["Content-Type"] == "application/json; charset=utf-8"
    return json.loads(response.content)


def test_each_document_has_the_keys_that_clients_expect_in_their_order(example: Example, client: Client) -> None:
    keys = {path: list(get(client, f"/api/v2/{path}.json")) for path in api.DOCUMENTS}
    assert keys == {
        "summary": ["page", "components", "incidents", "scheduled_maintenances", "status"],
        "status": ["page", "status"],
        "components": ["page", "components"],
        "incidents": ["page", "incidents"],
        "incidents/unresolved": ["page", "incidents"],
        "scheduled-maintenances": ["page", "scheduled_maintenances"],
        "scheduled-maintenances/upcoming": ["page", "scheduled_maintenances"],
        "scheduled-maintenances/active": ["page", "scheduled_maintenances"],
    }


def test_pages_incidents_updates_and_components_have_exactly_the_known_keys(example: Example, client: Client) -> None:
    summary = get(client, "/api/v2/summary.json")
    assert list(summary["page"]) == ["id", "name", "url", "time_zone", "updated_at"]
    (incident,) = summary["incidents"]
    assert list(incident) == INCIDENT_KEYS
    assert [list(update) for update in incident["incident_updates"]] == [UPDATE_KEYS] * 2
    assert [list(each) for each in incident["components"]] == [COMPONENT_KEYS]
    (maintenance,) = summary["scheduled_maintenances"]
    assert list(maintenance) == [*INCIDENT_KEYS, "scheduled_for", "scheduled_until"]


def test_groups_and_components_come_in_one_list_and_only_groups_name_children(example: Example, client: Client) -> None:
    listed = get(client, "/api/v2/components.json")["components"]
    assert [(each["name"], each["group"], each["position"]) for each in listed] == [
        ("Chat", True, 1),
        ("Chat API", False, 1),
        ("Website", False, 2),
    ]
    group, child, alone = listed
    assert list(group) == [*COMPONENT_KEYS, "components"]
    assert group["components"] == [child["id"]]
    assert group["status"] == child["status"] == "partial_outage"
    assert child["group_id"] == group["id"]
    assert "components" not in child
    assert alone["description"] == "acme.example"
    assert child["description"] is None


def test_an_update_names_its_components_by_group_and_old_and_new_status(example: Example, client: Client) -> None:
    (incident,) = get(client, "/api/v2/incidents/unresolved.json")["incidents"]
    newest, first = incident["incident_updates"]
    assert newest["affected_components"] == [
        {
            "code": example.api.code,
            "name": "Chat - Chat API",
            "old_status": "partial_outage",
            "new_status": "partial_outage",
        }
    ], "it goes on saying what it said"
    assert first["affected_components"] == [
        {
            "code": example.api.code,
            "name": "Chat - Chat API",
            "old_status": "operational",
            "new_status": "partial_outage",
        }
    ]
    assert newest["body"] == "Still looking.\n\nMore [here](https://acme.example/x)."


def test_times_have_three_digits_and_the_pages_offset_of_their_own_day(example: Example, client: Client) -> None:
    summary = get(client, "/api/v2/summary.json")
    # Denver put its clocks forward on 8 March 2026.
    assert summary["page"]["updated_at"] == "2026-03-10T04:30:00.000-06:00"
    assert summary["components"][0]["created_at"] == "2026-02-28T17:00:00.000-07:00"


def test_utc_is_written_as_z() -> None:
    moment = datetime(2026, 3, 10, 10, 30, 0, 123_456, tzinfo=UTC)
    assert timestamp(moment, ZoneInfo("Etc/UTC")) == "2026-03-10T10:30:00.123Z"
    assert timestamp(moment, ZoneInfo("Asia/Kathmandu")) == "2026-03-10T16:15:00.123+05:45"


def test_maintenance_moves_from_upcoming_to_active_to_completed(example: Example, client: Client) -> None:
    def where() -> list[str]:
        paths = ("", "/upcoming", "/active")
        return [
            path
            for path in paths
            if get(client, f"/api/v2/scheduled-maintenances{path}.json")["scheduled_maintenances"]
        ]

    assert where() == ["", "/upcoming"]
    example.planned.post(Post("Begun.", "in_progress"))
    _wait_for_the_next_generation()
    assert where() == ["", "/active"]
    example.planned.post(Post("Looking.", "verifying"))
    _wait_for_the_next_generation()
    assert where() == ["", "/active"]
    example.planned.post(Post("Done.", "completed"))
    _wait_for_the_next_generation()
    assert where() == [""]
    assert get(client, "/api/v2/summary.json")["scheduled_maintenances"] == []


def _wait_for_the_next_generation() -> None:
    """As a new process sees it; how fast a running one does is tested with the edition."""
    start_empty()


def test_resolved_incidents_stay_in_the_list_but_not_in_the_summary(example: Example, client: Client) -> None:
    names = [incident["name"] for incident in get(client, "/api/v2/incidents.json")["incidents"]]
    assert names == ["Messages delayed", "Slow website"]
    assert [each["name"] for each in get(client, "/api/v2/summary.json")["incidents"]] == ["Messages delayed"]


def test_the_list_ends_at_fifty_but_an_old_open_incident_stays_unresolved(example: Example) -> None:
    for number in range(55):
        opened = Incident.open(example.page, f"Old {number}", Post("Gone.", at=at(2, 0) + timedelta(minutes=number)))
        if number:
            opened.incident.post(Post("Gone.", "resolved", at=at(2, 2)))
    snapshot = example.snapshot()
    assert len(api.incidents(snapshot)["incidents"]) == 50
    unresolved = [each["name"] for each in api.unresolved_incidents(snapshot)["incidents"]]
    assert unresolved == ["Messages delayed", "Old 0"]


def test_a_hidden_component_is_in_no_document_and_counts_in_no_status(example: Example, client: Client) -> None:
    for path in api.DOCUMENTS:
        text = json.dumps(get(client, f"/api/v2/{path}.json"))
        assert example.secret.code not in text
        assert "Secret" not in text
    assert get(client, "/api/v2/status.json")["status"] == {"indicator": "minor", "description": "Minor Service Outage"}


def test_hostile_text_is_json_and_no_markup(example: Example, client: Client) -> None:
    Incident.open(example.page, "</script><b>\u2028 & “", Post("<img src=x>"))
    response = client.get("/api/v2/summary.json", headers={"host": HOST})
    assert b"<" not in response.content
    assert json.loads(response.content)["incidents"][0]["name"] == "</script><b> & “"


def test_any_site_may_read_it_without_credentials(example: Example, client: Client) -> None:
    for origin in ("https://app.example", "null"):
        response = client.get("/api/v2/summary.json", headers={"host": HOST, "origin": origin})
        assert response["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in response
        assert not response.cookies
        assert "Cookie" not in response["Vary"]
    preflight = client.options("/api/v2/summary.json", headers={"host": HOST, "origin": "https://app.example"})
    assert preflight.status_code == 204


def test_a_doubled_slash_is_tolerated(example: Example, client: Client) -> None:
    response = client.get(f"http://{HOST}//api/v2/status.json", headers={"host": HOST})
    assert json.loads(response.content)["page"]["name"] == "Acme"


@pytest.mark.parametrize("path", ["//metrics", "//admin/", "///readyz", "//subscribe", "//healthz"])
def test_only_public_documents_are_found_behind_a_doubled_slash(example: Example, client: Client, path: str) -> None:
    """A proxy's rule for /metrics does not match //metrics."""
    assert client.get(f"http://{HOST}{path}", headers={"host": HOST}).status_code == 404


def test_an_unknown_document_is_a_404_that_tells_which_there_are(example: Example, client: Client) -> None:
    response = client.get("/api/v2/sumary.json", headers={"host": HOST})
    assert response.status_code == 404
    assert response["Access-Control-Allow-Origin"] == "*"
    assert "/api/v2/summary.json" in json.loads(response.content)["documents"]


def test_the_history_lists_three_months_a_page(example: Example, client: Client) -> None:
    began = datetime(2025, 11, 20, 5, 0, tzinfo=UTC)
    old = Incident.open(example.page, "In November", Post("Old.", at=began)).incident
    old.post(Post("Over.", "resolved", at=began + timedelta(hours=1)))
    first, second = get(client, "/history.json"), get(client, "/history.json?page=2")
    assert [(month["name"], month["year"]) for month in first["months"]] == [
        ("March", 2026), ("February", 2026), ("January", 2026),
    ]  # fmt: skip
    assert [each["name"] for each in first["months"][0]["incidents"]] == ["Messages delayed", "Slow website"]
    assert second["months"][1]["incidents"] == [
        {
            "code": Incident.objects.get(name="In November").code,
            "name": "In November",
            "impact": "none",
            "timestamp": "Nov <var data-var='date'>19</var>, <var data-var='time'>22:00</var> - "
            "<var data-var='time'>23:00</var> MST",
            "message": "Over.",
        }
    ]


def test_one_incident_has_an_address_of_its_own(example: Example, client: Client) -> None:
    incident = get(client, f"/incidents/{example.resolved.code}.json")
    assert list(incident) == INCIDENT_KEYS
    assert re.fullmatch(r"[a-z0-9]{12}", incident["id"])
    assert client.get("/incidents/nosuchcode00.json", headers={"host": HOST}).status_code == 404


def test_two_pages_never_see_each_other(example: Example, client: Client) -> None:
    other = Page.objects.create(name="Other", url="http://other.acme.localhost")
    Incident.open(other, "Elsewhere", Post("Somewhere else."))
    assert "Elsewhere" not in json.dumps(get(client, "/api/v2/summary.json"))
    path = f"/incidents/{example.outage.code}.json"
    assert client.get(path, headers={"host": "other.acme.localhost"}).status_code == 404


def test_nothing_is_null_where_a_list_is_expected(db: None) -> None:
    page = Page.objects.create(name="Empty", url="http://empty.localhost")
    from public.snapshot import build

    document = api.summary(build(page, NOW))
    assert (document["components"], document["incidents"], document["scheduled_maintenances"]) == ([], [], [])
    assert document["status"] == {"indicator": "none", "description": "All Systems Operational"}


@pytest.mark.parametrize(
    "page", ["-1", "0", "01", "1.5", "1000", str(10**20), "%D9%A1", "1%D9%A2", "%00", "2%00", "two", "1%0A", "+2"]
)
def test_a_page_of_history_that_cannot_be_is_refused(example: Example, client: Client, page: str) -> None:
    response = client.get(f"http://{HOST}/history.json?page={page}", headers={"host": HOST})
    assert response.status_code == 400
    assert json.loads(response.content)["error"] == "bad request"
    assert "whole number from 1 to 999" in json.loads(response.content)["message"]
    assert response["Access-Control-Allow-Origin"] == "*"


def test_a_page_of_history_left_empty_is_the_first(example: Example, client: Client) -> None:
    assert get(client, "/history.json?page=") == get(client, "/history.json")
