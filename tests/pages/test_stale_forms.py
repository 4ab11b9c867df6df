"""A form that was open while others worked saves what its person changed, and nothing else."""

from datetime import timedelta

import pytest
from bs4 import BeautifulSoup
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from components.models import Component
from components.status import Status
from incidents.models import Incident, Phase
from incidents.post import Post
from pages.models import Page


def shown_fields(client: Client, address: str) -> dict[str, str]:
    """What a browser would send back of the form at `address`, unchanged."""
    form = BeautifulSoup(client.get(address).content, "html.parser").select_one("form[id$='_form']")
    assert form is not None
    sent = {}
    for field in form.select("input[name], textarea[name], select[name]"):
        if field.name == "select":
            chosen = field.select_one("option[selected]")
            sent[field["name"]] = chosen["value"] if chosen else ""
        elif field.get("type") not in ("checkbox", "submit") or field.has_attr("checked"):
            nothing_given = "on" if field.get("type") == "checkbox" else ""
            sent[field["name"]] = (
                field.text.lstrip("\n") if field.name == "textarea" else field.get("value", nothing_given)
            )
    return {str(name): str(value) for name, value in sent.items()}


@pytest.fixture
def chat(acme: Page) -> Component:
    return Component.objects.create(page=acme, name="Chat")


def test_a_stale_component_form_keeps_a_base_status_set_meanwhile(
    client: Client, administrator: User, chat: Component
) -> None:
    address = f"/admin/components/component/{chat.pk}/change/"
    form = shown_fields(client, address)
    Component.objects.filter(pk=chat.pk).update(base_status=Status.DEGRADED_PERFORMANCE, description="Of others")
    assert client.post(address, form | {"name": "Chats"}).status_code == 302
    chat.refresh_from_db()
    assert (chat.name, chat.base_status, chat.description) == ("Chats", Status.DEGRADED_PERFORMANCE, "Of others")
    assert chat.status == Status.DEGRADED_PERFORMANCE


def test_a_base_status_changed_in_the_form_counts_also_when_it_equals_the_stored_one_of_then(
    client: Client, administrator: User, chat: Component
) -> None:
    address = f"/admin/components/component/{chat.pk}/change/"
    form = shown_fields(client, address)
    assert client.post(address, form | {"base_status": "20"}).status_code == 302
    chat.refresh_from_db()
    assert (chat.base_status, chat.status) == (20, 20)


def test_a_stale_incident_form_keeps_what_a_post_said_meanwhile(
    client: Client, looker: User, acme: Page, chat: Component
) -> None:
    update = Incident.open(acme, "Slow", Post(body="Looking.", status=Phase.INVESTIGATING))
    incident = update.incident
    address = f"/admin/incidents/incident/{incident.pk}/change/"
    form = shown_fields(client, address)
    incident.post(Post(body="Over.", status=Phase.RESOLVED))
    assert client.post(address, form | {"name": "Slow chat"}).status_code == 302
    stored = Incident.objects.get(pk=incident.pk)
    assert (stored.name, stored.status) == ("Slow chat", Phase.RESOLVED)
    assert stored.resolved_at is not None


def test_a_stale_maintenance_form_keeps_a_window_moved_meanwhile(client: Client, looker: User, acme: Page) -> None:
    start = (timezone.now() + timedelta(days=2)).replace(microsecond=0)
    window, later = (start, start + timedelta(hours=1)), (start + timedelta(days=1), start + timedelta(days=1, hours=1))
    post = Post(body="We move.", status=Phase.SCHEDULED, window=window)
    incident = Incident.open(acme, "Move", post, kind="maintenance").incident
    address = f"/admin/incidents/incident/{incident.pk}/change/"
    form = shown_fields(client, address)
    incident.post(Post(body="Later.", status=Phase.SCHEDULED, window=later))
    assert client.post(address, form | {"name": "The move"}).status_code == 302
    stored = Incident.objects.get(pk=incident.pk)
    assert (stored.name, stored.window) == ("The move", later)


def test_a_form_of_what_was_deleted_meanwhile_brings_nothing_back(
    client: Client, administrator: User, chat: Component, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"/admin/components/component/{chat.pk}/change/"
    form = shown_fields(client, address)
    lock = Page.lock

    def delete_first(page: Page) -> None:
        Component.objects.filter(pk=chat.pk).delete()
        lock(page)

    monkeypatch.setattr(Page, "lock", delete_first)
    assert client.post(address, form | {"name": "Chats"}).status_code == 404
    assert not Component.objects.filter(name="Chats").exists()
