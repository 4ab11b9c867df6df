"""When and whether to try again. A pure table: the ledger keeps the times, nobody sleeps.

skipped                      suppressed, with the reason
nobody can be reached        pending again, the attempt not counted; the channel or account pauses
this one cannot be helped    dead
no answer                    pending again and marked ambiguous; unknown where a repeat would be worse
anything else                pending again after a while; dead (unknown when ever ambiguous) after the last try
"""

import random
from typing import NamedTuple

from delivery.contract import Channel, DeliveryError
from delivery.models import Delivery

State = Delivery.State
# Seconds before attempt 2, 3, 4 …; the last one repeats.
DELAYS = (10, 30, 120, 600, 1800, 3600, 7200)
LONGEST_WAIT_SECONDS = 6 * 3600
ERROR_LIMIT = 255


class Verdict(NamedTuple):
    """What to write into a row."""

    state: Delivery.State
    error: str = ""
    wait_seconds: float = 0.0
    counts: bool = True
    """False gives the attempt back."""
    ambiguous: bool = False
    """True marks the row; False leaves the mark as it is."""


HANDED_OVER = Verdict(State.SENT)


def judge(channel: type[Channel], error: DeliveryError | None, attempts: int, *, was_ambiguous: bool) -> Verdict:
    """`attempts` includes the one that ended with `error`; None means handed over."""
    if error is None:
        return HANDED_OVER
    reason = str(error)[:ERROR_LIMIT]
    if error.skip:
        return Verdict(State.SUPPRESSED, reason)
    if error.pause:
        return Verdict(State.PENDING, reason, counts=False)
    if error.permanent:
        return Verdict(State.DEAD, reason)
    unsure = error.ambiguous or was_ambiguous
    if (error.ambiguous and not channel.resend_ambiguous) or (unsure and attempts >= channel.max_attempts):
        return Verdict(State.UNKNOWN, reason, ambiguous=error.ambiguous)
    if attempts >= channel.max_attempts:
        return Verdict(State.DEAD, f"{reason} (gave up after {attempts} attempts)"[-ERROR_LIMIT:])
    return Verdict(State.PENDING, reason, wait_seconds(attempts, error.retry_after), ambiguous=error.ambiguous)


def wait_seconds(attempts: int, retry_after: float | None = None) -> float:
    """How long to wait after so many attempts, up to a fifth longer by chance so that herds part."""
    wait: float = DELAYS[min(attempts, len(DELAYS)) - 1]
    if retry_after is not None:
        wait = max(wait, min(retry_after, LONGEST_WAIT_SECONDS))
    return wait * random.uniform(1.0, 1.2)  # noqa: S311 (nothing here is secret)
