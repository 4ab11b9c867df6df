"""The receipt of a notice: how many were sent of how many, by channel, with lags and errors.

All its counts are sums of tallies (counting.py), so it stays when the deliveries are deleted (retention.py).
"""

from dataclasses import dataclass, fields
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from delivery import registry
from delivery.ledger.counting import ChannelCounts, Counts, count_channels_in_detail
from delivery.ledger.outbox import requeue
from delivery.ledger.pauses import what_follows
from delivery.models import Delivery, Notice, Pause
from subscribers.models import Suppression

State = Delivery.State
# A task starts fan-out at once. If a notice is not expanded after this time, staff are told that no worker took it up.
NOT_EXPANDED_AFTER = timedelta(seconds=5)
NOT_EXPANDED = gettext_lazy(
    "Notifications are waiting: no worker has taken them up yet, perhaps because the broker is down. "
    "They go out as soon as one does; “manage.py deliver” sends them without."
)
# With more failures than this, addresses that do not exist are not looked up, because that costs a hash for each.
MOST_LOOKED_UP = 1_000
PRUNED = gettext_noop("Its deliveries are deleted because of their age, so nobody can be told again. The counts stay.")


@dataclass(frozen=True, kw_only=True)
class ChannelReceipt(ChannelCounts):
    """A channel's counts with its name, and its pause if it has one."""

    label: str = ""
    retryable: int = 0
    """How many failed ones staff can retry: all whose address is not on the suppression list."""
    paused: str | None = None
    """Why the channel, or an account on it, is paused; None if it is not."""
    what_follows: str = ""
    """A sentence that says when the pause ends or is probed; "" without a pause."""


@dataclass(frozen=True)
class Share:
    """One part of the receipt's bar. `start` and `width` are percent of the whole, as text for SVG."""

    kind: str
    label: str
    count: int
    start: str
    width: str


@dataclass(frozen=True, kw_only=True)
class Receipt(Counts):
    """The counts of all channels together."""

    channels: list[ChannelReceipt]
    is_finished: bool
    """Whether fan-out is done and no delivery waits."""
    notes: list[str]
    """Sentences that the screen shows first."""

    @property
    def diverted(self) -> int:
        """How many of the sent were written to files, because no mail server is configured. They reached nobody."""
        return sum(each.diverted for each in self.channels)

    @property
    def handed_over(self) -> int:
        """How many the other side accepted."""
        return self.sent - self.diverted

    @property
    def shares(self) -> list[Share]:
        """The parts of the bar that are not zero. Mail written to files is not part of “sent”."""
        unconnected = sum(each.suppressed - each.left_out for each in self.channels)
        counts = (
            ("sent", _("sent"), self.handed_over),
            ("diverted", _("written to files"), self.diverted),
            ("dead", _("failed"), self.dead),
            ("unknown", _("outcome unknown"), self.unknown),
            ("unconnected", _("not connected"), unconnected),
            ("suppressed", _("not sent on purpose"), self.suppressed - unconnected),
            ("pending", _("waiting"), self.pending),
        )
        whole = sum(count for _kind, _label, count in counts)
        shares, before = [], 0
        for kind, label, count in counts:
            if count > 0:
                start, width = 100 * before / whole, 100 * count / whole
                shares.append(Share(kind, label, count, f"{start:.3f}", f"{width:.3f}"))
            before += count
        return shares


def build_receipt(notice: Notice) -> Receipt:
    """The receipt as of now, in a number of queries that does not depend on the number of deliveries."""
    pauses = {pause.key: pause for pause in Pause.objects.all()}
    channels = [_channel_receipt(notice, line, pauses) for line in count_channels_in_detail(notice)]
    totals = {each.name: sum(getattr(channel, each.name) for channel in channels) for each in fields(Counts)}
    is_finished = notice.expanded_at is not None and totals["pending"] == 0
    return Receipt(channels=channels, is_finished=is_finished, notes=_notes(notice), **totals)


def retry_failed(notice: Notice, channel: str) -> int:
    """Put dead and unknown deliveries of a channel back to pending; returns how many. The caller writes the audit log.

    Those of a pruned notice stay: see PRUNED.
    """
    return requeue(notice.deliveries.filter(channel=channel).exclude(address__in=_gone(notice, channel)))


def _channel_receipt(notice: Notice, line: ChannelCounts, pauses: dict[str, Pause]) -> ChannelReceipt:
    gone = len(_gone(notice, line.channel)) if 0 < line.dead <= MOST_LOOKED_UP else 0
    pause = _pause(notice, line, pauses)
    return ChannelReceipt(
        **vars(line),
        label=registry.label_of(line.channel),
        retryable=0 if notice.pruned_at else line.failed - gone,
        paused=pause.reason if pause else None,
        what_follows=what_follows(pause) if pause else "",
    )


def _gone(notice: Notice, channel: str) -> list[str]:
    """Addresses of dead deliveries that are on the suppression list now: a retry would not write to them."""
    dead = notice.deliveries.filter(channel=channel, state=State.DEAD, account=None)
    addresses = list(dead.values_list("address", flat=True)[: MOST_LOOKED_UP + 1])
    if not addresses or len(addresses) > MOST_LOOKED_UP:
        return []
    return list(Suppression.objects.among(channel, addresses))


def _pause(notice: Notice, line: ChannelCounts, pauses: dict[str, Pause]) -> Pause | None:
    if line.channel in pauses or not line.pending:
        return pauses.get(line.channel)
    waiting = notice.deliveries.pending().filter(channel=line.channel, address__in=pauses)
    address = waiting.values_list("address", flat=True).first()
    return pauses[address] if address else None


def _notes(notice: Notice) -> list[str]:
    notes = [_(PRUNED)] if notice.pruned_at else []
    if notice.cancelled_at:
        return [*notes, _("Cancelled: whoever had not been told yet will not be.")]
    if notice.expanded_at is None and timezone.now() - notice.created_at > NOT_EXPANDED_AFTER:
        return [str(NOT_EXPANDED)]
    return notes
