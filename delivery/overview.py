"""What was told last: the newest notices with what became of them, counted in one query for all."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models import Count
from django.utils import timezone

from delivery import registry
from delivery.models import Account, Delivery, Notice, Pause
from delivery.outbox import unconnected_accounts
from pages.models import Page

State = Delivery.State
# The sweep comes every few seconds. What is due for longer has met neither bell nor sweep.
LATE_AFTER = timedelta(seconds=60)
LATE = (
    "Notifications are late: no worker has taken up what was due a minute ago. Are the worker and Redis running? "
    "“manage.py deliver” sends what is due without them."
)


@dataclass(frozen=True)
class Told:
    """A notice and its counts; `expected` grows until the fan-out is done."""

    notice: Notice
    expected: int
    sent: int
    failed: int
    pending: int
    suppressed: int

    @property
    def summary(self) -> str:
        """Such as “1,204 of 1,210 sent, 6 failed”."""
        if not self.expected:
            return "Nobody had asked to be told" if self.notice.expanded_at else "Waiting for a worker"
        failed = f", {self.failed:,} failed" if self.failed else ""
        pending = f", {self.pending:,} waiting" if self.pending else ""
        spared = f", {self.suppressed:,} not sent on purpose" if self.suppressed else ""
        return f"{self.sent:,} of {self.expected:,} sent{failed}{pending}{spared}"


def recently_told(limit: int) -> list[Told]:
    """The newest notices of all pages, newest first."""
    notices = list(Notice.objects.select_related("page")[:limit])
    rows = Delivery.objects.filter(notice__in=notices).order_by()
    counts = {
        (row["notice"], row["state"]): row["rows"] for row in rows.values("notice", "state").annotate(rows=Count("pk"))
    }
    return [_told(notice, {state: counts.get((notice.pk, state), 0) for state in State.values}) for notice in notices]


def _told(notice: Notice, rows: dict[str, int]) -> Told:
    return Told(
        notice=notice,
        expected=sum(rows.values()),
        sent=rows[State.SENT],
        failed=rows[State.DEAD] + rows[State.UNKNOWN],
        pending=rows[State.PENDING] + rows[State.SENDING],
        suppressed=rows[State.SUPPRESSED],
    )


def delivery_warnings(pages: Iterable[Page]) -> list[str]:
    """Sentences on what keeps messages from reaching people, the worst first."""
    return [*_late(), *_paused(), *_unusual(pages)]


def _late() -> list[str]:
    since = timezone.now() - LATE_AFTER
    unheard = Notice.objects.filter(expanded_at=None, cancelled_at=None, created_at__lt=since).exists()
    waiting = any(Delivery.objects.due(kind).filter(next_attempt_at__lt=since).exists() for kind in registry.CHANNELS)
    if not unheard and not waiting:
        return []
    return [LATE]


def _paused() -> list[str]:
    return [
        f"{_name(pause.key)} is paused since {timezone.localtime(pause.since):%H:%M %Z}: {pause.reason}"
        for pause in Pause.objects.order_by("since")
    ]


def _name(key: str) -> str:
    """What staff call the channel or the account that a pause is about."""
    account = Account.objects.filter(pk=key.removeprefix("account:")).first() if key.startswith("account:") else None
    return f"{registry.label_of(account.channel)} ({account.name})" if account else registry.label_of(key)


def _unusual(pages: Iterable[Page]) -> list[str]:
    warnings = [f"{sentence}." for page in pages for sentence in unconnected_accounts(page)]
    if settings.MAIL_DIR:
        warnings.append("No SMTP server is configured (EMAIL_URL): e-mail goes to files and reaches nobody.")
    return warnings
