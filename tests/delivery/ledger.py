"""The one check that every test of the ledger ends with; and tallies for rows that a test wrote itself."""

from datetime import datetime
from typing import Any

from django.db.models import Count

from delivery.ledger.moves import RowBefore, _counted, read
from delivery.ledger.reconcile import differences
from delivery.models import Delivery, Notice, Tally
from delivery.receipt import build_receipt


def assert_ledger_balances(notice: Notice) -> None:
    """Expected = sent + suppressed + dead + unknown + pending, on each channel and as inserted."""
    notice.refresh_from_db()
    receipt = build_receipt(notice)
    for each in receipt.channels:
        accounted = each.sent + each.suppressed + each.dead + each.unknown + each.pending
        assert each.expected == accounted, f"{each.channel}: {each.expected} expected, {accounted} accounted for"
    rows = dict(notice.deliveries.values_list("state").annotate(Count("pk")))
    shown = (receipt.sent, receipt.suppressed, receipt.dead, receipt.unknown, receipt.pending)
    waiting = rows.get("pending", 0) + rows.get("sending", 0)
    assert shown == (*(rows.get(state, 0) for state in ("sent", "suppressed", "dead", "unknown")), waiting)
    assert receipt.expected == sum(rows.values())
    assert not differences(notice.pk), "each sum of tallies is the count of rows"
    held_without_lease = notice.deliveries.filter(state=Delivery.State.SENDING, lease_until=None)
    assert not held_without_lease.exists()
    twice = notice.deliveries.values("channel", "address").annotate(rows=Count("pk")).filter(rows__gt=1)
    assert not twice.exists()


def retally() -> None:
    """Write anew the tallies of all rows, whose states and times a test has set without moving them."""
    Tally.objects.all().delete()
    times = {pk: rest for pk, *rest in Delivery.objects.values_list("pk", "queued_at", "sent_at", "bounced_at")}
    for pk, row in read(Delivery.objects.all()).items():
        queued_at, sent_at, bounced_at = times[pk]
        _tally(row, Tally.Outcome.EXPECTED, queued_at)
        counted = _counted(row.channel, row.state, row.error, is_retrying=row.tries > 0, is_ambiguous=row.ambiguous)
        for outcome, reason in counted:
            is_timed = outcome == Tally.Outcome.SENT
            _tally(row, outcome, sent_at if is_timed else queued_at, reason=reason, is_timed=is_timed)
        if bounced_at:
            _tally(row, Tally.Outcome.BOUNCED, bounced_at)


def _tally(row: RowBefore, outcome: str, at: datetime, **fields: Any) -> None:
    Tally.objects.create(
        notice_id=row.notice_id, channel=row.channel, outcome=outcome, count=1, created_at=at, **fields
    )
