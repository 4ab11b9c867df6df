"""What the staff overview shows of delivery: the newest notices with their counts, and warnings."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.db.models import Count, Exists
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from delivery import registry
from delivery.ledger.counting import ChannelCounts, count_channels
from delivery.ledger.order import waiting_notices
from delivery.ledger.outbox import unconnected_accounts
from delivery.ledger.pauses import explain, pauses_of
from delivery.mail.bounces.models import BounceEvent, EventKind, MailboxReading
from delivery.models import Delivery, Notice, Pause
from delivery.models.deliveries import DeliveryQuerySet
from pages.models import Page
from subscribers.models import Suppression

# The sweep runs every few seconds, so a delivery that is due for longer was found by neither a task nor the sweep.
LATE_AFTER = timedelta(seconds=60)
RECENT = timedelta(hours=24)
LATE_WARNING = gettext_lazy(
    "Notifications are late: no worker has taken up what was due a minute ago.\nAre the workers and Redis running? "
    "“manage.py deliver” sends what is due without them."
)


@dataclass(frozen=True)
class NoticeCounts:
    """A notice and the counts of all its channels together; `expected` grows until fan-out is done."""

    notice: Notice
    expected: int
    sent: int
    failed: int
    pending: int
    suppressed: int
    """Suppressed for another reason than an unconnected account."""
    unconnected: int
    to_files: int
    """How many of the sent were written to files, because no mail server is configured. They reached nobody."""

    @property
    def tone(self) -> str:
        """How the row is coloured: "bad", "waiting", "doubtful" (unconnected, or written to files), "good", or "" when
        nothing was sent."""
        if self.failed:
            return "bad"
        if self.pending:
            return "waiting"
        if self.unconnected or self.to_files:
            return "doubtful"
        return "good" if self.sent else ""

    @property
    def summary(self) -> str:
        """Such as “1,204 of 1,210 sent, 6 failed”."""
        if not self.expected:
            return _("Nobody had asked to be told") if self.notice.expanded_at else _("Waiting for a worker")
        others = (
            (_("%(number)s failed"), self.failed),
            (_("%(number)s waiting"), self.pending),
            (_("%(number)s not connected"), self.unconnected),
            (_("%(number)s not sent on purpose"), self.suppressed),
        )
        return ", ".join([*self._handed_over(), *(words % {"number": f"{n:,}"} for words, n in others if n)])

    def _handed_over(self) -> list[str]:
        """How many were sent, and separately how many were written to files."""
        numbers = {
            "number": f"{self.to_files:,}",
            "sent": f"{self.sent - self.to_files:,}",
            "all": f"{self.expected:,}",
        }
        if self.to_files and self.to_files == self.sent:
            return [_("%(number)s of %(all)s written to files") % numbers]
        files = [_("%(number)s written to files") % numbers] if self.to_files else []
        return [_("%(sent)s of %(all)s sent") % numbers, *files]


def recent_notices(limit: int) -> list[NoticeCounts]:
    """The newest notices of all pages, newest first; three queries, or two when nobody waits."""
    return count_notices(list(Notice.objects.for_people().select_related("page")[:limit]))


def count_notices(notices: list[Notice]) -> list[NoticeCounts]:
    """What became of each, in numbers."""
    lines = count_channels(notices)
    return [_count_notice(notice, lines[notice.pk]) for notice in notices]


def _count_notice(notice: Notice, lines: list[ChannelCounts]) -> NoticeCounts:
    left_out = sum(line.left_out for line in lines)
    return NoticeCounts(
        notice=notice,
        expected=sum(line.expected for line in lines),
        sent=sum(line.sent for line in lines),
        failed=sum(line.failed for line in lines),
        pending=sum(line.pending for line in lines),
        suppressed=left_out,
        unconnected=sum(line.suppressed for line in lines) - left_out,
        to_files=sum(line.diverted for line in lines),
    )


@dataclass(frozen=True)
class RecentCount:
    """How many rows of one kind were made in the last 24 hours."""

    label: str
    count: int
    query: str
    """The query string that filters the admin's list to these rows."""


def recent_suppressions() -> list[RecentCount]:
    """Recently suppressed addresses by reason, most first, without those that staff suppressed. One query."""
    since = timezone.now() - RECENT
    found = Suppression.objects.filter(created_at__gte=since).exclude(reason=Suppression.Reason.MANUAL)
    counts = found.values_list("reason").annotate(count=Count("pk")).order_by("-count", "reason")
    return [
        RecentCount(
            label=str(Suppression.Reason(reason).label),
            count=count,
            query=urlencode({"reason__exact": reason, "created_at__gte": since.isoformat()}),
        )
        for reason, count in counts
    ]


