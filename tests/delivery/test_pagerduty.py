from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from delivery import registry
from delivery.channels.pagerduty import PagerDuty, compose
from delivery.ledger import outbox, sender
from delivery.models import Account
from tests.http_servers import Reply, listening

if TYPE_CHECKING:
    from tests.delivery.conftest import MakeNotice

pytestmark = pytest.mark.django_db


def test_an_incident_triggers_and_its_end_resolves_the_same(
    make_notice: MakeNotice, pagerduty_account: Account
) -> None:
    with listening(lambda sent: Reply(202)) as server:
        Account.objects.filter(pk=pagerduty_account.pk).update(options={"url": server.url})
        for stage in ("first", "middle", "last"):
            notice = make_notice(stage=stage)
            outbox.expand(notice.pk)
            sender.drain("pagerduty", 20)
        events = [each.json for each in server.requests]

    assert [each["event_action"] for each in events] == ["trigger", "trigger", "resolve"]
    assert {each["dedup_key"] for each in events} == {"statuspage/status.acme.example/incident0001"}
    assert {each["routing_key"] for each in events} == {pagerduty_account.credentials["key"]}
    assert "payload" not in events[2]


@pytest.mark.parametrize(
    ("severity", "expected"), [("critical", "critical"), ("major", "error"), ("minor", "warning"), ("none", "info")]
)
def test_severities_are_those_that_pagerduty_knows(make_notice: MakeNotice, severity: str, expected: str) -> None:
    payload = compose(make_notice(severity=severity, body_html="<p>We <strong>look</strong>.</p>"))["payload"]

    assert payload["severity"] == expected
    assert payload["summary"] == "Acme Status: Elevated error rates on Chat API"
    assert payload["custom_details"]["message"] == "We look."


def test_a_key_that_is_none_is_refused_as_staff_write_it() -> None:
    form = PagerDuty.Options({"key": "an API key", "url": "https://events.pagerduty.com/v2/enqueue"})

    assert list(form.errors) == ["key"]
    assert "pagerduty" in registry.account_kinds()
