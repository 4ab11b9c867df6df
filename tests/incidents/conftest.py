"""Imports of models stand inside the fixtures: pytest loads this file before Django is set up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from components.models import Component
    from incidents.models import Incident
    from pages.models import Page


@pytest.fixture
def page(db: None) -> Page:
    from pages.models import Page

    return Page.objects.create(name="Acme", url="https://status.acme.example")


@pytest.fixture
def chat(page: Page) -> Component:
    """ "Chat - Chat API": a component inside a group."""
    from components.models import Component, Group

    group = Group.objects.create(page=page, name="Chat")
    return Component.objects.create(page=page, group=group, name="Chat API")


@pytest.fixture
def website(page: Page) -> Component:
    from components.models import Component

    return Component.objects.create(page=page, name="Website")


@pytest.fixture
def incident(page: Page) -> Incident:
    """Open, under investigation, without components."""
    from incidents.models import Incident

    return Incident.open(page, "Errors on the Chat API", "We are looking into it.").incident
