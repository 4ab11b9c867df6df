"""Models are imported inside the fixtures: pytest may load this file before Django is set up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from django.test import Client

    from components.models import Component
    from pages.models import Page
    from subscribers.models import Subscriber


@pytest.fixture
def page(db: None) -> Page:
    from pages.models import Page

    return Page.objects.create(name="Acme Status", url="http://acme.localhost")


@pytest.fixture
def other_page(page: Page) -> Page:
    from pages.models import Page

    return Page.objects.create(name="Other Status", url="http://other.localhost")


@pytest.fixture
def website(page: Page) -> Component:
    return page.components.create(name="Website", code="website00000")


@pytest.fixture
def chat_api(page: Page, website: Component) -> Component:
    return page.components.create(name="Chat API", group=page.groups.create(name="Chat"), code="chatapi00000")


@pytest.fixture
def subscriber(page: Page) -> Subscriber:
    """Active, about everything."""
    return page.subscribers.create(address="ann@example.com", state="active")


@pytest.fixture
def visitor(client: Client) -> Client:
    """A browser on the page's host."""
    client.defaults["HTTP_HOST"] = "acme.localhost"
    return client
