"""What /api/banner.json says, and the frame and scripts beside it. How it looks elsewhere: tests/browser/."""

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.test import Client

from components.models import Component
from components.status import Status
from incidents.models import Incident, Post
from public.documents.api_v2 import to_json
from public.documents.banner import banner, choose, shorten
from tests.public.examples import HOST, NOW, Example, at, frozen, make_example


@pytest.fixture
def example(db: None) -> Iterator[Example]:
    with frozen():
        yield make_example()


def said(example: Example, now: datetime = NOW) -> Any:
    return banner(example.snapshot(now))["banner"]


def test_an_open_incident_is_told_with_its_newest_update(example: Example) -> None:
    newest = example.outage.updates.first()
    assert newest
    assert said(example) == {
        "id": newest.code,
        "kind": "incident",
        "severity": "major",
        "title": "Messages delayed",
        "status": "investigating",
        "label": "Investigating",
        "text": "Still looking. More here.",
        "link": f"{example.page.url}/incidents/{example.outage.code}",
        "accent": None,
        "components": ["Chat API"],
        "concerns": [example.api.code, "chat api"],
        "starts_at": "2026-03-10T04:00:00.000-06:00",
        "ends_at": None,
        "updated_at": "2026-03-10T04:30:00.000-06:00",
    }


def test_of_several_open_incidents_the_worst_is_told(example: Example) -> None:
    Incident.open(
        example.page, "All is lost", Post("Words.", components={example.site: Status.MAJOR_OUTAGE}, at=at(10, 9))
    )
    Incident.open(example.page, "A typo", Post("Words.", at=at(10, 11)))
    assert said(example)["title"] == "All is lost"


def test_a_new_update_has_a_new_id_so_that_it_comes_back(example: Example) -> None:
    before = said(example)["id"]
    example.outage.post(Post("News.", "identified", at=at(10, 11)))
    assert said(example)["id"] != before


def test_maintenance_is_told_inside_its_notice_and_not_before(example: Example) -> None:
    example.outage.post(Post("Done.", "resolved", components={example.api: Status.OPERATIONAL}, at=at(10, 11)))
    notice = timedelta(hours=example.page.maintenance_notice_hours)
    assert said(example, at(12, 6) - notice - timedelta(seconds=1)) is None
    told = said(example, at(12, 6) - notice)
    assert (told["kind"], told["severity"], told["status"]) == ("maintenance", "maintenance", "scheduled")
    assert (told["starts_at"], told["ends_at"]) == ("2026-03-12T00:00:00.000-06:00", "2026-03-12T01:00:00.000-06:00")


def test_the_snapshot_runs_out_when_the_notice_begins(example: Example) -> None:
    example.outage.post(Post("Done.", "resolved", components={example.api: Status.OPERATIONAL}, at=at(10, 11)))
    example.page.maintenance_notice_hours = 24
    example.page.save()
    snapshot = example.snapshot(at(11, 5))
    assert choose(snapshot) is None
    assert snapshot.changes_at <= at(11, 6)


def test_running_work_is_told_before_work_that_is_only_near(example: Example) -> None:
    example.outage.post(Post("Done.", "resolved", components={example.api: Status.OPERATIONAL}, at=at(10, 11)))
    later = Incident.open(example.page, "Later work", Post("Words.", status="scheduled", at=at(9, 12), window=(at(12, 20), at(12, 21))), kind="maintenance")  # fmt: skip
    assert said(example, at(12, 5))["title"] == "Database work"
    with time_machine.travel(at(12, 5)):
        later.incident.post(Post("Begun early.", "in_progress"))
    assert said(example, at(12, 5))["title"] == "Later work"


def test_when_all_is_well_there_is_no_banner(example: Example) -> None:
    example.outage.post(Post("Done.", "resolved", components={example.api: Status.OPERATIONAL}, at=at(10, 11)))
    example.planned.post(Post("Done.", "completed", at=at(10, 11)))
    document = banner(example.snapshot())
    assert document["page"] == {"name": "Acme", "url": example.page.url}
    assert (document["banner"], document["banners"]) == (None, [])


def test_all_that_is_worth_telling_is_there_for_banners_of_chosen_components(example: Example) -> None:
    Incident.open(
        example.page, "All is lost", Post("Words.", components={example.site: Status.MAJOR_OUTAGE}, at=at(10, 11))
    )
    told = banner(example.snapshot(at(11, 12)))["banners"]
    assert [each["title"] for each in told] == ["All is lost", "Messages delayed", "Database work"]
    assert [each["concerns"] for each in told] == [
        [example.site.code, "website"],
        [example.api.code, "chat api"],
        [example.site.code, "website"],
    ]


def test_the_accent_of_the_page_is_told_if_it_has_one(example: Example) -> None:
    assert said(example)["accent"] is None
    example.page.accent_light, example.page.accent_dark = "#5a28c8", "#aa88ff"
    example.page.save()
    assert json.loads(to_json(banner(example.snapshot())))["banner"]["accent"] == ["#5a28c8", "#aa88ff"]


