"""No screen of the staff's has words that only the source knows."""

import re

import pytest
from bs4 import BeautifulSoup
from django.contrib.admin import site
from django.test import Client
from django.urls import NoReverseMatch, reverse

from incidents.models import Incident
from subscribers.models import Subscriber

CODE_WORDS = re.compile(r"\b\w+\.py\b|\b[Gg]eneration\b|\bpk\b|\bHome\b|\w+\(\)")


@pytest.fixture
def administrator_client(grace) -> Client:
    client = Client()
    client.force_login(grace)
    return client


def screens() -> list[str]:
    """Lists and forms for new rows, of every model that staff see."""
    models = [f"admin:{model._meta.app_label}_{model._meta.model_name}" for model in site._registry]
    return [f"{model}_{view}" for model in models for view in ("changelist", "add")]


def test_lists_and_forms(administrator_client: Client, acme, incident: Incident) -> None:
    person = Subscriber.objects.create(page=acme, address="reader@reader.example")
    addresses = [
        reverse("admin:pages_page_change", args=[acme.pk]),
        reverse("admin:incidents_incident_change", args=[incident.pk]),
        reverse("admin:subscribers_subscriber_change", args=[person.pk]),
    ]
    for name in screens():
        try:
            addresses.append(reverse(name))
        except NoReverseMatch:
            continue
    seen = 0
    for address in addresses:
        answer = administrator_client.get(address)
        if answer.status_code != 200:
            continue
        seen += 1
        content = BeautifulSoup(answer.content, "html.parser").select_one("#container")
        assert content is not None
        assert not CODE_WORDS.findall(content.get_text(" ")), address
    assert seen > 20
