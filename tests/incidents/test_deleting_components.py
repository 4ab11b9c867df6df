"""What stays of a component that staff delete: what it was called when it was told of, unless it was hidden."""

from components.models import Component
from components.status import Status
from incidents.models import Incident, Phase, Post
from pages.models import Page
from public import snapshot


def test_a_hidden_component_stays_unknown_when_it_is_deleted(acme: Page, chat: Component) -> None:
    secret = Component.objects.create(page=acme, name="Vault", hidden=True)
    both: dict[Component, Status] = {secret: Status.MAJOR_OUTAGE, chat: Status.PARTIAL_OUTAGE}
    incident = Incident.open(acme, "Errors", Post("Looking.", components=both)).incident
    told = incident.updates.get()
    secret.delete()
    assert "Vault" not in str(snapshot.build(acme))
    incident.post(Post("Over.", Phase.RESOLVED, components={chat: Status.OPERATIONAL}))
    assert [each.name for each in told.affected.all()] == [chat.full_name]
