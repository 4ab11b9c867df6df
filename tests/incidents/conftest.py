"""Imports of models stand inside the fixtures: pytest loads this file before Django is set up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from components.models import Component
    from incidents.models import Incident
    from pages.models import Page


@pytest.fixture
def acme(db: None) -> Page:
    from pages.models import Page

    return Page.objects.create(name="Acme", url="https://status.acme.example")


@pytest.fixture
def chat(acme: Page) -> Component:
    """ "Chat - Chat API": a component inside a group."""
    from components.models import Component, Group

    group = Group.objects.create(page=acme, name="Chat")
    return Component.objects.create(page=acme, group=group, name="Chat API")


@pytest.fixture
def website(acme: Page) -> Component:
    from components.models import Component

    return Component.objects.create(page=acme, name="Website")


@pytest.fixture
def incident(acme: Page) -> Incident:
    """Open, under investigation, without components."""
    from incidents.models import Incident, Post

    return Incident.open(acme, "Errors on the Chat API", Post("We are looking into it.")).incident
