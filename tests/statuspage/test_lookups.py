"""`any_of` hands its list over as one text: no value may break out of its place, or be taken for another."""

from __future__ import annotations

import pytest

from delivery.models import Pause

pytestmark = pytest.mark.django_db
ODD = [
    "plain",
    "NULL",
    "null",
    "",
    " ",
    '"',
    "\\",
    '\\"',
    "\\\\",
    "{",
    "}",
    '"},{"',
    "a,b",
    "a\nb",
    "'; --",
    "%s",
    "ü☃🚦",
    "\x01",
]


@pytest.fixture
def stored() -> None:
    for key in [*ODD, "b", "a", "other"]:
        Pause.objects.create(key=key, probe_at="2026-01-01T00:00:00Z")


@pytest.mark.parametrize("value", ODD)
def test_an_odd_value_finds_itself_alone(value: str, stored: None):
    assert list(Pause.objects.filter(key__any_of=[value]).values_list("key", flat=True)) == [value]


def test_all_of_them_are_found_together_and_nothing_else(stored: None):
    assert set(Pause.objects.filter(key__any_of=set(ODD)).values_list("key", flat=True)) == set(ODD)
    assert not Pause.objects.filter(key__any_of=[]).exists()
    assert Pause.objects.exclude(key__any_of=ODD).count() == 3