def test_at_most_twenty_are_told(example: Example) -> None:
    for number in range(25):
        Incident.open(example.page, f"Trouble {number}", Post("Words.", at=at(10, 11)))
    assert len(banner(example.snapshot())["banners"]) == 20


def test_a_component_is_named_by_its_code_its_name_or_its_name_with_the_group(example: Example) -> None:
    other = Component.objects.create(page=example.page, name="Chat API", position=9)
    assert banner(example.snapshot())["components"] == [
        example.api.code,
        "chat api",
        "chat - chat api",
        example.site.code,
        "website",
        other.code,
    ]


def test_a_list_of_components_that_is_too_long_for_every_reader_is_left_out(example: Example) -> None:
    Component.objects.bulk_create(Component(page=example.page, name=f"Node {number}") for number in range(200))
    assert banner(example.snapshot())["components"] is None


def test_it_says_the_words_of_the_script(example: Example) -> None:
    assert banner(example.snapshot())["words"] == {
        "lang": "en",
        "dir": "ltr",
        "details": "Details",
        "dismiss": "Dismiss this message",
        "left": ["in {m} min", "in {h} h {m} min", "in {d} d {h} h"],
    }


def test_text_is_plain_and_short(example: Example) -> None:
    example.outage.post(Post("**Bold** <b>not</b> " + "word " * 100, "identified", at=at(10, 11)))
    text = said(example)["text"]
    assert text.startswith("Bold <b>not</b> word word")
    assert text.endswith("word…")
    assert len(text) <= 280


def test_one_endless_word_is_cut_too() -> None:
    assert shorten("x" * 300) == "x" * 279 + "…"


def test_any_site_reads_it_and_no_cookie_is_set(example: Example, client: Client) -> None:
    response = client.get("/api/banner.json", headers={"host": HOST, "origin": "null"})
    assert json.loads(response.content)["banner"]["title"] == "Messages delayed"
    assert response["Access-Control-Allow-Origin"] == "*"
    assert response["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert not response.cookies


@pytest.mark.parametrize("path", ["/embed.js", "/embed/script.js", "/se-v2.js"])
def test_the_scripts_can_be_loaded_from_anywhere(example: Example, client: Client, path: str) -> None:
    response = client.get(path, headers={"host": HOST})
    assert response["Content-Type"] == "text/javascript; charset=utf-8"
    assert response["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "stale-if-error" in response["Cache-Control"]


def test_the_scripts_never_make_markup_of_text() -> None:
    for name in ("embed.js", "embed-script.js", "embed-frame.js", "se-v2.js"):
        source = (settings.BASE_DIR / "static" / "js" / name).read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|cookie *=", source)


def test_only_the_frame_may_be_framed_and_it_holds_no_form(example: Example, client: Client) -> None:
    frame = client.get("/embed/frame?mobile=true", headers={"host": HOST})
    assert "frame-ancestors *" in frame["Content-Security-Policy"]
    assert "X-Frame-Options" not in frame
    assert not frame.cookies
    html = frame.content.decode()
    assert "<form" not in html
    assert "<style" not in html
    assert " style=" not in html
    assert "Messages delayed" in html
    front = client.get("/api/banner.json", headers={"host": HOST})
    assert "frame-ancestors 'none'" in front["Content-Security-Policy"]


def test_the_frame_tells_when_maintenance_is(example: Example, client: Client) -> None:
    example.outage.post(Post("Done.", "resolved", components={example.api: Status.OPERATIONAL}, at=at(10, 11)))
    html = client.get("/embed/frame", headers={"host": HOST}).content.decode()
    assert "Thu 12 March, 00:00 to 01:00 MDT" in html


def test_the_frame_says_the_status_when_there_is_nothing_to_announce(example: Example, client: Client) -> None:
    example.outage.post(Post("Done.", "resolved", components={example.api: Status.OPERATIONAL}, at=at(10, 11)))
    example.planned.post(Post("Done.", "completed", at=at(10, 11)))
    html = client.get("/embed/frame", headers={"host": HOST}).content.decode()
    assert "All Systems Operational" in html
    assert 'data-banner=""' in html
    assert "<button" not in html


def test_a_hidden_component_is_not_in_the_banner(example: Example) -> None:
    Incident.open(example.page, "Hush", Post("Words.", components={example.secret: Status.MAJOR_OUTAGE}, at=at(10, 11)))
    assert "Secret" not in json.dumps(banner(example.snapshot()))


@pytest.mark.parametrize("kind", ["incident", "maintenance"])
def test_a_sample_is_told_as_the_real_thing_is_and_concerns_everything(
    example: Example, client: Client, kind: str
) -> None:
    example.outage.post(Post("Done.", "resolved", components={example.api: Status.OPERATIONAL}, at=at(10, 11)))
    real = banner(example.snapshot())
    sample = client.get(f"/embed/sample/{kind}/api/banner.json", headers={"host": HOST}).json()
    assert sample.keys() == real.keys()
    assert sample["banner"].keys() == real["banner"].keys()
    assert sample["banner"]["kind"] == kind
    assert sample["banner"]["concerns"] == sample["components"]
