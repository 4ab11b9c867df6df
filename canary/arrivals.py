"""Records heartbeats that arrived in the mailbox or at the webhook's receiver."""

import re
from collections.abc import Iterable

from django.db.models.functions import Now

from canary.models import Probe

# A notice's code in a heartbeat's subject. The subject is plain ASCII, so no mail system encodes it.
CODE = re.compile(r"heartbeat-([a-z0-9]{12})(?![a-z0-9])")
# Words in a report that a mail was not delivered (RFC 3464): its type or its sender. The report quotes the mail.
BOUNCE = re.compile(r"delivery-status|mailer-daemon", re.IGNORECASE)


def find_codes(text: str) -> set[str]:
    """The notice codes in the text of a mail, in any format; none if it is a bounce, which quotes a heartbeat that did not
    arrive."""
    return set() if BOUNCE.search(text) else set(CODE.findall(text))


def record_arrivals(destination: Probe.Destination, codes: Iterable[str]) -> int:
    """Record that these have arrived; returns how many were not recorded before. Unknown codes are ignored."""
    awaited = Probe.objects.filter(destination=destination, code__in=list(codes)[:1000], arrived_at=None)
    return awaited.update(arrived_at=Now())
