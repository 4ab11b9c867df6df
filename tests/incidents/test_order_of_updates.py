"""Where updates stand: by the time that they show, unless another page listed them elsewhere."""

from datetime import timedelta

import pytest

from incidents.models import Incident, Post
from pages.models import Page
from public.snapshot import build


@pytest.mark.django_db
def test_an_update_listed_elsewhere_than_its_time_keeps_its_place() -> None:
    page = Page.objects.create(name="Acme", url="https://status.acme.example")
    first = Incident.open(page, "Errors", Post("First."))
    second = first.incident.post(Post("Second."))
    first.incident.post(Post("Third."))
    second.listed_at, second.display_at = second.display_at, second.display_at - timedelta(hours=2)
    second.save(update_fields=["listed_at", "display_at"])
    [incident] = build(page).incidents
    assert [update.body for update in incident.updates] == ["Third.", "Second.", "First."]
    assert incident.updates[1].display_at < incident.updates[2].display_at
    assert [update.body for update in first.incident.updates.all()] == ["Third.", "Second.", "First."]
