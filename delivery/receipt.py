"""The receipt of a notice: how many of how many, on which channel, how late, and what went wrong.

All its counts are sums of tallies (counting.py), also when the deliveries are deleted (retention.py).
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
# A task that arrives starts the fan-out at once; past this, staff should know that none arrived.
UNHEARD_AFTER = timedelta(seconds=5)
UNHEARD = gettext_lazy(
    "Notifications are waiting: no worker has taken them up yet, perhaps because the broker is down. "
    "They go out as soon as one does; “manage.py deliver” sends them without."
)
# Among more failures than these nobody looks for addresses that do not exist: that costs a hash for each.
MOST_LOOKED_UP = 1_000
PRUNED = gettext_noop("Its deliveries are deleted because of their age, so nobody can be told again. The counts stay.")


@dataclass(frozen=True, kw_only=True)
class ChannelReceipt(ChannelCounts):
    """A channel's counts, and what staff should know beside them."""

    label: str = ""
    retryable: int = 0
    """Those that failed and may succeed when they are tried again: not those whose address does not exist."""
    paused: str | None = None
    """Why nobody on this channel can be reached now."""
    what_follows: str = ""
    """Of the pause: when it is tried again."""


@dataclass(frozen=True)
class Share:
    """A part of the bar: where it starts and how wide it is, in percent of all, as SVG writes numbers."""

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
    """Every recipient has a row, and none of them waits."""
    notes: list[str]
    """Sentences that staff should read first."""

    @property
    def diverted(self) -> int:
        """Part of the sent: written to files, for there is no mail server. They reached nobody."""
        return sum(each.diverted for each in self.channels)

    @property
    def handed_over(self) -> int:
        """What another side has taken."""
        return self.sent - self.diverted

    @property
    def shares(self) -> list[Share]:
        """What became of all recipients, side by side; only what is not zero. Mail in files is not called sent."""
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
    """What became of a notice, as things stand now, in a few queries however many it tells of."""
    pauses = {pause.key: pause for pause in Pause.objects.all()}
    channels = [_channel_receipt(notice, line, pauses) for line in count_channels_in_detail(notice)]
    totals = {each.name: sum(getattr(channel, each.name) for channel in channels) for each in fields(Counts)}
    is_finished = notice.expanded_at is not None and totals["pending"] == 0
    return Receipt(channels=channels, is_finished=is_finished, notes=_notes(notice), **totals)


def retry_failed(notice: Notice, channel: str) -> int:
    """Put what failed, or ended without an answer, back in the queue; how many. The caller audits it.

    None of a pruned notice: see PRUNED.
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
    """Addresses of failed deliveries that are on the suppression list by now, such as those that do not exist:
    trying again would not write to them."""
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
    if notice.expanded_at is None and timezone.now() - notice.created_at > UNHEARD_AFTER:
        return [str(UNHEARD)]
    return notes
