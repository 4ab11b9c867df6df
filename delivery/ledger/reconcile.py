"""Comparing tallies with the deliveries themselves, once a day and before a notice is pruned.

One statement reads rows and tallies, so that both are from the same moment whatever is recorded meanwhile.
"""

import logging
import time
from collections import Counter
from datetime import timedelta

from django.db.models import Count, F, IntegerField, Q, QuerySet, Sum, Value
from django.db.models.functions import Now
from django.utils import timezone

from delivery.models import Delivery, Notice, Tally

log = logging.getLogger(__name__)
State, Outcome = Delivery.State, Tally.Outcome
CHECKED_EVERY = timedelta(hours=20)
Difference = Counter[tuple[str, str, str]]
"""By channel, outcome and reason, how many deliveries there are more than tallied; negative when there are fewer. The
reason of SENT is always "", because a sent row does not store one."""
_MARKS = ("retrying", "ambiguous", "bounced")


def reconcile(seconds: float, *, everything: bool = False, repair: bool = False) -> tuple[int, bool]:
    """Compare notices that were not compared within CHECKED_EVERY, for at most so many seconds; returns how many were
    wrong, and whether time ran out.

    `everything`: compare all notices. `repair`: append the tallies that are missing. Pruned notices are never compared,
    because their rows are deleted.
    """
    until = time.monotonic() + seconds
    wrong = 0
    notices = Notice.objects.filter(pruned_at=None)
    if not everything:
        notices = notices.filter(Q(checked_at=None) | Q(checked_at__lt=timezone.now() - CHECKED_EVERY))
    for notice_id in list(notices.order_by("pk").values_list("pk", flat=True)):
        if time.monotonic() >= until:
            return wrong, True
        wrong += not check(notice_id, repair=repair)
    return wrong, False


def check(notice_id: int, *, repair: bool = False) -> bool:
    """Compare one notice and store for staff by how many deliveries it is wrong; True when it is right."""
    difference = differences(notice_id)
    size = _size(difference)
    if size:
        log.error(
            "a receipt differs from its deliveries (manage.py reconcile --repair corrects it): "
            "notice=%s deliveries=%d repaired=%s",
            notice_id,
            size,
            repair,
        )
    if size and repair:
        _append(notice_id, difference)
    Notice.objects.filter(pk=notice_id).update(checked_at=Now(), miscounted=0 if repair else size)
    return not size


def differences(notice_id: int) -> Difference:
    """The differences of one notice that are not zero; one query."""
    difference: Difference = Counter()
    for is_row, channel, outcome, reason, count, *marks in _rows(notice_id).union(_tallies(notice_id), all=True):
        if not is_row:
            difference[channel, outcome, "" if outcome == Outcome.SENT else reason] -= count
            continue
        difference[channel, Outcome.EXPECTED, ""] += count
        if outcome not in Delivery.WAITING:
            difference[channel, outcome, reason] += count
        elif reason:
            difference[channel, Outcome.TROUBLED, reason] += count
        for name, marked in zip(_MARKS, marks, strict=True):
            difference[channel, name, ""] += marked
    return Counter({key: count for key, count in difference.items() if count})


def _rows(notice_id: int) -> "QuerySet[Delivery, tuple[bool, str, str, str, int, int, int, int]]":
    tried = Q(state=State.PENDING, attempts__gt=0) | Q(state=State.SENDING, attempts__gt=1)
    return (
        Delivery.objects.filter(notice=notice_id)
        .order_by()
        .values(is_row=Value(1, output_field=IntegerField()), kind=F("channel"), outcome=F("state"), why=F("error"))
        .annotate(
            rows=Count("pk"),
            retrying=Count("pk", filter=tried),
            unsure=Count("pk", filter=Q(ambiguous=True)),
            returned=Count("bounced_at"),
        )
        .values_list("is_row", "kind", "outcome", "why", "rows", "retrying", "unsure", "returned")
    )


def _tallies(notice_id: int) -> "QuerySet[Tally, tuple[bool, str, str, str, int, int, int, int]]":
    zero = Value(0, output_field=IntegerField())
    return (
        Tally.objects.filter(notice=notice_id)
        .exclude(outcome=Outcome.REQUEUED)
        .order_by()
        .values(is_row=zero, kind=F("channel"), what=F("outcome"), why=F("reason"))
        .annotate(rows=Sum("count"), retrying=zero, unsure=zero, returned=zero)
        .values_list("is_row", "kind", "what", "why", "rows", "retrying", "unsure", "returned")
    )


def _size(difference: Difference) -> int:
    """The least number of deliveries that explains the difference: a delivery that is missing, or whose state is not the
    tallied one, counts once."""
    marks: Counter[str] = Counter()
    more = fewer = 0
    for (_, outcome, _), count in difference.items():
        if outcome in (Outcome.EXPECTED, *_MARKS):
            marks[outcome] += count
        else:
            more, fewer = more + max(0, count), fewer + max(0, -count)
    return max((more, fewer, *(abs(count) for count in marks.values())))


def _append(notice_id: int, difference: Difference) -> None:
    """Append the difference as tallies. Tallies that others append meanwhile are correct and stay."""
    Tally.objects.bulk_create(
        Tally(notice_id=notice_id, channel=channel, outcome=outcome, reason=reason, count=count, created_at=Now())
        for (channel, outcome, reason), count in difference.items()
    )
