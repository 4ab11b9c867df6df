"""What people read of a component: its name, with its group only where two of a page share a name."""

import pytest
from django.test import Client

from components.models import Component, Group
from components.status import Status
from delivery.models import Notice
from incidents.models import Incident, Post
from pages.models import Page


@pytest.fixture
def platform(acme: Page) -> Group:
    return Group.objects.create(page=acme, name="Platform")


def labels() -> dict[str, str]:
    return {str(each.code): each.label for each in Component.objects.labelled()}


@pytest.mark.parametrize(
    ("other", "label"),
    [
        (None, "Dashboard"),
        ({"name": "dashboard"}, "Dashboard"),
        ({"name": "Dashboard"}, "Platform - Dashboard"),
        ({"name": "Dashboard", "hidden": True}, "Dashboard"),
        ({"name": "Dashboard", "page": "other"}, "Dashboard"),
    ],
)
def test_the_group_is_said_where_two_share_a_name(
    acme: Page, platform: Group, other: dict[str, object] | None, label: str
) -> None:
    component = Component.objects.create(page=acme, group=platform, name="Dashboard")
    if other:
        page = Page.objects.create(name="Other", url="https://other.example") if other.pop("page", "") else acme
        Component.objects.create(page=page, **other)
    assert labels()[component.code] == label


def test_everything_that_people_read_says_the_label(client: Client, acme: Page, platform: Group) -> None:
    dashboard = Component.objects.create(page=acme, group=platform, name="Dashboard")
    update = Incident.open(acme, "Slow", Post("Looking.", components={dashboard: Status.PARTIAL_OUTAGE}))
    host = {"HTTP_HOST": acme.host}
    Component.objects.create(page=acme, name="Website")
    acme.raise_generation()
    for path in ("/", update.incident.path, "/subscribe"):
        page = client.get(path, **host).content.decode()
        assert "Dashboard" in page, path
        assert "Platform - Dashboard" not in page, path
    assert client.get("/api/banner.json", **host).json()["banner"]["components"] == ["Dashboard"]
    [told] = Notice.objects.get().components
    assert (told["label"], told["name"]) == ("Dashboard", "Platform - Dashboard")
    summary = client.get("/api/v2/summary.json", **host).json()
    [affected] = summary["incidents"][0]["incident_updates"][0]["affected_components"]
    assert affected["name"] == "Platform - Dashboard"  # as Statuspage says it
