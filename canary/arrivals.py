"""What came back: heartbeats that reached the mailbox or the webhook's receiver."""

import re
from collections.abc import Iterable

from django.db.models.functions import Now

from canary.models import Probe

# In a heartbeat's subject, which no mail system encodes: it is plain ASCII.
CODE = re.compile(r"heartbeat-([a-z0-9]{12})(?![a-z0-9])")
# Words of a report that a mail was not delivered (RFC 3464): its type, or who writes it. It quotes what it returns.
BOUNCE = re.compile(r"delivery-status|mailer-daemon", re.IGNORECASE)


def find_codes(text: str) -> set[str]:
    """The notice codes that a mail, in whatever wrapping, names; none in a bounce, which says the opposite."""
    return set() if BOUNCE.search(text) else set(CODE.findall(text))


def record(destination: Probe.Destination, codes: Iterable[str]) -> int:
    """Note that these have arrived; how many of them are news. Unknown codes and repeats change nothing."""
    awaited = Probe.objects.filter(destination=destination, code__in=list(codes)[:1000], arrived_at=None)
    return awaited.update(arrived_at=Now())
