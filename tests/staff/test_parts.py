"""The catalogue of parts shows every template of templates/staff/parts/, in development only."""

from __future__ import annotations

from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from django.conf import settings
from django.test import Client

from incidents.models import Template
from pages.models import SetupStep
from staff.part_examples import load_parts

PARTS = "/staff/parts/"


@pytest.fixture
def staff(grace, acme) -> Client:
    client = Client()
    client.force_login(grace)
    return client


def test_every_part_is_in_the_catalogue():
    stored = {path.stem for path in Path(settings.BASE_DIR, "templates/staff/parts").glob("*.html")}
    shown = {f"_{part.name}" for part in load_parts()}
    assert shown == stored


def test_every_part_is_used_by_a_screen():
    templates = Path(settings.BASE_DIR, "templates")
    everywhere = {path: path.read_text() for path in templates.rglob("*.html")}
    for part in load_parts():
        users = [path for path, text in everywhere.items() if part.template in text]
        assert users, part.name


@pytest.mark.parametrize(
    ("is_debug", "is_demo", "right"), [(False, False, 404), (True, False, 200), (False, True, 200)]
)
def test_the_catalogue_is_for_development(staff, acme, settings, is_debug, is_demo, right):
    settings.DEBUG = is_debug
    if is_demo:
        SetupStep.objects.create(page=acme, name=SetupStep.Name.DEMO)
    assert staff.get(PARTS).status_code == right


def test_each_state_is_drawn(staff, settings):
    settings.DEBUG = True
    shown = BeautifulSoup(staff.get(PARTS).content, "html.parser")
    for part in load_parts():
        section = shown.find("section", attrs={"aria-labelledby": f"part-{part.name}"})
        assert section
        states = [" ".join(each.text.split()) for each in section.find_all("h3", recursive=False)]
        assert len(states) == len(part.examples), part.name
        for heading in section.find_all("h3", recursive=False):
            assert heading.find_next_sibling().find(True), (part.name, heading.text)


def test_the_catalogue_takes_no_offer_to_undo(staff, acme, settings):
    """The offer belongs to the top of the next screen, whichever that is."""
    settings.DEBUG = True
    template = Template.objects.create(page=acme, name="Disk", body="x")
    staff.post(f"/staff/page/templates/{template.pk}/remove/")
    shown = BeautifulSoup(staff.get(PARTS).content, "html.parser")
    assert "The template Disk was removed." in shown.select_one("#content > .messagelist").text
