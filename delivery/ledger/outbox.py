"""Publishing a notice in the transaction of its update, and expanding it to one delivery for each recipient."""

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
from delivery.ledger.moves import Change, Moves, RowBefore
from delivery.ledger.recording import release_expired
from delivery.models import Delivery, Notice, Pause, Tally
from delivery.models.deliveries import DeliveryQuerySet
from pages.models import Page
from subscribers.models import Subscriber

# Subscribers read in one transaction: few enough that its locks are held briefly.
CHUNK = 5_000
# Running senders go on by themselves while rows are due; to wake them for each of 200 chunks costs as much as to insert
# 100,000 rows.
WAKE_EVERY_SECONDS = 0.5
NOT_CONNECTED = "not connected"


def publish(notice: Notice) -> Notice:
    """Store a notice in the caller's transaction, and wake fan-out once it commits."""
    notice.save()
    wake_on_commit("delivery.tasks.fan_out", notice.pk)
    return notice


def count_audience(page: Page, component_codes: list[str], incident_code: str) -> dict[str, int]:
    """By channel, how many recipients a notice posted now would have; 0 where no account of a channel is connected."""
    audience = Subscriber.objects.about(page, component_codes, incident_code).filter(
        channel__in=registry.subscriber_kinds()
    )
    told = audience.order_by().values("channel").annotate(people=Count("address", distinct=True))
    counts = {row["channel"]: row["people"] for row in told}
    for account in page.accounts.for_people().filter(channel__in=registry.CHANNELS):
        counts[account.channel] = counts.get(account.channel, 0) + account.is_connected
    return counts


def unconnected_accounts(page: Page) -> list[str]:
    """Sentences such as “X: @acme is not connected”, for the posting screen."""
    accounts = page.accounts.for_people().order_by("channel", "name")
    return [
        gettext("%(channel)s: %(name)s is not connected")
        % {"channel": registry.label_of(each.channel), "name": each.name}
        for each in accounts
        if not each.is_connected
    ]


def cancel(notice: Notice) -> int:
    """Suppress all pending deliveries of a notice; returns how many. Rows that a worker has claimed may still go out."""
    waiting = Delivery.objects.filter(notice=notice).pending()
    change = Change(Delivery.State.SUPPRESSED, "cancelled by staff")
    with moves.moving() as sparing:
        Notice.objects.filter(pk=notice.pk, cancelled_at=None).update(cancelled_at=Now())
        count = 0
        for channel in registry.CHANNELS:  # nearly all rows were never tried, and those need not be read one by one
            untried = waiting.filter(channel=channel, error="", attempts=0, ambiguous=False)
            row = RowBefore(0, notice.pk, channel, Delivery.State.PENDING, "", 0, ambiguous=False, again=False)
            count += sparing.move_alike(untried, row, change)
        return count + moves.move_all(sparing, waiting, change)


def requeue(deliveries: DeliveryQuerySet, *, also_sent: bool = False) -> int:
    """Put dead and unknown deliveries back to pending with fresh attempts; returns how many.

    `also_sent`: sent ones as well, but only those to people. A post of an account is public and must not appear twice.

    Paused channels and accounts are probed at once. Deliveries of a pruned notice stay: their counts are final.
    """
    wanted = Q(state__in=(Delivery.State.DEAD, Delivery.State.UNKNOWN))
    if also_sent:
        wanted |= Q(state=Delivery.State.SENT, account=None)
    failed = deliveries.filter(wanted)
    with moves.moving() as putting_back:
        # The rows are chosen first; once they are locked, their state is checked again.
        chosen = failed.order_by().values("pk")
        failed = Delivery.objects.filter(wanted, notice__in=_lock_unpruned(failed), pk__in=chosen)
        channels = list(failed.order_by().values_list("channel", flat=True).distinct())
        accounts = list(failed.filter(account__isnull=False).order_by().values_list("address", flat=True).distinct())
        fresh = {"attempts": 0, "sent_at": None, "again": True, "queued_at": Now(), "next_attempt_at": Now()}
        count = moves.move_all(putting_back, failed, Change(Delivery.State.PENDING, is_retrying=False), **fresh)
        Pause.objects.filter(key__in=channels + accounts).update(probe_at=Now())
        for channel in channels:
            wake_on_commit("delivery.tasks.send", channel)
    return count


