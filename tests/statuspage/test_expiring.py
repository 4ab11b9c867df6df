import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.expiring import ExpiringValue


class Counter:
    """Returns 1, 2, 3 …; raises instead while `error` is set."""

    def __init__(self) -> None:
        self.reads = 0
        self.error: Exception | None = None

    def __call__(self) -> int:
        self.reads += 1
        if self.error:
            raise self.error
        return self.reads


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.mark.parametrize(
    ("asked_at", "values"),
    [
        ([0.0], [1]),
        ([0.0, 1.9], [1, 1]),
        ([0.0, 2.0], [1, 2]),
        ([0.0, 1.0, 2.5, 4.4, 4.5], [1, 1, 2, 2, 3]),
        ([-50.0, -49.0, -48.0], [1, 1, 2]),
    ],
)
def test_a_value_is_read_again_when_its_seconds_are_over(
    counter: Counter, asked_at: list[float], values: list[int]
) -> None:
    now = [0.0]
    value = ExpiringValue(counter, 2, clock=lambda: now[0])
    found = []
    for moment in asked_at:
        now[0] = moment
        found.append(value.get())
    assert found == values


def test_an_error_is_remembered_as_long_as_a_value(counter: Counter) -> None:
    now = [0.0]
    value = ExpiringValue(counter, 2, clock=lambda: now[0])
    counter.error = ValueError("gone")
    for _ in range(3):
        with pytest.raises(ValueError, match="gone"):
            value.get()
    assert counter.reads == 1
    counter.error, now[0] = None, 2.0
    assert value.get() == 2


def test_the_traceback_of_a_remembered_error_does_not_grow(counter: Counter) -> None:
    value = ExpiringValue(counter, 2, clock=lambda: 0.0)
    counter.error = ValueError("gone")
    lengths = []
    for _ in range(5):
        with pytest.raises(ValueError, match="gone") as caught:
            value.get()
        lengths.append(len(caught.traceback))
    assert len(set(lengths)) == 1


def test_threads_that_ask_at_once_share_one_reading() -> None:
    reads: list[None] = []
    go_on = threading.Event()

    def read() -> int:
        reads.append(None)
        assert go_on.wait(10)
        return len(reads)

    value = ExpiringValue(read, 2, clock=lambda: 0.0)
    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(value.get) for _ in range(8)]
        go_on.set()
        assert [each.result(10) for each in answers] == [1] * 8
    assert len(reads) == 1
