"""Whether and when to try again. Pure functions: the wait is stored in the row, and no worker sleeps.

skip         suppressed, with the reason
pause        pending again, the attempt not counted; the channel or account pauses
permanent    dead
ambiguous    pending again and marked ambiguous; unknown on a channel that must not repeat messages
other errors pending again after a wait; after the last attempt dead, or unknown if any attempt was ambiguous
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
    """Whether the attempt counts."""
    ambiguous: bool = False
    """True marks the row; False keeps the old mark."""


HANDED_OVER = Verdict(State.SENT)


def judge(channel: type[Channel], error: DeliveryError | None, attempts: int, *, was_ambiguous: bool) -> Verdict:
    """What to record for an attempt that ended with `error`; None means sent. `attempts` includes this one."""
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
    """How long to wait after so many attempts. Up to a fifth is added at random, so that rows that failed together are
    not all tried again together."""
    wait: float = DELAYS[min(attempts, len(DELAYS)) - 1]
    if retry_after is not None:
        wait = max(wait, min(retry_after, LONGEST_WAIT_SECONDS))
    return wait * random.uniform(1.0, 1.2)  # noqa: S311 (nothing here is secret)
