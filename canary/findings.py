"""Findings of the watch from the database: heartbeats that did not arrive or were never sent, and late deliveries."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Max
from django.utils import timezone

from canary.heartbeats import destinations
from canary.models import Heartbeat, Probe
from delivery.ledger.pauses import describe, paused
from delivery.models import Delivery, MailboxReading, Pause
from delivery.overview import late_warnings
from delivery.registry import CHANNELS
from pages.models import Page

State = Delivery.State
# All messages of so many heartbeats in a row must arrive before an alarm ends.
JUDGED = 3
SHARE_OF = 20
STUCK_AFTER_PERIODS = 1.5
# A mailbox that cannot be read for a moment wakes nobody, because bounces wait in it.
BOUNCES_GRACE = timedelta(minutes=10)


@dataclass(frozen=True)
class Finding:
    """A fault. `key` is the same while it lasts; `text` may differ from round to round."""

    key: str
    text: str


def check_ledger(watching_since: datetime) -> list[Finding]:
    """The faults that the database shows. `watching_since`: when the watch started; earlier heartbeats do not count."""
    found = [*_missing_heartbeats(watching_since)]
    for destination in destinations():
        found += _missing_arrivals(destination, watching_since)
    found += [Finding("delivery.late", sentence) for sentence in late_warnings()]
    if sentences := paused():
        found.append(Finding("delivery.paused", "\n".join(sentences)))
    return [*found, *_unread_bounces(watching_since)]


def _unread_bounces(watching_since: datetime) -> list[Finding]:
    reading = MailboxReading.objects.current()
    since = reading.in_trouble_since if reading else None
    if reading is None or since is None or timezone.now() - max(since, watching_since) < BOUNCES_GRACE:
        return []
    return [Finding("delivery.bounces", reading.trouble)]


def _missing_heartbeats(watching_since: datetime) -> list[Finding]:
    """A finding if no heartbeat is published: beat, the broker or the worker of the default queue does not work."""
    if not destinations() or not Page.objects.exists():
        return []
    last = Heartbeat.objects.exclude(slot=None).aggregate(last=Max("published_at"))["last"]
    silence = timezone.now() - max(filter(None, (last, watching_since)))
    if silence < timedelta(seconds=STUCK_AFTER_PERIODS * settings.CANARY_PERIOD_SECONDS + 2):
        return []
    return [
        Finding(
            "heartbeat.stuck",
            f"No heartbeat was published for {silence.total_seconds():.0f} seconds; one is due every "
            f"{settings.CANARY_PERIOD_SECONDS}.\nLook at the clock (beat), at Redis, and at the worker of the queue "
            "“default”. Updates that staff post may not leave either.",
        )
    ]


def _missing_arrivals(destination: Probe.Destination, watching_since: datetime) -> list[Finding]:
    due = list(Heartbeat.objects.due()[:JUDGED])
    judged = Probe.objects.filter(destination=destination, heartbeat__in=due)
    probes = {probe.code: probe for probe in judged}
    if not probes and len(due) == JUDGED and due[-1].published_at > watching_since:
        return [_not_sent_at_all(destination)]
    in_time = set(judged.arrived_in_time().values_list("code", flat=True))
    missing = [probe for code, probe in probes.items() if code not in in_time]
    if not missing:
        return []
    never = sum(probe.arrived_at is None for probe in missing)
    what = "did not arrive" if never == len(missing) else "did not arrive in time"
    return [
        Finding(
            f"arrival.{destination}",
            f"{len(missing)} of the last {len(probes)} heartbeats by {destination.label.lower()} {what} "
            f"(within {settings.CANARY_DEADLINE_SECONDS} s).\n{_share(destination)}\n{explain_missing(destination, missing)}",
        )
    ]


def _not_sent_at_all(destination: Probe.Destination) -> Finding:
    """A finding of its own, because no message is missing where none is sent."""
    return Finding(
        f"arrival.{destination}",
        f"No heartbeat goes out by {destination.label.lower()}, although the watch's settings say so.\nThe workers have "
        "other settings (CANARY_MAIL_TO, CANARY_WEBHOOK_URL): start them again with the same ones.",
    )


def _share(destination: Probe.Destination) -> str:
    recent = Probe.objects.filter(destination=destination, heartbeat__in=list(Heartbeat.objects.due()[:SHARE_OF]))
    arrived, whole = recent.exclude(arrived_at=None).count(), recent.count()
    return f"Of the last {whole}, {arrived} have arrived by now ({100 * arrived // max(whole, 1)} %)."


def explain_missing(destination: Probe.Destination, missing: list[Probe]) -> str:
    """What the ledger knows of the missing messages, and where to look."""
    rows = Delivery.objects.filter(notice__code__in=[probe.code for probe in missing], channel=destination)
    states = Counter(rows.order_by().values_list("state", flat=True))
    errors = sorted(set(rows.exclude(error="").order_by().values_list("error", flat=True)))[:3]
    waiting = states[State.PENDING] + states[State.SENDING]
    parts = []
    if destination == Probe.Destination.MAIL and settings.MAIL_DIR:
        parts.append("There is no mail server (EMAIL_URL): mail goes to files.")
    elif states[State.SENT]:
        parts.append(
            f"{states[State.SENT]} were accepted by the other side: look at the relay, spam filters and the mailbox."
        )
    pauses = list(Pause.objects.filter(key__in={destination.value, *rows.values_list("address", flat=True)}))
    if waiting:
        where = "" if pauses else f": look at the worker of the queue “{CHANNELS[destination].queue}”"
        parts.append(f"{waiting} wait to be sent{where}.")
    if failed := states[State.DEAD] + states[State.UNKNOWN] + states[State.SUPPRESSED]:
        parts.append(f"{failed} were not sent.")
    if (unexpanded := len(missing) - states.total()) > 0:
        parts.append(f"{unexpanded} wait for a worker: look at Redis and the worker of the queue “default”.")
    reasons = {pause.reason for pause in pauses}
    parts += [f"{describe(pause).rstrip('.')}." for pause in pauses]
    parts += [f"Reason: {error}." for error in errors if error not in reasons]
    return " ".join(parts)
