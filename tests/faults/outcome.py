"""What tests of delivery look at in the end: who got what, how often, under which Message-ID."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from email import message_from_bytes
from typing import TYPE_CHECKING

from delivery.models import Pause

if TYPE_CHECKING:
    from delivery.models import Notice
    from tests.delivery.smtp_servers import BadServer

PAST = datetime(2020, 1, 1, tzinfo=UTC)


def message_ids(mail: BadServer) -> dict[str, list[str]]:
    """The Message-IDs that each recipient got, in order."""
    ids: dict[str, list[str]] = defaultdict(list)
    for address, content in list(mail.received):
        ids[address].append(message_from_bytes(content)["Message-ID"])
    return ids


def assert_everybody_was_told(notice: Notice, mail: BadServer, *, repeats: int = 0) -> None:
    """Each got it; at most `repeats` got it more than once, and those under one Message-ID."""
    got = message_ids(mail)
    expected = set(notice.deliveries.values_list("address", flat=True))
    assert set(got) == expected
    assert set(notice.deliveries.values_list("state", flat=True)) == {"sent"}
    assert all(len(set(ids)) == 1 for ids in got.values())
    assert sum(len(ids) > 1 for ids in got.values()) <= repeats


def hurry(notice: Notice) -> None:
    """Make waits end now."""
    notice.deliveries.filter(state="pending").update(next_attempt_at=PAST)
    Pause.objects.update(probe_at=PAST)