def recent_unreadable_reports() -> list[RecentCount]:
    """Recent posts of mail providers that could not be read: one entry, or none. One query."""
    since = timezone.now() - RECENT
    count = BounceEvent.objects.filter(noted_at__gte=since, kind=EventKind.UNREADABLE).count()
    query = urlencode({"kind__exact": EventKind.UNREADABLE.value, "noted_at__gte": since.isoformat()})
    return [RecentCount(label=_("Reports of mail providers"), count=count, query=query)] if count else []


def posting_warnings(page: Page, channels: Iterable[str]) -> list[str]:
    """Sentences for the posting screen: what will keep the update from people on these channels."""
    unconnected = [f"{sentence}." for sentence in unconnected_accounts(page)]
    return [*explain(pauses_of(page)), *unconnected, *registry.warnings(list(channels))]


# Functions that apps above this one register to add sentences, since this app cannot import them.
more_warnings: list[Callable[[], list[str]]] = []


def delivery_warnings(pages: Iterable[Page]) -> list[str]:
    """Sentences on what keeps messages from reaching people, the worst first."""
    others = [sentence for warn in more_warnings for sentence in warn()]
    pauses = explain(Pause.objects.order_by("since"))
    return [
        *others,
        *late_warnings(),
        *receipt_warnings(),
        *pauses,
        *bounce_mailbox_warnings(),
        *_channel_warnings(pages),
    ]


def receipt_warnings() -> list[str]:
    """A sentence if a receipt was wrong when it was last compared with its deliveries; else none."""
    wrong = list(Notice.objects.filter(miscounted__gt=0).order_by("pk")[:100])
    if not wrong:
        return []
    words = {"title": wrong[0], "number": f"{wrong[0].miscounted:,}", "more": len(wrong) - 1}
    if len(wrong) == 1:
        wrong_by = _("The receipt of “%(title)s” disagrees with its deliveries (%(number)s of them).") % words
    else:
        wrong_by = (
            _("The receipt of “%(title)s” and %(more)d more disagrees with its deliveries (%(number)s of them).")
            % words
        )
    return [wrong_by + " " + _("“manage.py reconcile --repair” corrects it; please report this.")]


def bounce_mailbox_warnings() -> list[str]:
    """A sentence if the bounce mailbox cannot be read, with what to do; else none."""
    reading = MailboxReading.objects.current()
    return [reading.trouble] if reading and reading.trouble else []


def late_warnings() -> list[str]:
    """A sentence if deliveries or notices are due for longer than LATE_AFTER and no worker has taken them; else none."""
    since = timezone.now() - LATE_AFTER
    is_unexpanded = Notice.objects.filter(expanded_at=None, cancelled_at=None, created_at__lt=since).exists()
    pauses = list(Pause.objects.all())
    closed = [pause.key for pause in pauses if pause.probe_at > timezone.now()]
    # Deliveries of a paused channel or account are not late: its next probe sends them.
    held_back = {pause.key for pause in pauses if pause.probe_at >= since}
    waiting = {
        kind: Delivery.objects.due(kind, closed)
        .filter(next_attempt_at__lt=since, queued_at__lt=since)
        .exclude(address__in=held_back)
        for kind in registry.CHANNELS
        if kind not in held_back
    }
    is_late = is_unexpanded or any(_is_stuck(kind, waiting[kind], since) for kind in _with_rows(waiting))
    return [str(LATE_WARNING)] if is_late else []


def _with_rows(waiting: Mapping[str, DeliveryQuerySet]) -> list[str]:
    """The channels whose query finds a row. All are combined in one query."""
    if not waiting:
        return []
    has_rows = Notice.objects.order_by("pk").values_list(*(Exists(rows) for rows in waiting.values())).first()
    return [kind for kind, found in zip(waiting, has_rows or (), strict=False) if found]


def _is_stuck(channel: str, waiting: DeliveryQuerySet, since: datetime) -> bool:
    """Whether rows were due at `since` and no worker is sending on this channel. A large notice, or a slow relay, also
    lets rows wait, but then a worker holds rows or has sent some since."""
    longest = waiting.values_list("notice", flat=True).first()
    if longest is None:
        return False
    mine = Delivery.objects.filter(channel=channel)
    is_held = mine.filter(state=Delivery.State.SENDING, lease_until__gt=Now()).exists()
    # A newer incident goes first (delivery/ledger/order.py), so its recent deliveries prove that the channel works.
    concerned = {longest, *waiting_notices(channel)}
    return not is_held and not mine.filter(notice__in=concerned, state=Delivery.State.SENT, sent_at__gte=since).exists()


def _channel_warnings(pages: Iterable[Page]) -> list[str]:
    warnings = [f"{sentence}." for page in pages for sentence in unconnected_accounts(page)]
    return [*warnings, *registry.warnings()]
