"""Alarms: each is sent once when it is raised, again every hour, and once when it is cleared, whatever the number of
watches.

The row holds the state. A watch claims it for a minute in order to send. If the watch dies or an account cannot be
reached, the claim ends after that minute and the alarm is sent again.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from canary.alarm_accounts import send_alarm
from canary.alarm_notices import AlarmStage, build_notice
from canary.findings import Finding
from canary.models import Alarm
from delivery.contract import DeliveryError
from delivery.models import Account

log = logging.getLogger(__name__)
REMIND_AFTER = timedelta(hours=1)
CLAIM_LASTS = timedelta(seconds=60)
# So many rounds in a row must not find the fault, because two watches do not see everything at the same moment.
CLEAR_AFTER_ROUNDS = 3
RAISED, CLEARED = "raised", "cleared"


def update_alarms(findings: Iterable[Finding], accounts: Iterable[Account]) -> None:
    """Raise alarms for findings, clear alarms that are not found any more, and send both."""
    for finding in findings:
        _raise(finding)
    unseen = Now() - timedelta(seconds=CLEAR_AFTER_ROUNDS * settings.CANARY_WATCH_SECONDS)
    over = Alarm.objects.open().filter(seen_at__lt=unseen)
    for key in list(over.values_list("key", flat=True)):
        if over.filter(key=key).update(cleared_at=Now()):
            log.info("alarm cleared: %s", key)
    accounts = list(accounts)
    recent = Alarm.objects.filter(cleared_at__gt=Now() - timedelta(days=1))
    for alarm in [*Alarm.objects.open(), *recent]:
        _notify_accounts(alarm, accounts)


def _raise(finding: Finding) -> None:
    alarm, is_new = Alarm.objects.get_or_create(key=finding.key, cleared_at=None, defaults={"text": finding.text})
    if is_new:
        log.error("alarm raised: %s: %s", finding.key, finding.text)
    else:
        Alarm.objects.open().filter(pk=alarm.pk).update(text=finding.text, seen_at=Now())


def _notify_accounts(alarm: Alarm, accounts: list[Account]) -> None:
    """Send each account the stage of the alarm that it has not got. A failure does not stop the others; it is tried again
    in a minute."""
    if not any(_due_stage(alarm, account) for account in accounts) or not Alarm.objects.claim(alarm.pk, CLAIM_LASTS):
        return
    alarm.refresh_from_db()  # another watch may have sent it since
    troubles = []
    for account in accounts:
        if stage := _due_stage(alarm, account):
            if trouble := _send_next_stage(alarm, account):
                troubles.append(f"{account.name}: {trouble}")
            else:
                alarm.told[account.name] = [stage, timezone.now().isoformat()]
    for trouble in troubles:
        log.error("alarm could not be sent and is tried again in a minute: %s", trouble)
    released = {} if troubles else {"claimed_until": None}
    Alarm.objects.filter(pk=alarm.pk).update(told=alarm.told, trouble="\n".join(troubles), **released)


def _send_next_stage(alarm: Alarm, account: Account) -> str:
    """Send the alarm to one account; returns the reason for staff if that failed, else ""."""
    _, told_at = alarm.told.get(account.name, ["", ""])
    stage = AlarmStage.of(is_clear=alarm.cleared_at is not None, is_reminder=bool(told_at))
    finding = Finding(alarm.key, alarm.text)
    return _send(account, finding, alarm.raised_at, stage, told_at)


def _send(account: Account, finding: Finding, since: datetime, stage: AlarmStage, told_at: str) -> str:
    try:
        send_alarm(account, build_notice(account.page, finding, since, stage, told_at))
    except DeliveryError as error:
        return str(error)
    except Exception as error:  # a bug in one channel must not stop the others
        log.exception("a bug in this channel, the alarm was not sent: %s", account.channel)
        return f"internal error ({type(error).__name__})"
    return ""


def _due_stage(alarm: Alarm, account: Account) -> str:
    """What to send to this account now: RAISED (the first time, or as a reminder), CLEARED, or ""."""
    stage, at = alarm.told.get(account.name, ["", ""])
    if alarm.cleared_at is not None:
        return CLEARED if stage == RAISED else ""
    if not stage or timezone.now() - datetime.fromisoformat(at) > REMIND_AFTER:
        return RAISED
    return ""


def alarm_sentences() -> list[str]:
    """Sentences for the staff overview: open alarms, and the accounts that could not be reached.

    Alarms about delivery are left out, because that screen shows late and paused deliveries itself.
    """
    found = []
    for alarm in Alarm.objects.open().order_by("raised_at"):
        if not alarm.key.startswith("delivery."):
            headline, *more = alarm.text.splitlines()
            words = " ".join([headline, *more[-1:]])  # the last line says where to look
            since = f"{timezone.localtime(alarm.raised_at):%H:%M %Z}"
            found.append(_("Alarm since %(since)s: %(words)s") % {"since": since, "words": words})
        sentence = _("This alarm could not be told by %(trouble)s.")
        found += [sentence % {"trouble": trouble} for trouble in alarm.trouble.splitlines()]
    return found


class MemoryAlarm:
    """The alarm about the database. The database stores all other alarms, so this one is kept in the watch's memory."""

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
        if trouble := _send(account, finding, since, stage, told_at.isoformat() if told_at else ""):
            log.error("alarm could not be sent and is tried again at the next round: %s: %s", account.name, trouble)
            return False
        self._told[account.name] = timezone.now()
        return True


def is_any_open() -> bool:
    return Alarm.objects.open().exists()
