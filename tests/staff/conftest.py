"""Imports of models stand inside the fixtures: pytest loads this file before Django is set up."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from components.models import Component
    from incidents.models import Incident
    from pages.models import Page

PASSWORD = "correct horse battery"


@pytest.fixture
def acme(db: None) -> Page:
    from pages.models import Page

    return Page.objects.create(name="Acme", url="https://status.acme.example", time_zone="Asia/Singapore")


@pytest.fixture
def chat(acme: Page) -> Component:
    from components.models import Component, Group

    return Component.objects.create(page=acme, group=Group.objects.create(page=acme, name="Chat"), name="Chat API")


@pytest.fixture
def website(acme: Page) -> Component:
    from components.models import Component

    return Component.objects.create(page=acme, name="Website")


@pytest.fixture
def incident(acme: Page, chat: Component) -> Incident:
    """Open, with a component partly down."""
    from components.status import Status
    from incidents.models import Incident, Post

    components = {chat: Status.PARTIAL_OUTAGE}
    return Incident.open(
        acme, "Errors on the Chat API", Post("We are looking into it.", components=components)
    ).incident


def make_staff(name: str, *groups: str, **fields: Any) -> User:
    from django.contrib.auth.models import Group, User

    user = User.objects.create_user(name, password=PASSWORD, **({"is_staff": True} | fields))
    user.groups.set(Group.objects.filter(name__in=groups))
    return user


@pytest.fixture
def ada(db: None) -> User:
    """May publish."""
    return make_staff("ada", "Publishers")


@pytest.fixture
def grace(db: None) -> User:
    """May administer, and publish."""
    return make_staff("grace", "Administrators")


@pytest.fixture
def signed_in(ada: User) -> Client:
    """A browser in which ada is signed in; forms must carry their CSRF token."""
    client = Client()
    client.force_login(ada)
    return client


@pytest.fixture
def follow(signed_in: Client, acme: Page) -> Callable[..., dict[str, str]]:
    """The fields that the posting screen offers at an address, as a browser would send them back."""
    from bs4 import BeautifulSoup

    def fields(address: str) -> dict[str, str]:
        form = BeautifulSoup(signed_in.get(address).content, "html.parser").find("form", id="post-form")
        sent = {}
        for field in form.find_all(["input", "textarea", "select"]):
            if field.name == "select":
                chosen = field.find("option", selected=True)
                sent[field["name"]] = chosen["value"] if chosen else ""
            elif field.name == "textarea":
                sent[field["name"]] = field.text
            elif field["type"] not in ("radio", "checkbox") or field.has_attr("checked"):
                sent[field["name"]] = field.get("value", "on")
        return sent

    return fields
