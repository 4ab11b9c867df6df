"""The badge as SVG and as JSON for shields."""

import json
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import pytest
from django.test import Client

from components.status import Status
from core.colours import COLOURS
from core.contrast import contrast
from public.documents.badge import BY_STATUS, component_badge, page_badge, shields, svg
from tests.public.examples import HOST, Example, frozen, make_example

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def example(db: None) -> Iterator[Example]:
    with frozen():
        yield make_example()


def test_the_picture_says_the_status_in_words_and_to_screen_readers(example: Example) -> None:
    root = ET.fromstring(svg(page_badge(example.snapshot())))
    assert root.findtext(f"{SVG}title") == "Acme: Some systems are partly down"
    assert root.get("role") == "img"
    assert [text.text for text in root.iter(f"{SVG}text")] == ["Acme", "Some systems are partly down"]


def test_the_picture_loads_nothing(example: Example) -> None:
    drawn = svg(page_badge(example.snapshot()))
    for word in ("href", "url(http", "@import", "<style", "<script", "<image"):
        assert word not in drawn


def test_a_long_or_hostile_name_stays_a_small_well_formed_picture(example: Example) -> None:
    example.page.name = "<b>&\"'" + "Ж世" * 100
    example.page.save()
    root = ET.fromstring(svg(page_badge(example.snapshot())))
    label = next(root.iter(f"{SVG}text")).text
    assert label is not None
    assert len(label) == 40
    assert int(root.get("width", "9999")) < 600


def test_shields_gets_the_fields_it_requires(example: Example, client: Client) -> None:
    response = client.get("/badge.json", headers={"host": HOST})
    assert json.loads(response.content) == {
        "schemaVersion": 1, "label": "Acme", "message": "Some systems are partly down", "color": "#b54900", "cacheSeconds": 300,
    }  # fmt: skip


def test_the_ground_under_the_label_has_the_accent_of_the_page_and_the_state_its_own(example: Example) -> None:
    example.page.accent_light, example.page.accent_dark = "#5a28c8", "#aa88ff"
    example.page.save()
    badge = page_badge(example.snapshot())
    left, right = list(ET.fromstring(svg(badge)).iter(f"{SVG}rect"))[1:]
    assert (left.get("fill"), right.get("fill")) == ("#5a28c8", BY_STATUS[Status.PARTIAL_OUTAGE])
    assert shields(badge)["labelColor"] == "#5a28c8"
    assert contrast("#5a28c8", COLOURS["over"].light) >= 4.5


def test_a_component_and_a_group_have_their_own_badges(example: Example, client: Client) -> None:
    snapshot = example.snapshot()
    component, group = (component_badge(snapshot, code) for code in (example.api.code, example.chat.code))
    assert component
    assert group
    assert shields(component)["message"] == shields(group)["message"] == "Partial outage"
    response = client.get(f"/badge/{example.api.code}.svg", headers={"host": HOST})
    assert response["Content-Type"] == "image/svg+xml; charset=utf-8"
    assert "Chat API: Partial outage" in response.content.decode()


def test_a_hidden_component_has_no_badge(example: Example, client: Client) -> None:
    hidden = client.get(f"/badge/{example.secret.code}.svg", headers={"host": HOST})
    unknown = client.get("/badge/nosuchcode00.json", headers={"host": HOST})
    assert hidden.status_code == unknown.status_code == 404


def _luminance(color: str) -> float:
    parts = [int(color[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("color", sorted(BY_STATUS.values()))
def test_white_words_can_be_read_on_every_color(color: str) -> None:
    assert 1.05 / (_luminance(color) + 0.05) >= 4.5


def test_every_status_has_a_color() -> None:
    assert set(BY_STATUS) == set(Status)
