"""The metrics of the ledger. Names and meaning: docs/api.md.

Labels are channels, states, accounts and the SHOWN newest notices, so the number of series stays small.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime

from django.db.models import Count, Min, Sum
from django.utils import timezone
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from delivery import registry
from delivery.ledger import counting
from delivery.models import Account, Delivery, MailboxReading, Notice, Pause

SHOWN = 10
STATES = ("pending", "sent", "suppressed", "dead", "unknown")
QUANTILES = (("0.5", "lag_p50_seconds"), ("0.95", "lag_p95_seconds"), ("1", "lag_max_seconds"))


def collect_deliveries() -> Iterator[Metric]:
    yield from _totals()
    yield from _newest()
    yield from _queues()
    yield _pauses()
    yield from _letters()
    yield from _bounce_mailbox()


def _totals() -> Iterator[Metric]:
    """Counts of all notices ever. Tallies outlive deliveries, so pruning does not lower them."""
    totals: dict[str, Counter[str]] = {channel: Counter() for channel in registry.CHANNELS} | counting.totals()
    states = GaugeMetricFamily(
        "statuspage_deliveries", "All deliveries ever, by what became of them.", labels=["channel", "state"]
    )
    sent = CounterMetricFamily("statuspage_deliveries_sent", "Deliveries that the other side took.", labels=["channel"])
    expected = GaugeMetricFamily(
        "statuspage_deliveries_expected", "Recipients that fan-out has listed, of all notices.", labels=["channel"]
    )
    doubled = GaugeMetricFamily(
        "statuspage_deliveries_possible_duplicates",
        "Attempts that ended without an answer and may be seen twice.",
        labels=["channel"],
    )
    for channel, counts in sorted(totals.items()):
        for state in STATES:
            count = counting.pending(counts) if state == "pending" else counts[state]
            states.add_metric([channel, state], count)
        sent.add_metric([channel], counts["sent"])
        expected.add_metric([channel], counts["expected"])
        doubled.add_metric([channel], counts["ambiguous"])
    yield from (states, sent, expected, doubled, _unaccounted(), _oldest())


def _unaccounted() -> Metric:
    return GaugeMetricFamily(
        "statuspage_deliveries_unaccounted",
        "Deliveries by which receipts were wrong when they were last compared with the rows. Always 0.",
        value=Notice.objects.filter(miscounted__gt=0).aggregate(total=Sum("miscounted"))["total"] or 0,
    )


def _oldest() -> Metric:
    waited = dict.fromkeys(registry.CHANNELS, 0.0) | counting.oldest_waiting_seconds()
    family = GaugeMetricFamily(
        "statuspage_oldest_pending_seconds", "How long the longest waiting delivery has waited.", labels=["channel"]
    )
    for channel, seconds in sorted(waited.items()):
        family.add_metric([channel], seconds)
    return family


def _newest() -> Iterator[Metric]:
    """Counts and lags of each of the newest notices."""
    counts = GaugeMetricFamily(
        "statuspage_notice_deliveries",
        f"Deliveries of the {SHOWN} newest notices, by what became of them.",
        labels=["notice", "channel", "state"],
    )
    lags = GaugeMetricFamily(
        "statuspage_notice_lag_seconds",
        f"From the post to the hand-over, of the {SHOWN} newest notices: half of the sent, 95 of 100, all.",
        labels=["notice", "channel", "quantile"],
    )
    for notice in Notice.objects.for_people()[:SHOWN]:
        for line in counting.count_channels_in_detail(notice):
            for state in STATES:
                counts.add_metric([notice.code, line.channel, state], getattr(line, state))
            for quantile, name in QUANTILES:
                if getattr(line, name) is not None:
                    lags.add_metric([notice.code, line.channel, quantile], getattr(line, name))
    yield counts
    yield lags


def _queues() -> Iterator[Metric]:
    waiting = Notice.objects.for_people().filter(expanded_at=None, cancelled_at=None)
    yield GaugeMetricFamily(
        "statuspage_notices_waiting_for_fan_out",
        "Notices of which not every recipient is listed yet.",
        value=waiting.count(),
    )
    expired = Delivery.objects.expired().order_by().values_list("channel").annotate(Count("pk"))
    counts = defaultdict(int, dict(expired))
    family = GaugeMetricFamily(
        "statuspage_deliveries_lease_expired",
        "Deliveries whose worker did not come back, and that the sweep has not taken back yet.",
        labels=["channel"],
    )
    for channel in sorted(registry.CHANNELS):
        family.add_metric([channel], counts[channel])
    yield family


def _pauses() -> Metric:
    family = GaugeMetricFamily(
        "statuspage_paused_seconds",
        "For how long a channel, or one account on it, can reach nobody; absent when all can.",
        labels=["channel", "account"],
    )
    accounts = {account.address: account for account in Account.objects.all()}
    longest: dict[tuple[str, str], float] = {}  # accounts of two pages may have one name, but a series must be unique
    for pause in Pause.objects.order_by("key"):
        account = accounts.get(pause.key)
        labels = (account.channel, account.name) if account else (pause.key, "")
        longest[labels] = max(longest.get(labels, 0.0), (timezone.now() - pause.since).total_seconds())
    for labels, seconds in longest.items():
        family.add_metric(labels, seconds)
    return family


def _letters() -> Iterator[Metric]:
    waiting = Delivery.objects.pending().filter(channel__in=registry.CHANNELS, rank=Delivery.Rank.LETTER)
    found = waiting.aggregate(rows=Count("pk"), oldest=Min("queued_at"))
    yield GaugeMetricFamily(
        "statuspage_letters_waiting",
        "Mails to one person, such as confirmations, that still wait.",
        value=found["rows"],
    )
    waited = (timezone.now() - found["oldest"]).total_seconds() if found["oldest"] else 0.0
    yield GaugeMetricFamily(
        "statuspage_oldest_letter_seconds", "How long the longest waiting of them has waited.", value=waited
    )


def _bounce_mailbox() -> Iterator[Metric]:
    """No samples when no mailbox is configured, or it was never tried."""
    failing = GaugeMetricFamily(
        "statuspage_bounce_mailbox_failing_seconds",
        "For how long the bounce mailbox could not be read; 0 when the last try read it.",
    )
    age = GaugeMetricFamily(
        "statuspage_bounce_mailbox_age_seconds", "How long ago the bounce mailbox was last read; absent: never."
    )
    if reading := MailboxReading.objects.current():
        failing.add_metric([], _seconds_since(reading.failing_since or timezone.now()))
        if reading.read_at:
            age.add_metric([], _seconds_since(reading.read_at))
    yield from (failing, age)


def _seconds_since(moment: datetime) -> float:
    return max(0.0, (timezone.now() - moment).total_seconds())
