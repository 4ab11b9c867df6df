import pytest

from delivery.contract import Channel, DeliveryError
from delivery.ledger.retry import DELAYS, judge, wait_seconds
from delivery.models import Delivery

State = Delivery.State


class Careful(Channel):
    """Such as SMS, where a repeat costs money."""

    resend_ambiguous = False


def test_handed_over_is_sent() -> None:
    assert judge(Channel, None, 1, was_ambiguous=False).state == State.SENT


def test_a_passing_failure_waits_longer_each_time() -> None:
    waits = [judge(Channel, DeliveryError("busy"), n, was_ambiguous=False).wait_seconds for n in range(1, 8)]

    assert all(low <= wait <= low * 1.2 for low, wait in zip(DELAYS, waits, strict=True))


def test_the_last_attempt_ends_it_and_says_so() -> None:
    verdict = judge(Channel, DeliveryError("busy"), Channel.max_attempts, was_ambiguous=False)

    assert (verdict.state, verdict.error) == (State.DEAD, "busy (gave up after 8 attempts)")


def test_a_permanent_failure_ends_it_at_once() -> None:
    assert judge(Channel, DeliveryError("no", permanent=True), 1, was_ambiguous=True).state == State.DEAD


def test_no_answer_is_tried_again_and_marked() -> None:
    verdict = judge(Channel, DeliveryError("silence", ambiguous=True), 1, was_ambiguous=False)

    assert (verdict.state, verdict.ambiguous) == (State.PENDING, True)


def test_no_answer_is_left_to_staff_where_a_repeat_is_worse() -> None:
    assert judge(Careful, DeliveryError("silence", ambiguous=True), 1, was_ambiguous=False).state == State.UNKNOWN


def test_what_may_have_arrived_never_ends_as_failed_for_lack_of_attempts() -> None:
    verdict = judge(Channel, DeliveryError("busy"), Channel.max_attempts, was_ambiguous=True)

    assert verdict.state == State.UNKNOWN


def test_an_attempt_of_a_paused_channel_does_not_count() -> None:
    verdict = judge(Channel, DeliveryError("535", pause=True), Channel.max_attempts, was_ambiguous=False)

    assert (verdict.state, verdict.counts, verdict.wait_seconds) == (State.PENDING, False, 0.0)


def test_skipped_is_not_failed() -> None:
    assert judge(Channel, DeliveryError("not connected", skip=True), 1, was_ambiguous=False).state == State.SUPPRESSED


@pytest.mark.parametrize(("asked", "least", "most"), [(None, 10, 12), (5, 10, 12), (60, 60, 72), (10**9, 21600, 25920)])
def test_the_other_side_may_ask_for_more_time_within_reason(asked: float | None, least: float, most: float) -> None:
    assert least <= wait_seconds(1, asked) <= most


def test_a_long_reason_fits_its_column() -> None:
    verdict = judge(Channel, DeliveryError("x" * 1000), Channel.max_attempts, was_ambiguous=False)

    assert len(verdict.error) == 255
    assert verdict.error.endswith("(gave up after 8 attempts)")
