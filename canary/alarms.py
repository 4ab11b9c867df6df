"""Alarms: raised once, told of again each hour, cleared once, however many watchers look.

The row is the state. A watcher claims it for a minute to tell of it; one that dies meanwhile, or an account that cannot
be reached, means another try after that minute.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from canary.alarm_accounts import tell
from canary.alarm_notices import AlarmStage, build_notice
from canary.findings import Finding
from canary.models import Alarm
from delivery.contract import DeliveryError
from delivery.models import Account

log = logging.getLogger(__name__)
REMIND_AFTER = timedelta(hours=1)
CLAIM_LASTS = timedelta(seconds=60)
# Looks in a row that must find nothing: two watchers do not see everything at the same moment.
CLEAR_AFTER_LOOKS = 3
RAISED, CLEARED = "raised", "cleared"


def settle(findings: Iterable[Finding], accounts: Iterable[Account]) -> None:
    """Raise what is found, clear what is not found any more, tell of both."""
    for finding in findings:
        _raise(finding)
    unseen = Now() - timedelta(seconds=CLEAR_AFTER_LOOKS * settings.CANARY_WATCH_SECONDS)
    over = Alarm.objects.open().filter(seen_at__lt=unseen)
    for key in list(over.values_list("key", flat=True)):
        if over.filter(key=key).update(cleared_at=Now()):
            log.info("all clear: %s", key)
    accounts = list(accounts)
    recent = Alarm.objects.filter(cleared_at__gt=Now() - timedelta(days=1))
    for alarm in [*Alarm.objects.open(), *recent]:
        _tell_all(alarm, accounts)


def _raise(finding: Finding) -> None:
    alarm, is_new = Alarm.objects.get_or_create(key=finding.key, cleared_at=None, defaults={"text": finding.text})
    if is_new:
        log.error("alarm: %s: %s", finding.key, finding.text)
    else:
        Alarm.objects.open().filter(pk=alarm.pk).update(text=finding.text, seen_at=Now())


def _tell_all(alarm: Alarm, accounts: list[Account]) -> None:
    """Tell each account what it does not know yet. One that fails stops no other, and is tried again in a minute."""
    if not any(_untold(alarm, account) for account in accounts) or not Alarm.objects.claim(alarm.pk, CLAIM_LASTS):
        return
    alarm.refresh_from_db()  # what another watcher has told since
    troubles = []
    for account in accounts:
        if stage := _untold(alarm, account):
            if trouble := _try_to_tell(alarm, account):
                troubles.append(f"{account.name}: {trouble}")
            else:
                alarm.told[account.name] = [stage, timezone.now().isoformat()]
    for trouble in troubles:
        log.error("alarm not told: %s", trouble)
    released = {} if troubles else {"claimed_until": None}
    Alarm.objects.filter(pk=alarm.pk).update(told=alarm.told, trouble="\n".join(troubles), **released)


def _try_to_tell(alarm: Alarm, account: Account) -> str:
    """Why that did not work, for staff; "" when it did."""
    _, told_at = alarm.told.get(account.name, ["", ""])
    stage = AlarmStage.of(is_clear=alarm.cleared_at is not None, is_reminder=bool(told_at))
    finding = Finding(alarm.key, alarm.text)
    return _hand_over(account, finding, alarm.raised_at, stage, told_at)


def _hand_over(account: Account, finding: Finding, since: datetime, stage: AlarmStage, told_at: str) -> str:
    try:
        tell(account, build_notice(account.page, finding, since, stage, told_at))
    except DeliveryError as error:
        return str(error)
    except Exception as error:  # a mistake in one channel must not silence the others
        log.exception("alarm channel failed: %s", account.channel)
        return f"internal error ({type(error).__name__})"
    return ""


def _untold(alarm: Alarm, account: Account) -> str:
    """What this account should hear of now: RAISED (also as a reminder), CLEARED, or ""."""
    stage, at = alarm.told.get(account.name, ["", ""])
    if alarm.cleared_at is not None:
        return CLEARED if stage == RAISED else ""
    if not stage or timezone.now() - datetime.fromisoformat(at) > REMIND_AFTER:
        return RAISED
    return ""


def open_sentences() -> list[str]:
    """For the staff's home screen: what is wrong since when, and who could not be told of it.

    That screen says by itself what is late or paused.
    """
    found = []
    for alarm in Alarm.objects.open().order_by("raised_at"):
        if not alarm.key.startswith("delivery."):
            headline, *more = alarm.text.splitlines()
            words = " ".join([headline, *more[-1:]])  # where to look comes last
            since = f"{timezone.localtime(alarm.raised_at):%H:%M %Z}"
            found.append(_("Alarm since %(since)s: %(words)s") % {"since": since, "words": words})
        untold = _("This alarm could not be told by %(trouble)s.")
        found += [untold % {"trouble": trouble} for trouble in alarm.trouble.splitlines()]
    return found


class OfflineBoard:
    """Alarms while the database, which keeps the others, does not answer. Each watcher has its own."""

    def __init__(self) -> None:
        self._since: datetime | None = None
        self._told: dict[str, datetime] = {}

    def raise_alarm(self, finding: Finding, since: datetime, accounts: Iterable[Account]) -> None:
        self._since = since
        for account in accounts:
            told = self._told.get(account.name)
            if told is None or timezone.now() - told > REMIND_AFTER:
                self._tell(account, finding, since, AlarmStage.of(is_clear=False, is_reminder=told is not None))

    def clear(self, finding: Finding, accounts: Iterable[Account]) -> None:
        for account in accounts:
            if (
                self._since
                and account.name in self._told
                and self._tell(account, finding, self._since, AlarmStage.CLEAR)
            ):
                del self._told[account.name]

    def _tell(self, account: Account, finding: Finding, since: datetime, stage: AlarmStage) -> bool:
        told_at = self._told.get(account.name)
        if trouble := _hand_over(account, finding, since, stage, told_at.isoformat() if told_at else ""):
            log.error("alarm not told: %s: %s", account.name, trouble)
            return False
        self._told[account.name] = timezone.now()
        return True


def is_anything_open() -> bool:
    return Alarm.objects.open().exists()
