"""Receipts for programs: not public, see pages.rights.for_monitoring. Reference: docs/api.md."""

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from delivery.ledger.counting import ChannelCounts, Counts, count_channels
from delivery.models import Notice
from delivery.receipt import ChannelReceipt, build_receipt
from pages.rights import for_monitoring

RECENT = 50
COUNTS = ("expected", "sent", "suppressed", "dead", "unknown", "pending")
OF_A_CHANNEL = (
    *COUNTS,
    *("retrying", "possible_duplicates", "bounced", "oldest_waiting_seconds"),
    *("lag_p50_seconds", "lag_p95_seconds", "lag_max_seconds"),
)


@require_safe
@for_monitoring
def receipt_json(request: HttpRequest, code: str) -> JsonResponse:
    """What became of one notice, however old it is."""
    notice = Notice.objects.select_related("page").filter(code=code).first()
    if notice is None:
        return JsonResponse({"error": "No notice has this code."}, status=404)
    receipt = build_receipt(notice)
    return JsonResponse(
        {
            "notice": _describe(notice),
            **_counts(receipt),
            "finished": receipt.is_finished,
            "notes": receipt.notes,
            "channels": [_describe_channel(each) for each in receipt.channels],
        }
    )


@require_safe
@for_monitoring
def notices_json(request: HttpRequest) -> JsonResponse:
    """The newest notices of all pages with their totals, newest first."""
    notices = list(Notice.objects.for_people().select_related("page")[:RECENT])
    lines = count_channels(notices)
    return JsonResponse({"notices": [_describe(each) | _sums(lines[each.pk]) for each in notices]})


def _describe(notice: Notice) -> dict[str, Any]:
    return {
        "code": notice.code,
        "incident": notice.thread,
        "page": notice.page.host,
        "title": notice.title,
        "status": notice.status_label,
        "impact": notice.severity,
        "created_at": notice.created_at,
        "expanded_at": notice.expanded_at,
        "cancelled_at": notice.cancelled_at,
        "pruned_at": notice.pruned_at,
    }


def _counts(counts: Counts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in COUNTS}


def _sums(lines: list[ChannelCounts]) -> dict[str, int]:
    return {name: sum(getattr(line, name) for line in lines) for name in COUNTS}


def _describe_channel(channel: ChannelReceipt) -> dict[str, Any]:
    return {
        "channel": channel.channel,
        **{name: getattr(channel, name) for name in OF_A_CHANNEL},
        "errors": [{"reason": reason, "count": count} for reason, count in channel.errors],
        "not_sent": [{"reason": reason, "count": count} for reason, count in channel.spared],
        "not_connected": [name for _, name in channel.unconnected],
        "paused": channel.paused,
        "diverted": channel.where or None,
    }
