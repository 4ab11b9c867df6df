"""A page with a canary: heartbeats by mail and by webhook, a relay and alarm channels on loopback.

Imports of models stand inside the fixtures: pytest loads this file before Django is set up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from pytest_django import Settings

from tests.http_servers import Listener, Reply, listening

if TYPE_CHECKING:
    from pages.models import Page
    from tests.delivery.smtp_servers import BadServer

MAILBOX = "canary@mailbox.example"
KEY = "0123456789abcdef0123456789abcdef"


@dataclass
class Wires:
    """The other ends: where heartbeats go, and who is told of alarms."""

    relay: BadServer
    hook: Listener
    slack: Listener
    pagerduty: Listener
    deadman: Listener
    web: Listener
    """Serves any document, of the page's first generation."""


@pytest.fixture
def page(db: None) -> Page:
    from pages.models import Page

    return Page.objects.create(name="Acme Status", url="https://status.acme.example")


@pytest.fixture
def wires(settings: Settings) -> Iterator[Wires]:
    """Everything is set; all of it behaves."""
    from tests.delivery.smtp_servers import bad_server

    with ExitStack() as stack:
        wires = Wires(
            stack.enter_context(bad_server({})),
            *(stack.enter_context(listening()) for _ in range(2)),
            stack.enter_context(listening(lambda sent: Reply(202, b'{"status": "success"}'))),
            stack.enter_context(listening()),
            stack.enter_context(listening(lambda sent: Reply(headers={"X-Edition-Generation": "1"}))),
        )
        settings.MAIL_DIR, settings.EMAIL_HOST, settings.EMAIL_PORT = None, wires.relay.host, wires.relay.port
        settings.CANARY_MAIL_TO, settings.CANARY_MAIL_SECRET = MAILBOX, "the-way-in"
        settings.CANARY_WEBHOOK_URL = f"{wires.hook.url}/canary/hook"
        settings.CANARY_PERIOD_SECONDS, settings.CANARY_DEADLINE_SECONDS, settings.CANARY_WATCH_SECONDS = 2, 1, 1
        settings.ALARM_SLACK_URL, settings.ALARM_PAGERDUTY_KEY = f"{wires.slack.url}/services/T/B/X", KEY
        settings.ALARM_PAGERDUTY_URL, settings.ALARM_DEADMAN_URL = (
            f"{wires.pagerduty.url}/v2/enqueue",
            wires.deadman.url,
        )
        settings.CANARY_READ_URLS, settings.CANARY_READ_SECONDS = [wires.web.url], 1
        settings.PUBLIC_URL = "https://status.acme.example"
        yield wires


@pytest.fixture
def deliver() -> Callable[[], None]:
    """What the workers do, here and now."""
    from delivery.management.commands.deliver import deliver as deliver_all

    return lambda: deliver_all() and None
