"""A page, people on it, and notices to tell them.

Imports of models stand inside the fixtures: pytest loads this file before Django is set up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.utils import timezone
from pytest_django import Settings

if TYPE_CHECKING:
    from delivery.models import Account, Notice
    from pages.models import Page
    from subscribers.models import Subscriber
    from tests.canary.imap_server import ImapServer

    MakeNotice = Callable[..., Notice]
    AddSubscribers = Callable[..., list[Subscriber]]


@pytest.fixture
def page(db: None) -> Page:
    from pages.models import Page

    return Page.objects.create(name="Acme Status", url="https://status.acme.example")


@pytest.fixture
def notice(make_notice: MakeNotice) -> Notice:
    return make_notice()


@pytest.fixture
def make_notice(page: Page) -> MakeNotice:
    """Stored; no worker is woken and nothing expanded. Any field can be given."""
    from delivery.models import Notice

    made = 0

    def make(**fields: object) -> Notice:
        nonlocal made
        made += 1
        values = {
            "page": page,
            "code": f"notice{made:06}",
            "thread": "incident0001",
            "stage": Notice.Stage.FIRST,
            "title": "Elevated error rates on Chat API",
            "status": "identified",
            "status_label": "Identified",
            "severity": "major",
            "body": "Some messages were not delivered over **WebSockets**.\n\nStored messages are safe.",
            "body_html": "<p>Some messages were not delivered over <strong>WebSockets</strong>.</p>\n"
            "<p>Stored messages are safe.</p>",
            "link": "https://status.acme.example/incidents/incident0001",
            "component_codes": [],
            "components": [
                {
                    "code": "chat0000api0",
                    "name": "Chat API",
                    "old_status": "operational",
                    "new_status": "partial_outage",
                }
            ],
            "created_at": timezone.now(),
        }
        return Notice.objects.create(**values | fields)

    return make


@pytest.fixture
def add_subscribers(page: Page) -> AddSubscribers:
    """So many active subscribers by mail: person0001@example.com, person0002@…"""
    from subscribers.models import Subscriber

    made = 0

    def add(count: int, **fields: object) -> list[Subscriber]:
        nonlocal made
        values = {"page": page, "state": Subscriber.State.ACTIVE} | fields
        people = [Subscriber(address=f"person{made + n + 1:04}@example.com", **values) for n in range(count)]
        made += count
        return Subscriber.objects.bulk_create(people)

    return add


@pytest.fixture
def x_account(page: Page) -> Account:
    from delivery.models import Account

    secrets = {"consumer_key": "ck", "consumer_secret": "cs", "access_token": "at", "access_token_secret": "ats"}
    return Account.objects.create(page=page, channel="x", name="@acmestatus", credentials=secrets)


@pytest.fixture
def webhook_account(page: Page) -> Account:
    """Its address leads nowhere until a test gives it another."""
    from delivery.models import Account

    secrets = {"url": "http://127.0.0.1:1/hook", "secret": "whsec_" + "c3RhdHVzcGFnZSBzZWNyZXQgZm9yIHRlc3Rz"}
    return Account.objects.create(page=page, channel="webhook", name="On-call bot", credentials=secrets)


@pytest.fixture
def slack_account(page: Page) -> Account:
    from delivery.models import Account

    return Account.objects.create(page=page, channel="slack", name="#status", credentials={"url": "http://127.0.0.1:1"})


@pytest.fixture
def pagerduty_account(page: Page) -> Account:
    from delivery.models import Account

    options, secrets = {"url": "http://127.0.0.1:1"}, {"key": "0123456789abcdef0123456789abcdef"}
    return Account.objects.create(page=page, channel="pagerduty", name="On call", options=options, credentials=secrets)


@pytest.fixture
def mail_dir(settings: Settings, tmp_path: Path) -> Path:
    """Where mail is written: SMTP is not configured."""
    settings.MAIL_DIR = tmp_path / "mail"
    return settings.MAIL_DIR


@pytest.fixture
def bounce_mailbox(mailbox: ImapServer, settings: Settings) -> ImapServer:
    """A real mailbox, which the settings name as the one that bounces go to."""
    from core.imap import MailboxUrl

    settings.BOUNCE_MAILBOX = MailboxUrl.parse(mailbox.url())
    return mailbox


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A further channel, added by one line in the registry (toy_channel.py)."""
    from delivery import registry

    place = registry.Registered("tests.delivery.toy_channel.Toy", queue="delivery.toy")
    monkeypatch.setitem(registry.CHANNELS, "toy", place)
    yield "toy"
    registry.load.cache_clear()


@pytest.fixture
def toy_account(toy: str, page: Page) -> Account:
    from delivery.models import Account

    return Account.objects.create(
        page=page,
        channel=toy,
        name="our toy",
        options={"address": "http://127.0.0.1:9/"},
        credentials={"token": "hush-hush"},
    )