def _lock_unpruned(failed: DeliveryQuerySet) -> list[int]:
    """Lock the notices of these deliveries and return those that are not pruned. retention.py takes the same locks, so
    it cannot delete the chosen rows meanwhile."""
    concerned = Notice.objects.filter(pk__in=failed.order_by().values("notice"))
    locked = concerned.select_for_update(no_key=True).order_by("pk")
    return [pk for pk, pruned_at in locked.values_list("pk", "pruned_at") if pruned_at is None]


def expand(notice_id: int) -> bool:
    """Insert the deliveries of a notice chunk by chunk; False when another worker is doing so.

    Each chunk commits together with the cursor behind it, and senders are woken after the first one, so the first mails
    leave while the last rows are still being inserted. A second run, or a crash half-way, is harmless.
    """
    to_wake: set[str] = set()
    next_wake = 0.0
    while True:
        with transaction.atomic():
            notice = _lock(notice_id)
            is_left = notice is not None and notice.expanded_at is None
            if notice and is_left:
                with moves.moving() as listing:
                    to_wake.update(_insert_chunk(notice, listing))
            if not is_left or time.monotonic() >= next_wake:
                for channel in sorted(to_wake):
                    wake_on_commit("delivery.tasks.send", channel)
                to_wake, next_wake = set(), time.monotonic() + WAKE_EVERY_SECONDS
        if not is_left:
            return notice is not None


def _lock(notice_id: int) -> Notice | None:
    """None when another transaction has locked the notice. SQLite needs no row lock: it runs one writer at a time."""
    return Notice.objects.select_for_update(skip_locked=True).filter(pk=notice_id).first()


def _insert_chunk(notice: Notice, listing: Moves) -> list[str]:
    """Insert the next rows and advance the cursor; returns the channels that got rows. Accounts come with the first
    chunk; a heartbeat goes to accounts only."""
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
    """Insert one row for each enabled account, a suppressed one where credentials are missing; counts by channel."""
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
    """The id of the last subscriber in the next chunk; None when no subscriber is left.

    A chunk counts all active subscribers, not only those that follow the affected components, so that it costs the same
    however few of them do.
    """
    people = Subscriber.objects.active().filter(page=notice.page_id)
    ahead = people.filter(pk__gt=notice.cursor)
    ids = ahead.order_by("pk").values_list("pk", flat=True)
    return ids[CHUNK - 1 : CHUNK].first() or ahead.aggregate(last=Max("pk"))["last"]


def _insert_subscribers(notice: Notice, channel: str, end: int) -> int:
    """Insert a row for each subscriber after the cursor and up to `end` (INSERT … SELECT); returns how many."""
    people = Subscriber.objects.about(notice.page, notice.component_codes, notice.thread)
    audience = (
        people.filter(channel=channel, pk__gt=notice.cursor, pk__lte=end)
        .order_by("pk")
        .values_list(Value(notice.pk, output_field=BigIntegerField()), "channel", "address", "pk")
    )
    try:
        with transaction.atomic():
            return _insert(audience, may_conflict=Subscriber.objects.following(notice.page, notice.thread).exists())
    except IntegrityError:  # an address that also follows the page stopped following this incident after the check
        return _insert(audience, may_conflict=True)


def _insert(audience: QuerySet[Any, Any], *, may_conflict: bool) -> int:
    """Run the INSERT; returns how many rows it made.

    `may_conflict`: an address that follows both the page and this incident appears twice in `audience` and must get one
    row. ON CONFLICT doubles the cost of each row, so it is left out where nobody follows the incident.
    """
    select, params = audience.query.sql_with_params()
    insert = f"INSERT INTO delivery_delivery (notice_id, channel, address, subscriber_id) {select}"
    if may_conflict:
        insert += " ON CONFLICT (notice_id, channel, address) DO NOTHING"
    with connection.cursor() as cursor:
        cursor.execute(insert, params)
        return cursor.rowcount


def sweep() -> dict[str, int]:
    """Wake workers for everything that is due, in case a task was lost; counts of what was found.

    It releases rows of lost workers first, and may run several times at once.
    """
    found = {"released": release_expired(), "notices": 0, "channels": 0}
    for notice_id in Notice.objects.filter(expanded_at=None).order_by("pk").values_list("pk", flat=True)[:100]:
        found["notices"] += wake_worker("delivery.tasks.fan_out", notice_id)
    for channel in registry.CHANNELS:
        if Delivery.objects.due(channel).exists():
            found["channels"] += wake_worker("delivery.tasks.send", channel)
    return found
