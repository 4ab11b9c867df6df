"""Publishes heartbeats: notices that are delivered like all others, but to the canary's own destinations."""

import base64
import hmac
import time
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from canary.models import Alarm, Heartbeat, Probe
from delivery.ledger import outbox
from delivery.models import Account, Delivery, Notice, Pause
from pages.models import Page
from subscribers.addresses import normalise_address

ACCOUNT_NAME = "Canary (heartbeats)"
# A heartbeat that is not sent by then is cancelled, so that heartbeats do not pile up while nothing is sent.
GIVE_UP_AFTER = timedelta(minutes=10)
NOTICES_KEPT = timedelta(hours=1)
HEARTBEATS_KEPT = timedelta(days=1)
ALARMS_KEPT = timedelta(days=30)
MOST_PRUNED = 500


def destinations() -> list[Probe.Destination]:
    """The destinations of heartbeats in the settings; with none the canary is off."""
    wanted = {
        Probe.Destination.MAIL: settings.CANARY_MAIL_TO,
        Probe.Destination.WEBHOOK: settings.CANARY_WEBHOOK_URL,
    }
    return [destination for destination, address in wanted.items() if address]


def beat() -> Heartbeat | None:
    """Publish the heartbeat of this period; called by beat.

    The slot is unique, so two beats at the same time publish one heartbeat. A slot is half a period, so that an early or
    late call does not fall into the slot of the one before.
    """
    prune()
    return publish(slot=int(time.time() * 2 / settings.CANARY_PERIOD_SECONDS))


@transaction.atomic
def publish(*, slot: int | None = None) -> Heartbeat | None:
    """Store a heartbeat with its notices and wake a worker. None if there is no page or destination, or the slot is
    taken."""
    page = Page.objects.order_by("pk").first()
    wanted = destinations()
    if page is None or not wanted:
        return None
    heartbeat = Heartbeat()
    if slot is not None:
        heartbeat, is_new = Heartbeat.objects.get_or_create(slot=slot)
        if not is_new:
            return None
    else:
        heartbeat.save()
    _prepare(page)
    for number in range(settings.CANARY_PROBES):
        code = f"{heartbeat.code}{number}"
        Probe.objects.bulk_create(Probe(heartbeat=heartbeat, code=code, destination=each) for each in wanted)
        outbox.publish(_notice(page, code))
    return heartbeat


def _notice(page: Page, code: str) -> Notice:
    words = "This message checks that messages arrive. Nobody needs to read it."
    return Notice(
        page=page,
        code=code,
        thread=code,
        stage=Notice.Stage.MIDDLE,
        title=f"heartbeat-{code}",
        status_label="Heartbeat",
        severity="none",
        body=words,
        body_html=f"<p>{words}</p>",
        link=page.absolute_url("/"),
        audience=Notice.Audience.CANARY,
    )


def _prepare(page: Page) -> None:
    """Make the accounts of the canary equal to the destinations in the settings."""
    kept = [_prepare_account(page, destination).pk for destination in destinations()]
    Account.objects.filter(audience=Notice.Audience.CANARY).exclude(pk__in=kept).delete()


def _prepare_account(page: Page, destination: Probe.Destination) -> Account:
    wanted: dict[str, Any] = {"options": {}, "credentials": {}}
    if destination == Probe.Destination.MAIL:
        wanted["options"] = {"address": normalise_address(settings.CANARY_MAIL_TO)}
    else:
        wanted["credentials"] = {"url": settings.CANARY_WEBHOOK_URL, "secret": webhook_secret()}
    account, _ = Account.objects.get_or_create(
        page=page,
        channel=destination.value,
        audience=Notice.Audience.CANARY,
        defaults={"name": ACCOUNT_NAME} | wanted,
    )
    if {name: getattr(account, name) for name in wanted} != wanted:
        Account.objects.filter(pk=account.pk).update(**wanted)
        Pause.objects.filter(key=account.address).delete()
    return account


def webhook_secret() -> str:
    """The secret that signs heartbeats by webhook, derived from SECRET_KEY."""
    key = hmac.digest(settings.SECRET_KEY.encode(), b"canary.hook", "sha256")
    return f"whsec_{base64.b64encode(key).decode()}"


def prune() -> None:
    """Cancel heartbeats that have waited for GIVE_UP_AFTER, and delete old heartbeats and alarms.

    A notice is deleted only when none of its deliveries waits, because a worker may have claimed them.
    """
    mine = Notice.objects.filter(audience=Notice.Audience.CANARY)
    waiting = mine.filter(Q(expanded_at=None) | Q(deliveries__state__in=Delivery.WAITING), cancelled_at=None)
    for notice in waiting.filter(created_at__lt=timezone.now() - GIVE_UP_AFTER).distinct()[:MOST_PRUNED]:
        outbox.cancel(notice)
    old = mine.filter(created_at__lt=timezone.now() - NOTICES_KEPT).exclude(expanded_at=None)
    finished = old.exclude(deliveries__state__in=Delivery.WAITING).order_by("pk").values_list("pk", flat=True)
    mine.filter(pk__in=list(finished[:MOST_PRUNED])).delete()
    Heartbeat.objects.filter(published_at__lt=Now() - HEARTBEATS_KEPT).delete()
    Alarm.objects.filter(cleared_at__lt=Now() - ALARMS_KEPT).delete()
