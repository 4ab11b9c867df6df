"""What every test of delivery looks at in the end: is everybody accounted for, and who got what, how often."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from django.db.models.functions import Now

from delivery.channels.email import Email
from delivery.models import Pause
from tests.delivery.ledger import assert_ledger_balances

if TYPE_CHECKING:
    from delivery.models import Notice
    from tests.delivery.scripted_smtp import ScriptedServer
    from tests.delivery.smtp_servers import Mailbox

    Sink = Mailbox | ScriptedServer

PAST = datetime(2020, 1, 1, tzinfo=UTC)
MESSAGE_ID = re.compile(rb"^message-id: *(\S+)", re.IGNORECASE | re.MULTILINE)
# What a worker has in flight: all that it may have handed over without writing it down is in one batch.
IN_FLIGHT = Email.batch_size


def message_ids(mail: Sink) -> dict[str, list[str]]:
    """The Message-IDs that each recipient got, in order."""
    ids: dict[str, list[str]] = defaultdict(list)
    for address, content in list(mail.received):
        found = MESSAGE_ID.search(content)
        assert found
        ids[address].append(found[1].decode())
    return ids


def assert_nothing_was_lost(
    notice: Notice, mail: Sink, *, workers_lost: int = 0, answers_lost: int = 0, refused: Collection[str] = ()
) -> int:
    """The invariant after every fault; how many recipients got it more than once.

    Nobody waits. Each is on record once: as sent, or as dead when the mail server has `refused` them for good.
    Who is on record as sent got it, and nobody else did. Repeats carry one Message-ID, are marked, and are no
    more than what was in flight: a batch for each worker that was killed, cut off from the database or frozen
    beyond its lease, and one mail for each connection whose answer was lost.
    """
    assert_ledger_balances(notice)
    assert notice.expanded_at
    states: dict[str, set[str]] = defaultdict(set)
    for state, address in notice.deliveries.values_list("state", "address"):
        states[state].add(address)
    assert states.keys() <= {"sent", "dead"}, f"not settled, or not as expected: {sorted(states)}"
    assert states["dead"] == set(refused)
    got = message_ids(mail)
    assert set(got) == states["sent"], "who is on record as told was told, and nobody else"
    assert all(len(set(ids)) == 1 for ids in got.values()), "a repeat carries the same Message-ID"
    repeated = {address for address, ids in got.items() if len(ids) > 1}
    marked = set(notice.deliveries.filter(ambiguous=True).values_list("address", flat=True))
    assert repeated <= marked, "who may have heard twice is marked"
    extra = sum(len(ids) - 1 for ids in got.values())
    assert extra <= IN_FLIGHT * workers_lost + answers_lost, f"{extra} mails too many"
    return len(repeated)


def hurry(notice: Notice) -> None:
    """Make waits end now."""
    notice.deliveries.filter(state="pending", next_attempt_at__gt=Now()).update(next_attempt_at=PAST)
    Pause.objects.update(probe_at=PAST)
