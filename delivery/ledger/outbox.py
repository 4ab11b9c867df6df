"""The way out: a notice is written with the update, and becomes one delivery for each recipient."""

import time
from collections import Counter
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import BigIntegerField, Count, Max, Q, QuerySet, Value
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext

from core.wake import wake_on_commit, wake_worker
from delivery import registry
from delivery.ledger import moves
from delivery.ledger.moves import Change, Moves, Row
from delivery.ledger.outcomes import release_expired
from delivery.models import Delivery, Notice, Pause, Tally
from delivery.models.deliveries import DeliveryQuerySet
from pages.models import Page
from subscribers.models import Subscriber

# Subscribers looked at in one transaction: few enough to hold locks for a moment only.
CHUNK = 5_000
# Who sends goes on by itself while there is something; a task for each of 200 chunks takes as long as 100,000 rows.
BELL_EVERY_SECONDS = 0.5
NOT_CONNECTED = "not connected"


def publish(notice: Notice) -> Notice:
    """Store a notice in the caller's transaction. Who is told is decided by fan_out."""
    notice.save()
    wake_on_commit("delivery.tasks.fan_out", notice.pk)
    return notice


def count_audience(page: Page, component_codes: list[str], incident_code: str) -> dict[str, int]:
    """How many would be told now, by channel; a channel of unconnected accounts only counts 0."""
    audience = Subscriber.objects.about(page, component_codes, incident_code).filter(
        channel__in=registry.subscriber_kinds()
    )
    told = audience.order_by().values("channel").annotate(people=Count("address", distinct=True))
    counts = {row["channel"]: row["people"] for row in told}
    for account in page.accounts.for_people().filter(channel__in=registry.CHANNELS):
        counts[account.channel] = counts.get(account.channel, 0) + account.is_connected
    return counts


def unconnected_accounts(page: Page) -> list[str]:
    """Sentences such as “X: @acme is not connected”, for the screen that says who will be told."""
    accounts = page.accounts.for_people().order_by("channel", "name")
    return [
        gettext("%(channel)s: %(name)s is not connected")
        % {"channel": registry.label_of(each.channel), "name": each.name}
        for each in accounts
        if not each.is_connected
    ]


def cancel(notice: Notice) -> int:
    """Tell nobody else; how many that spares. What a worker holds at this moment may still go out."""
    waiting = Delivery.objects.filter(notice=notice).pending()
    change = Change(Delivery.State.SUPPRESSED, "cancelled by staff")
    with moves.moving() as sparing:
        Notice.objects.filter(pk=notice.pk, cancelled_at=None).update(cancelled_at=Now())
        count = 0
        for channel in registry.CHANNELS:  # of a million, nearly all were never tried
            untried = waiting.filter(channel=channel, error="", attempts=0, ambiguous=False)
            row = Row(0, notice.pk, channel, Delivery.State.PENDING, "", 0, ambiguous=False, again=False)
            count += sparing.move_alike(untried, row, change)
        return count + moves.move_all(sparing, waiting, change)


def requeue(deliveries: DeliveryQuerySet, *, also_sent: bool = False) -> int:
    """Put those that failed, or ended without an answer, back in the queue with fresh attempts; how many.

    `also_sent`: those of people that were handed over, too. Posts of accounts are not repeated: everybody would see it.

    What is paused is tried at once. Of a notice that is being pruned nothing is taken: its counts are final.
    """
    wanted = Q(state__in=(Delivery.State.DEAD, Delivery.State.UNKNOWN))
    if also_sent:
        wanted |= Q(state=Delivery.State.SENT, account=None)
    failed = deliveries.filter(wanted)
    with moves.moving() as putting_back:
        # The state is asked of the locked row; which rows were chosen, before that.
        chosen = failed.order_by().values("pk")
        failed = Delivery.objects.filter(wanted, notice__in=_open(failed), pk__in=chosen)
        channels = list(failed.order_by().values_list("channel", flat=True).distinct())
        accounts = list(failed.filter(account__isnull=False).order_by().values_list("address", flat=True).distinct())
        fresh = {"attempts": 0, "sent_at": None, "again": True, "queued_at": Now(), "next_attempt_at": Now()}
        count = moves.move_all(putting_back, failed, Change(Delivery.State.PENDING, is_retrying=False), **fresh)
        Pause.objects.filter(key__in=channels + accounts).update(probe_at=Now())
        for channel in channels:
            wake_on_commit("delivery.tasks.send", channel)
    return count


def _open(failed: DeliveryQuerySet) -> list[int]:
    """The notices of these deliveries, without those that are being pruned. Locks them, as retention.py does: what
    was chosen is not deleted meanwhile."""
    concerned = Notice.objects.filter(pk__in=failed.order_by().values("notice"))
    locked = concerned.select_for_update(no_key=True).order_by("pk")
    return [pk for pk, pruned_at in locked.values_list("pk", "pruned_at") if pruned_at is None]


