"""Alarms: raised once, told of again each hour, cleared once, however many watchers look.

The row is the state. A watcher claims it for a minute to tell of it; one that dies meanwhile, or an alarm channel
that cannot be reached, means another try after that minute.
"""

import logging
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone

from canary.alarm_channels import AlarmChannel, AlarmError, AlarmMessage
from canary.findings import Finding
from canary.models import Alarm

log = logging.getLogger(__name__)
REMIND_AFTER = timedelta(hours=1)
CLAIM_LASTS = timedelta(seconds=60)
# Looks in a row that must find nothing: two watchers do not see everything at the same moment.
CLEAR_AFTER_LOOKS = 3
RAISED, CLEARED = "raised", "cleared"


def settle(findings: Iterable[Finding], channels: Iterable[AlarmChannel]) -> None:
    """Raise what is found, clear what is not found any more, tell of both."""
    for finding in findings:
        _raise(finding)
    unseen = Now() - timedelta(seconds=CLEAR_AFTER_LOOKS * settings.CANARY_WATCH_SECONDS)
    over = Alarm.objects.open().filter(seen_at__lt=unseen)
    for key in list(over.values_list("key", flat=True)):
        if over.filter(key=key).update(cleared_at=Now()):
            log.info("all clear: %s", key)
    channels = list(channels)
    recent = Alarm.objects.filter(cleared_at__gt=Now() - timedelta(days=1))
    for alarm in [*Alarm.objects.open(), *recent]:
        _tell_all(alarm, channels)


def _raise(finding: Finding) -> None:
    alarm, is_new = Alarm.objects.get_or_create(key=finding.key, cleared_at=None, defaults={"text": finding.text})
    if is_new:
        log.error("alarm: %s: %s", finding.key, finding.text)
    else:
        Alarm.objects.open().filter(pk=alarm.pk).update(text=finding.text, seen_at=Now())


def _tell_all(alarm: Alarm, channels: list[AlarmChannel]) -> None:
    """Tell each channel what it does not know yet. One that fails stops no other, and is tried again in a minute."""
    if not any(_untold(alarm, channel) for channel in channels) or not Alarm.objects.claim(alarm.pk, CLAIM_LASTS):
        return
    alarm.refresh_from_db()  # what another watcher has told since
    troubles = []
    for channel in channels:
        if stage := _untold(alarm, channel):
            try:
                channel.tell(_message(alarm, channel))
            except AlarmError as error:
                troubles.append(f"{channel.name}: {error}")
            except Exception as error:  # a mistake in one channel must not silence the others
                log.exception("alarm channel failed: %s", channel.name)
                troubles.append(f"{channel.name}: internal error ({type(error).__name__})")
            else:
                alarm.told[channel.name] = [stage, timezone.now().isoformat()]
    for trouble in troubles:
        log.error("alarm not told: %s", trouble)
    released = {} if troubles else {"claimed_until": None}
    Alarm.objects.filter(pk=alarm.pk).update(told=alarm.told, trouble="\n".join(troubles), **released)


def _untold(alarm: Alarm, channel: AlarmChannel) -> str:
    """What this channel should hear of now: RAISED (also as a reminder), CLEARED, or ""."""
    stage, at = alarm.told.get(channel.name, ["", ""])
    if alarm.cleared_at is not None:
        return CLEARED if stage == RAISED else ""
    if not stage or timezone.now() - datetime.fromisoformat(at) > REMIND_AFTER:
        return RAISED
    return ""


def _message(alarm: Alarm, channel: AlarmChannel) -> AlarmMessage:
    return AlarmMessage(
        site=site(),
        key=alarm.key,
        text=alarm.text,
        since=alarm.raised_at.astimezone(UTC),
        is_clear=alarm.cleared_at is not None,
        is_reminder=channel.name in alarm.told,
        link=staff_link(),
    )


def site() -> str:
    return urlsplit(settings.PUBLIC_URL).netloc or "status page"


def staff_link() -> str:
    return f"{settings.PUBLIC_URL.rstrip('/')}/admin/" if settings.PUBLIC_URL else ""


def open_sentences() -> list[str]:
    """For the staff's home screen: what is wrong since when, and who could not be told of it.

    That screen says by itself what is late or paused.
    """
    found = []
    for alarm in Alarm.objects.open().order_by("raised_at"):
        if not alarm.key.startswith("delivery."):
            headline, *more = alarm.text.splitlines()
            words = " ".join([headline, *more[-1:]])  # where to look comes last
            found.append(f"Alarm since {timezone.localtime(alarm.raised_at):%H:%M %Z}: {words}")
        found += [f"This alarm could not be told by {trouble}." for trouble in alarm.trouble.splitlines()]
    return found


class OfflineBoard:
    """Alarms while the database, which keeps the others, does not answer. Each watcher has its own."""

    def __init__(self) -> None:
        self._since: datetime | None = None
        self._told: dict[str, datetime] = {}

    def raise_alarm(self, finding: Finding, since: datetime, channels: Iterable[AlarmChannel]) -> None:
        self._since = since
        for channel in channels:
            told = self._told.get(channel.name)
            if told is None or timezone.now() - told > REMIND_AFTER:
                self._tell(channel, finding, since, is_reminder=told is not None)

    def clear(self, finding: Finding, channels: Iterable[AlarmChannel]) -> None:
        for channel in channels:
            if self._since and channel.name in self._told and self._tell(channel, finding, self._since, is_clear=True):
                del self._told[channel.name]

    def _tell(self, channel: AlarmChannel, finding: Finding, since: datetime, **kind: Any) -> bool:
        try:
            channel.tell(
                AlarmMessage(site=site(), key=finding.key, text=finding.text, since=since, link=staff_link(), **kind)
            )
        except Exception as error:  # whatever it is: the others must still be told
            log.error("alarm not told: %s: %s", channel.name, error)
            return False
        self._told[channel.name] = timezone.now()
        return True


def is_anything_open() -> bool:
    return Alarm.objects.open().exists()
