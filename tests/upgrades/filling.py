"""A small installation with something in every table, made as the product makes it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import time_machine

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


def fill() -> None:
    """An open incident told to three people, one that bounced, maintenance ahead; staff, a canary, a pause."""
    with time_machine.travel(NOW, tick=True):
        _fill()


def _fill() -> None:
    from django.contrib.auth.models import User

    from canary.models import Alarm, Heartbeat, Probe
    from components.effects import set_base_status
    from components.models import Component, Group
    from components.status import Status
    from core.pictures import Raster
    from delivery.contract import SendResult
    from delivery.ledger import outbox, recording
    from delivery.ledger.claims import claim
    from delivery.mail.bounces.events import note
    from delivery.mail.bounces.models import EventKind, MailboxReading
    from delivery.models import Account, Bucket, Notice, Pause
    from incidents.models import Draft, Incident, Phase, Post, Template
    from pages.models import Page, SetupStep
    from subscribers.models import Subscriber
    from subscribers.subscribing import request_subscription

    page = Page.objects.create(name="Acme", url="https://status.acme.example", time_zone="Europe/Berlin")
    page.show_picture("logo", Raster(b"png", 100, 40))
    page.save()
    SetupStep.objects.create(page=page, name=SetupStep.Name.BANNER)
    group = Group.objects.create(page=page, name="Chat")
    chat = Component.objects.create(page=page, group=group, name="Chat API")
    site = Component.objects.create(page=page, name="Website", position=2)
    set_base_status(site, Status.DEGRADED_PERFORMANCE, actor="ada")
    ada = User.objects.create_superuser("ada", "ada@acme.example", "correct horse battery staple")
    Account.objects.create(
        page=page,
        channel="webhook",
        name="ops",
        credentials={"url": "https://hooks.acme.example", "secret": "whsec_MTIz"},
    )
    for name in ("ann", "bob", "cem"):
        person = Subscriber.objects.create(page=page, address=f"{name}@example.com", state=Subscriber.State.ACTIVE)
    person.set_language("de")
    person.choose([chat])
    request_subscription(page, "dan@example.com", component_codes=[chat.code])
    opened = Incident.open(page, "Errors", Post("We see **errors**.", components={chat: Status.MAJOR_OUTAGE}))
    window = NOW + timedelta(days=3), NOW + timedelta(days=3, hours=2)
    post = Post("Read-only.", components={site: Status.UNDER_MAINTENANCE}, window=window)
    Incident.open(page, "Database work", post, kind="maintenance")
    Incident.open(page, "Slow", Post("Looking.")).incident.post(Post("Over.", Phase.RESOLVED))
    for notice in Notice.objects.filter(expanded_at=None).order_by("pk"):
        outbox.expand(notice.pk)
    if batch := claim("email", 5):
        recording.record(batch, [SendResult(pk) for pk in list(batch.recipients)])
    note(source="mailgun", event_id="1", kind=EventKind.HARD, address="bob@example.com")
    MailboxReading.objects.note_failure("imap.acme.example: our sign-in is refused.")
    Pause.objects.begin("account:1", "it answered 500")
    Bucket.objects.create(key="email", tokens=3.0, filled_at=NOW, booked_until=NOW)
    template = Template.objects.create(page=page, name="Outage", title="Outage", body="We are looking into it.")
    template.components.add(chat)
    Draft.objects.create(page=page, incident=opened.incident, author=ada, fields={"body": "Half a sent"})
    heartbeat = Heartbeat.objects.create(slot=1)
    Probe.objects.create(heartbeat=heartbeat, code=f"{heartbeat.code}0", destination="email", arrived_at=NOW)
    Alarm.objects.create(key="delivery.late", text="Notifications are late.", cleared_at=NOW)
