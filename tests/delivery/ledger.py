"""The one check that every test of the ledger ends with."""

from django.db.models import Count

from delivery.models import Delivery, Notice
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
    held_without_lease = notice.deliveries.filter(state=Delivery.State.SENDING, lease_until=None)
    assert not held_without_lease.exists()
    twice = notice.deliveries.values("channel", "address").annotate(rows=Count("pk")).filter(rows__gt=1)
    assert not twice.exists()
