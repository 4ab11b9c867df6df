"""The receipt: what became of a notice, live."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST
from django_htmx.http import HttpResponseStopPolling

from delivery import registry
from delivery.models import Notice
from delivery.overview import count_notices
from delivery.receipt import PRUNED, Receipt, build_receipt, retry_failed
from pages.models import Page, record_audit
from pages.rights import require_right
from staff.lists import paginate, read_search

# How long to wait before the next look, in seconds, by the age of the notice: what has not gone out within
# minutes will not go out the quicker for being watched.
PACE = ((timedelta(seconds=30), 1), (timedelta(minutes=5), 3), (timedelta(hours=1), 10))
SLOWEST = 60


@require_right("publish")
@require_GET
def show_receipts(request: HttpRequest) -> HttpResponse:
    """All that was ever sent, the newest first."""
    search = read_search(request)
    rows = paginate(request, Notice.objects.for_people().matching(search).select_related("page"))
    context = {
        "title": _("Sent"),
        "search": search,
        "rows": rows,
        "sent": count_notices(list(rows)),
        "pages": list(Page.objects.all()),
        "empty": _("Nothing is like that.")
        if search
        else _(
            "Nothing has been sent yet. What you post is sent to whoever subscribed; what became of it stands here."
        ),
    }
    return render(request, "staff/receipts.html", context)


@require_right("publish")
@require_GET
def receipt(request: HttpRequest, code: str) -> HttpResponse:
    notice = _get_notice(code)
    context = {"title": _("Receipt"), **_context(notice, build_receipt(notice))}
    return render(request, "staff/receipt.html", context)


@require_right("publish")
@require_GET
def receipt_counts(request: HttpRequest, code: str) -> HttpResponse:
    """The part of the receipt that moves, for htmx; 286 ends the asking once nothing moves any more."""
    notice = _get_notice(code)
    context = _context(notice, build_receipt(notice))
    response = render(request, "staff/_receipt.html", context)
    if not context["pace_seconds"]:
        response.status_code = HttpResponseStopPolling.status_code
    return response


@require_right("publish")
@require_POST
def receipt_retry(request: HttpRequest, code: str) -> HttpResponse:
    """Queue what failed on one channel again."""
    notice = _get_notice(code)
    channel = request.POST.get("channel", "")
    with transaction.atomic():
        count = retry_failed(notice, channel)
        if count:
            actor = request.user.get_username()
            record_audit(notice.page, actor, "notice.retry", str(notice), notice=code, channel=channel, count=count)
    if request.headers.get("HX-Request"):
        return render(request, "staff/_receipt.html", _context(notice, build_receipt(notice)))
    if notice.pruned_at:
        messages.error(request, _(PRUNED))
    else:
        words = {"channel": registry.label_of(channel), "count": count}
        messages.success(request, _("%(channel)s: %(count)d queued again.") % words)
    return redirect("receipt", code=code)


def _get_notice(code: str) -> Notice:
    return get_object_or_404(Notice.objects.select_related("page"), code=code)


def _context(notice: Notice, counted: Receipt) -> dict[str, Any]:
    return {
        "notice": notice,
        "receipt": counted,
        "pace_seconds": 0 if counted.is_finished else _pace(timezone.now() - notice.created_at),
        "said": _say(counted),
    }


def _pace(age: timedelta) -> int:
    return next((seconds for limit, seconds in PACE if age < limit), SLOWEST)


def _say(counted: Receipt) -> str:
    """What a screen reader hears: coarse, so that it speaks a few times and not each second."""
    if counted.is_finished:
        numbers = {name: f"{getattr(counted, name):,}" for name in ("sent", "expected", "failed", "suppressed")}
        if counted.suppressed:
            return _("Finished. %(sent)s of %(expected)s sent, %(failed)s failed, %(suppressed)s not sent.") % numbers
        return _("Finished. %(sent)s of %(expected)s sent, %(failed)s failed.") % numbers
    if not counted.expected:
        return _("Waiting to be sent.")
    quarters = 25 * (4 * (counted.expected - counted.pending) // counted.expected)
    is_paused = any(channel.paused and channel.pending for channel in counted.channels)
    done = (_("Paused. %(number)d percent done.") if is_paused else _("Sending. %(number)d percent done.")) % {
        "number": quarters
    }
    return f"{done} {_('Some have failed.')}" if counted.failed else done
