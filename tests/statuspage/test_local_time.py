"""A time that does not exist is refused with the nearest ones that do; one that comes twice is asked back."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from core.local_time import DOUBLED, FORMAT, SKIPPED, in_zone

BERLIN, NEW_YORK, LORD_HOWE = map(ZoneInfo, ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe"))


@pytest.mark.parametrize(
    ("written", "zone", "words"),
    [
        (
            "2027-03-28T02:30",
            BERLIN,
            "from 02:00 to 03:00. The nearest times are 2027-03-28T01:59 and 2027-03-28T03:00.",
        ),
        ("2027-03-28T02:15", BERLIN, "2027-03-28T01:59 and 2027-03-28T03:00"),
        ("2026-03-08T02:00", NEW_YORK, "2026-03-08T01:59 and 2026-03-08T03:00"),
        ("2026-10-04T02:10", LORD_HOWE, "2026-10-04T01:59 and 2026-10-04T02:30"),
    ],
)
def test_a_time_that_is_skipped_names_its_neighbours(written: str, zone: ZoneInfo, words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        in_zone(datetime.fromisoformat(written), zone)
    assert caught.value.code == SKIPPED
    assert words in caught.value.message


def test_a_time_that_comes_twice_is_asked_back_and_can_be_told_apart() -> None:
    written = datetime.fromisoformat("2026-10-25T02:30")
    with pytest.raises(
        ValidationError, match=r"2026-10-25T02:30\+02:00 \(CEST\) or 2026-10-25T02:30\+01:00 \(CET\)"
    ) as caught:
        in_zone(written, BERLIN)
    assert caught.value.code == DOUBLED
    assert in_zone(written, BERLIN, second=False).astimezone(UTC) == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert in_zone(written, BERLIN, second=True).astimezone(UTC) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize("written", ["2027-03-28T01:59", "2027-03-28T03:00", "2026-10-25T01:59", "2026-10-25T03:00"])
def test_the_times_beside_a_change_are_plain(written: str) -> None:
    assert f"{in_zone(datetime.fromisoformat(written), BERLIN):{FORMAT}}" == written


@given(
    st.datetimes(datetime.fromisoformat("2020-01-01"), datetime.fromisoformat("2035-01-01")),
    st.sampled_from([BERLIN, NEW_YORK, LORD_HOWE]),
)
def test_whatever_is_taken_reads_as_it_was_written(written: datetime, zone: ZoneInfo) -> None:
    try:
        moment = in_zone(written, zone)
    except ValidationError:
        return
    assert moment.astimezone(UTC).astimezone(zone).replace(tzinfo=None, fold=0) == written
