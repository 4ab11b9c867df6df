"""What came back: heartbeats that reached the mailbox or the webhook's receiver."""

import re
from collections.abc import Iterable

from django.db.models.functions import Now

from canary.models import Probe

# In a heartbeat's subject, which no mail system encodes: it is plain ASCII.
CODE = re.compile(r"heartbeat-([a-z0-9]{12})(?![a-z0-9])")


def find_codes(text: str) -> set[str]:
    """The notice codes that a mail, in whatever wrapping, names."""
    return set(CODE.findall(text))


def record(destination: Probe.Destination, codes: Iterable[str]) -> int:
    """Note that these have arrived; how many of them are news. Unknown codes and repeats change nothing."""
    awaited = Probe.objects.filter(destination=destination, code__in=list(codes)[:1000], arrived_at=None)
    return awaited.update(arrived_at=Now())
