"""How bad an incident is: derived from its components, set by hand, and blind to what is hidden."""

import pytest

from components.models import Component
from components.status import Impact, Status
from delivery.models import Notice
from incidents.models import Incident, Phase, Post


@pytest.mark.parametrize(
    ("status", "impact"),
    [
        (Status.OPERATIONAL, Impact.NONE),
        (Status.DEGRADED_PERFORMANCE, Impact.MINOR),
        (Status.PARTIAL_OUTAGE, Impact.MAJOR),
        (Status.MAJOR_OUTAGE, Impact.CRITICAL),
    ],
)
def test_impact_follows_from_the_components(acme, chat, status, impact):
    assert Incident.open(acme, "Errors", Post("Looking.", components={chat: status})).incident.impact == impact


def test_impact_does_not_fall_while_an_incident_is_repaired(acme, chat):
    incident = Incident.open(acme, "Errors", Post("Looking.", components={chat: Status.MAJOR_OUTAGE})).incident
    incident.post(Post("Over.", Phase.RESOLVED, components={chat: Status.OPERATIONAL}))
    assert incident.impact == Impact.CRITICAL


def test_impact_counts_components_that_a_later_update_left_out(acme, chat, website):
    incident = Incident.open(acme, "Errors", Post("Looking.", components={chat: Status.MAJOR_OUTAGE})).incident
    incident.post(Post("More.", Phase.IDENTIFIED, components={website: Status.PARTIAL_OUTAGE}))
    assert incident.impact == Impact.CRITICAL


def test_an_overridden_impact_stays_until_it_is_taken_back(acme, chat):
    incident = Incident.open(
        acme, "Errors", Post("Looking.", components={chat: Status.PARTIAL_OUTAGE}), impact_override="critical"
    ).incident
    incident.post(Post("More.", Phase.IDENTIFIED))
    assert incident.impact == Impact.CRITICAL
    incident.override_impact("")
    assert incident.impact == Impact.MAJOR


# Hidden components


def test_a_hidden_component_reaches_neither_notice_nor_impact(acme, chat):
    secret = Component.objects.create(page=acme, name="Codename Zebra", hidden=True)
    update = Incident.open(
        acme, "Errors", Post("Looking.", components={secret: Status.MAJOR_OUTAGE, chat: Status.DEGRADED_PERFORMANCE})
    )
    notice = Notice.objects.get()
    assert [each["name"] for each in notice.components] == ["Chat - Chat API"]
    assert notice.component_codes == [chat.code]
    assert secret.code not in str(vars(notice))
    assert "Zebra" not in str(vars(notice))
    assert update.incident.impact == Impact.MINOR
    assert set(update.incident.components.all()) == {secret, chat}