def expand(notice_id: int) -> bool:
    """Insert the deliveries of a notice, chunk by chunk; False when another worker is at it.

    Each chunk and the cursor behind it commit together, and senders hear of the first one at once, so the first mails
    leave while the last rows are still being inserted. Running it twice, or dying half-way, is harmless.
    """
    unheard: set[str] = set()
    next_bell = 0.0
    while True:
        with transaction.atomic():
            notice = _lock(notice_id)
            is_left = notice is not None and notice.expanded_at is None
            if notice and is_left:
                with moves.moving() as listing:
                    unheard.update(_insert_chunk(notice, listing))
            if not is_left or time.monotonic() >= next_bell:
                for channel in sorted(unheard):
                    wake_on_commit("delivery.tasks.send", channel)
                unheard, next_bell = set(), time.monotonic() + BELL_EVERY_SECONDS
        if not is_left:
            return notice is not None


def _lock(notice_id: int) -> Notice | None:
    """None when another transaction holds it. SQLite needs no row lock: its transactions take turns."""
    return Notice.objects.select_for_update(skip_locked=True).filter(pk=notice_id).first()


def _insert_chunk(notice: Notice, listing: Moves) -> list[str]:
    """Insert the next rows and move the cursor; the channels that got any. Accounts come first, and are all that a
    heartbeat goes to."""
    end = None if notice.cancelled_at or notice.is_heartbeat else _chunk_end(notice)
    inserted: Counter[str] = Counter()
    if notice.cursor == 0 and not notice.cancelled_at:
        inserted.update(_insert_accounts(notice, listing))
    if end is None:
        notice.expanded_at = timezone.now()
    else:
        for channel in registry.subscriber_kinds():
            inserted[channel] += _insert_subscribers(notice, channel, end)
        notice.cursor = end
    if notice.is_heartbeat:
        notice.deliveries.pending().update(rank=Delivery.Rank.HEARTBEAT)
    inserted += Counter()  # drops the channels without rows
    for channel, count in inserted.items():
        listing.count(notice.pk, channel, Tally.Outcome.EXPECTED, count)
    notice.save(update_fields=["cursor", "expanded_at"])
    return list(inserted)


def _insert_accounts(notice: Notice, listing: Moves) -> dict[str, int]:
    """One row for each enabled account; one without credentials is on record as not told."""
    known = set(notice.deliveries.filter(account__isnull=False).values_list("account_id", flat=True))
    of_page = notice.page.accounts.filter(enabled=True, audience=notice.audience)
    accounts = of_page.filter(channel__in=registry.CHANNELS).exclude(pk__in=known).order_by("pk")
    rows = [
        Delivery(
            notice=notice,
            channel=account.channel,
            address=account.address,
            account=account,
            state=Delivery.State.PENDING if account.is_connected else Delivery.State.SUPPRESSED,
            error="" if account.is_connected else NOT_CONNECTED,
            rank=Delivery.Rank.ACCOUNT,
            next_attempt_at=Now(),
            queued_at=Now(),
        )
        for account in accounts
    ]
    Delivery.objects.bulk_create(rows)
    for row in rows:
        if row.error:
            listing.count(notice.pk, row.channel, Tally.Outcome.SUPPRESSED, 1, row.error)
    return Counter(row.channel for row in rows)


def _chunk_end(notice: Notice) -> int | None:
    """The last subscriber of the next chunk; None after the last one. Counted before any choice is looked
    at, so that a chunk costs the same however few of them want to hear of this."""
    people = Subscriber.objects.active().filter(page=notice.page_id)
    ahead = people.filter(pk__gt=notice.cursor)
    ids = ahead.order_by("pk").values_list("pk", flat=True)
    return ids[CHUNK - 1 : CHUNK].first() or ahead.aggregate(last=Max("pk"))["last"]


def _insert_subscribers(notice: Notice, channel: str, end: int) -> int:
    """INSERT … SELECT of the subscribers after the cursor, up to `end`; how many rows that made."""
    people = Subscriber.objects.about(notice.page, notice.component_codes, notice.thread)
    audience = (
        people.filter(channel=channel, pk__gt=notice.cursor, pk__lte=end)
        .order_by("pk")
        .values_list(Value(notice.pk, output_field=BigIntegerField()), "channel", "address", "pk")
    )
    try:
        with transaction.atomic():
            return _insert(audience, is_careful=Subscriber.objects.following(notice.page, notice.thread).exists())
    except IntegrityError:  # somebody has just stopped following this incident, and hears of the page as well
        return _insert(audience, is_careful=True)


def _insert(audience: QuerySet[Any, Any], *, is_careful: bool) -> int:
    """How many rows that made. `is_careful`: one address may follow the page and this incident too, and is told
    once. To look out for that doubles the cost of a row."""
    select, params = audience.query.sql_with_params()
    insert = f"INSERT INTO delivery_delivery (notice_id, channel, address, subscriber_id) {select}"
    if is_careful:
        insert += " ON CONFLICT (notice_id, channel, address) DO NOTHING"
    with connection.cursor() as cursor:
        cursor.execute(insert, params)
        return cursor.rowcount


def sweep() -> dict[str, int]:
    """Find whatever is due although no task arrived, and wake a worker; counts by what was found.

    Harmless to run twice, or beside itself. Rows of a worker that died are released first.
    """
    found = {"released": release_expired(), "notices": 0, "channels": 0}
    for notice_id in Notice.objects.filter(expanded_at=None).order_by("pk").values_list("pk", flat=True)[:100]:
        found["notices"] += wake_worker("delivery.tasks.fan_out", notice_id)
    for channel in registry.CHANNELS:
        if Delivery.objects.due(channel).exists():
            found["channels"] += wake_worker("delivery.tasks.send", channel)
    return found
